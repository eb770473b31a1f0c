"""Starting a thread so that nothing can interrupt that, waking it, and waiting for its end."""

from __future__ import annotations

import _thread
import threading
from threading import Lock

__all__ = ["Wakeup", "join_thread", "start_here", "start_thread"]


def _said_of_a_free_lock() -> str:
    try:
        Lock().release()
    except RuntimeError as error:
        return str(error)
    raise AssertionError("a lock that nobody holds was released")


_IS_FREE = _said_of_a_free_lock()


class Wakeup:
    """What one thread waits for; it is kept until that thread takes it.

    A lock of C that is held until then. (`queue.SimpleQueue.get` will not do: up to Python 3.12
    it waits for ever where its timeout passes within a signal handler that runs meanwhile, or
    before it has begun to wait.)
    """

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = Lock()
        self._lock.acquire()

    def set(self) -> None:
        """Wake the thread, or the next wait; from any thread, signal handler or finalizer."""
        if self._lock.locked():
            try:
                self._lock.release()
            except RuntimeError as error:
                # Another was quicker; unless it is an interruption of that kind.
                if str(error) != _IS_FREE:
                    raise

    def wait(self, timeout: float | None) -> bool:
        """Wait to be woken; return whether that was so within the timeout, in seconds."""
        return self._lock.acquire(timeout=-1 if timeout is None
                                  else min(timeout, threading.TIMEOUT_MAX))


def start_thread(thread: threading.Thread) -> None:
    """Start a thread, and return when it runs, like `Thread.start`, which must not be interrupted.

    `Thread.start` is several statements of Python. An exception that arrives among them (Ctrl-C, a
    time limit) leaves a thread that waits for ever, or one that dies before it has begun. So
    another thread calls it, which gets no such exceptions. Who is interrupted in here does not
    know whether the thread will run; it does, and wholly, or it does not.

    :raises RuntimeError: if no thread can be started at this moment; or if gevent has made
        greenlets of threads after this was imported, when each wait of ours would be for ever.
    """
    if Lock is not threading.Lock:
        raise RuntimeError("threads were patched, as gevent does, after kube_reflect was imported: "
                           "have gevent.monkey.patch_all() called first of all (with gunicorn, "
                           "at the top of gunicorn.conf.py)")
    errors: list[BaseException] = []
    tried = Wakeup()

    def start() -> None:
        try:
            start_here(thread)
        except BaseException as error:
            errors.append(error)
        tried.set()

    _thread.start_new_thread(start, ())
    tried.wait(None)
    if errors:
        raise errors[0]


def join_thread(thread: threading.Thread, timeout: float | None) -> bool:
    """Wait for a thread to end, unless it is this one; return whether there is none to wait for."""
    try:
        thread.join(timeout)
    except RuntimeError as error:
        # This one; or it was never started, or this is a signal handler that interrupts its start.
        if str(error).lower().startswith("cannot join "):
            return True
        raise
    return not thread.is_alive()


def start_here(thread: threading.Thread) -> None:
    """Start a thread from one of our own, which nothing interrupts.

    Python's own tests ask a `WeakSet` which threads are still held. A thread that is in there runs
    a callback of Python's in whoever lets go of it, and what interrupts that is lost.
    """
    thread.start()
    threading._dangling.discard(thread)  # type: ignore[attr-defined]
