"""The ground of all threads: locks that neither a fork nor an exception leaves taken, deadlines.

One hook renews everything in a child process; and, for hosts that fork without running Python's
hooks (uWSGI, unless told to), a check on use.

**Why a lock is only ever taken by ``with lock:``, and is a lock of C.** An exception may arrive in
a thread of the user between any two instructions: Ctrl-C, a time limit raised by a signal handler,
`PyThreadState_SetAsyncExc`. The interpreter looks for one where a function written in Python
begins, after a call of a C function has returned, and where a loop jumps back; nowhere else. To
enter ``with`` on a lock of C is one instruction without such a look, and the block is entered with
it; to leave it is one call of C, which has released the lock when the look comes. Two statements
(``acquire``, ``try``) are not safe, nor is anything written in Python: `threading.Condition`,
`Event` and the locks of ``readerwriterlock`` are left taken by an exception that arrives within
them. So each thread waits on a lock of its own, which it never holds (`threads.Wakeup`).

From Python 3.14 on, to enter ``with`` is a call that has such a look behind it; there a lock is a
`FrameLock`, which is taken back from a call that does not run any more.

The order of the locks, from the first that is taken to the last: the registry of `shared`, a
reflector's, a cache's ``mutex``, its ``lock``, what readers share (`Decoder`), a subscription's.
"""

from __future__ import annotations

import logging
import math
import mmap
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, MutableSequence
# By its name, for tests put others in the place of `time.sleep`.
from time import sleep
from typing import Any, TypeVar

from readerwriterlock.rwlock import Lockable, RWLockable

from kube_reflect.ground.frame_lock import FrameLock
from kube_reflect.ground.threads import Wakeup

