"""A lock for Python 3.14 and later, where ``with`` does not keep an exception off a lock of C.

There, to enter ``with`` is a call like any other: an exception may arrive when the lock has been
taken, and before the block has begun that would release it. So a lock must know who holds it, and
whether that is still so: a call that has returned, or was unwound, holds nothing any more.
"""

from __future__ import annotations

import sys
import threading
from types import FrameType

from kube_reflect.ground.threads import Wakeup

__all__ = ["FrameLock"]

#: Seconds after which a thread that waits looks whether the call with the lock still runs.
_LOOK = 0.02


class _Holder:
    """A call that holds the lock, or did."""

    __slots__ = ("frame", "next", "thread")

    def __init__(self, thread: int, frame: FrameType | None) -> None:
        self.thread = thread
        #: Of the call; None once it has released the lock.
        self.frame = frame
        #: Who has the lock next. A dict, because `setdefault` decides in one step who is first.
        self.next: dict[int, _Holder] = {}

    def runs(self) -> bool:
        """Return whether the call has not ended, nor released the lock."""
        frame = self.frame
        return frame is not None and _is_below(frame, sys._current_frames().get(self.thread))


def _is_below(outer: FrameType, frame: FrameType | None) -> bool:
    while frame is not None and frame is not outer:
        frame = frame.f_back
    return frame is not None


class FrameLock:
    """A reentrant lock, to be taken by ``with`` only, and once in a function.

    Each holder is followed by the next one; the last one has the lock, while its call runs and has
    not released it. To follow, by `dict.setdefault`, and to release, by a store, are single steps:
    an exception comes before or after, and leaves nothing that another has to complete.
    """

    __slots__ = ("__weakref__", "_last", "_waiting")

    def __init__(self) -> None:
        self._at_fork_reinit()

    def _at_fork_reinit(self) -> None:
        #: The last holder, or one from which it can be found.
        self._last = _Holder(0, None)
        self._waiting: dict[Wakeup, None] = {}

    def _find_last(self) -> _Holder:
        last = self._last
        while (holder := last.next.get(0)) is not None:
            last = holder
        return last

    def __enter__(self) -> bool:
        frame = sys._getframe(1)
        mine = _Holder(threading.get_ident(), frame)
        while True:
            last = self._find_last()
            held_by = last.frame
            if held_by is not None:
                if last.thread != mine.thread:
                    if not self._wait(last):
                        continue
                elif _is_below(held_by, frame):
                    # This call is within the one that holds it, which will release it.
                    return True
            if last.next.setdefault(0, mine) is mine:
                self._last = mine
                return True

    def __exit__(self, *_: object) -> None:
        last = self._find_last()
        if last.frame is sys._getframe(1):
            last.frame = None
            for wakeup in list(self._waiting):
                wakeup.set()

    def _wait(self, holder: _Holder) -> bool:
        """Wait for another thread's call, for a short time; return whether it has ended."""
        wakeup = Wakeup()
        self._waiting[wakeup] = None
        try:
            # Once the lock is released, nobody will wake this thread.
            if holder.frame is not None and not wakeup.wait(_LOOK):
                return not holder.runs()
        finally:
            self._waiting.pop(wakeup, None)
        return holder.frame is None

    def _is_owned(self) -> bool:
        last = self._find_last()
        return last.thread == threading.get_ident() and last.runs()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Raise TypeError: nothing but ``with`` is safe."""
        raise TypeError("take this lock by with")

    def release(self) -> None:
        """Raise TypeError: nothing but ``with`` is safe."""
        raise TypeError("release this lock by with")

    def locked(self) -> bool:
        """Return whether somebody holds it."""
        return self._find_last().runs()