__all__ = ["Deadline", "ReadWriteLock", "Waiters", "checked_timeout", "new_lock",
           "register", "renew", "wait_until_free"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

# The number is part of Linux's interface; the module has no name for it.
_MADV_WIPEONFORK = 18


def _wiped_on_fork() -> MutableSequence[int] | None:
    """Return memory that the kernel hands to a child process as zeros (None: it does not)."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        page.madvise(_MADV_WIPEONFORK)
    except (OSError, ValueError):
        return None
    return page  # type: ignore[return-value]


# Both are held weakly, and let go of by the dict's own `pop`: a `WeakSet` does that in Python, in
# whichever thread lets go of the last reference, and an exception that arrives in there is lost.
#: What each is renewed by, and in which order.
_registered: dict[weakref.ref[Any], tuple[int, Callable[[Any], object]]] = {}
_locks: dict[weakref.ref[Any], None] = {}
#: Seconds for which a thread may be kept off the processor while it holds a lock; more is stuck.
_STUCK = 0.2
# Its first byte is 0 in a child process in which nothing was renewed yet: a look at it is cheap
# enough for any read, which a system call is not.
_page = _wiped_on_fork()
if _page is not None:
    _page[0] = 1
# The process in which everything was renewed, and the one in which that was begun.
_pid = _begun = os.getpid()
# One lock for each process: the fork may come while another is held.
_renewing: dict[int, threading.RLock] = {}


def new_lock() -> Any:
    """Return a lock that is free again in a child process; to be taken by ``with`` only.

    It is reentrant, for a signal handler or a ``__del__`` may call anything amid anything.
    """
    lock: Any = threading.RLock() if sys.version_info < (3, 14) else FrameLock()
    _locks[weakref.ref(lock, _locks.pop)] = None
    return lock


class ReadWriteLock(RWLockable):
    """A lock with the interface of ``readerwriterlock`` that no exception leaves taken.

    Readers exclude each other too, for as long as a dict is copied: what lets them in together has
    to count them, in several statements, and an exception may come between any two of these.
    """

    def __init__(self) -> None:
        self._lock = new_lock()

    def gen_rlock(self) -> Lockable:
        """Return the lock for one who reads."""
        return self._lock  # type: ignore[no-any-return]

    def gen_wlock(self) -> Lockable:
        """Return the lock for one who writes."""
        return self._lock  # type: ignore[no-any-return]


def register(one: T, renew: Callable[[T], object], rank: int) -> None:
    """Register what is to be renewed in every child process, for as long as it exists.

    :param renew: lets go of what is the parent's; other threads are gone, or wait for it to end.
    :param rank: lower ones are renewed first: what others rest on.
    """
    _registered[weakref.ref(one, _registered.pop)] = rank, renew


def _items(held: dict[weakref.ref[Any], T]) -> list[tuple[Any, T]]:
    while True:
        try:
            found = list(held.items())
        except RuntimeError:
            # Another thread has registered something meanwhile.
            continue
        return [(one, value) for ref, value in found if (one := ref()) is not None]


def renew() -> None:
    """Renew everything, if that was not done in this process yet; from any thread."""
    global _pid, _begun
    if _page is not None and _page[0]:
        return
    pid = os.getpid()
    if pid == _pid:
        return
    with _renewing.setdefault(pid, threading.RLock()):
        # Of another thread's renewal this one has just waited for the end; of its own it is part.
        if pid == _begun:
            return
        _begun = pid
        for lock, _ in _items(_locks):
            # A thread that held it is not there to release it, unless it is the one that forked.
            if not lock._is_owned():
                lock._at_fork_reinit()
        for one, (_, renew_one) in sorted(_items(_registered), key=lambda item: item[1][0]):
            try:
                renew_one(one)
            except Exception:
                logger.exception("after a fork: %r could not be renewed", one)
        _pid = pid
        if _page is not None:
            _page[0] = 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=renew)


class Deadline:
    """The end of a time to wait.

    :param timeout: seconds from now, or None for no end.
    :raises TypeError: for what is no number.
    :raises ValueError: for a negative number, or NaN.
    """

    __slots__ = ("_end", "timeout")

    def __init__(self, timeout: float | None) -> None:
        self.timeout = checked_timeout(timeout)
        self._end = None if self.timeout is None else time.monotonic() + self.timeout

    def left(self) -> float | None:
        """Return the seconds that are left, 0 when it has passed; None: without end."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def __str__(self) -> str:
        return "in time" if self.timeout is None else f"within {self.timeout:g} s"


def wait_until_free(deadline: Deadline, *locks: Any) -> bool:
    """Wait until no other thread holds any of some locks; return whether that is so.

    For who has a deadline: to be given a lock by a call that has one is not safe (see above), and
    ``with`` has none. Another thread may take the lock right after, and will release it as soon as
    always: what is looked for is one that never does. Also with no time left it is given a
    fifth of a second.
    """
    # Nearly always all are, and there is nothing to wait for.
    held = [lock for lock in locks if _is_held_by_another(lock)]
    return not held or _are_released(deadline, held)


def _are_released(deadline: Deadline, locks: Iterable[Any]) -> bool:
    grace, pause = Deadline(_STUCK), 0.0005
    for lock in locks:
        while _is_held_by_another(lock):
            if deadline.left() == 0 and grace.left() == 0:
                return False
            sleep(pause)
            pause = min(2 * pause, 0.02)
    return True


def _is_held_by_another(lock: Any) -> bool:
    if lock._is_owned():
        return False
    # Before Python 3.14 nothing else tells of a reentrant lock of C.
    return lock.locked() if isinstance(lock, FrameLock) else repr(lock).startswith("<locked")


class Waiters:
    """Threads that wait until something is true, and look again whenever they are notified."""

    def __init__(self) -> None:
        # One for each thread that waits. Operations of a dict whose keys are compared by their
        # identity are atomic.
        self._waiting: dict[Wakeup, None] = {}

    def notify(self) -> None:
        """Wake all threads, to look again; from any thread."""
        for wakeup in list(self._waiting):
            wakeup.set()

    def wait_for(self, predicate: Callable[[], object], deadline: Deadline) -> bool:
        """Wait until a predicate is true; return whether it is.

        :param predicate: looks at what was changed before a `notify`; cheap, takes no lock.
        """
        if predicate():
            return True
        wakeup = Wakeup()
        self._waiting[wakeup] = None
        try:
            # Looked at again, for it may have become true before this thread was among them.
            while not predicate():
                if not wakeup.wait(deadline.left()):
                    return bool(predicate())
            return True
        finally:
            self._waiting.pop(wakeup, None)


def checked_timeout(timeout: float | None, name: str = "timeout") -> float | None:
    """Return a number of seconds that can be waited for; None for no end.

    :param name: of the argument, for the error.
    :raises TypeError: for what is no number.
    :raises ValueError: for a negative number, or NaN.
    """
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f"{name} must be a number of seconds or None: {timeout!r}")
    if math.isnan(timeout) or timeout < 0:
        raise ValueError(f"{name} must be 0 or more seconds: {timeout}")
    # Beyond what the platform can wait for is for ever.
    return float(timeout) if timeout < threading.TIMEOUT_MAX else None
