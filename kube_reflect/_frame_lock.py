"""A lock for Python 3.14 and later, where ``with`` does not keep an exception off a lock of C.

There, to enter ``with`` is a call like any other: an exception may arrive when the lock has been
taken, and before the block has begun that would release it. So a lock must know who holds it, and
whether that is still so: a call that has returned, or was unwound, holds nothing any more.
"""

from __future__ import annotations

import sys
import threading
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any

__all__ = ["FrameLock"]

#: Seconds after which who waits looks whether the call that holds the lock still runs.
_LOOK = 0.02


class _Holder:
    """A call that holds the lock."""

    __slots__ = ("frame", "taken_back", "thread")

    def __init__(self, thread: int, frame: FrameType) -> None:
        self.thread = thread
        self.frame = frame
        #: Who takes the lock back; a dict, for to be the first to put something in is one step.
        self.taken_back: dict[int, object] = {}

    def runs(self) -> bool:
        """Return whether the call has not ended."""
        return _is_below(self.frame, sys._current_frames().get(self.thread))


def _is_below(outer: FrameType, frame: FrameType | None) -> bool:
    while frame is not None and frame is not outer:
        frame = frame.f_back
    return frame is not None


class FrameLock:
    """A reentrant lock, to be taken by ``with`` only, and once in a function.

    It is held from one step to another: the first `dict.setdefault` takes it, `dict.pop` releases
    it. Whoever finds it held by a call that does not run any more takes it back.
    """

    __slots__ = ("__weakref__", "_holder", "_waiting")

    def __init__(self) -> None:
        self._holder: dict[int, _Holder] = {}
        self._waiting: dict[SimpleQueue[None], None] = {}

    def __enter__(self) -> bool:
        frame = sys._getframe(1)
        mine = _Holder(threading.get_ident(), frame)
        while (holder := self._holder.setdefault(0, mine)) is not mine:
            if holder.thread == mine.thread:
                if _is_below(holder.frame, frame):
                    # This call is within the one that holds it, which will release it.
                    return True
                self._take_back(holder)
            else:
                self._wait(holder)
        return True

    def __exit__(self, *_: object) -> None:
        holder = self._holder.get(0)
        if holder is not None and holder.frame is sys._getframe(1):
            self._holder.pop(0, None)
            for queue in list(self._waiting):
                queue.put(None)

    def _wait(self, holder: _Holder) -> None:
        queue: SimpleQueue[None] = SimpleQueue()
        self._waiting[queue] = None
        try:
            # Released meanwhile, it has told nobody of this queue.
            if self._holder.get(0) is holder:
                queue.get(timeout=_LOOK)
        except Empty:
            if not holder.runs():
                self._take_back(holder)
        finally:
            self._waiting.pop(queue, None)

    def _take_back(self, holder: _Holder) -> None:
        me = object()
        # One thread does it, and only one: by the next, another may hold the lock.
        if holder.taken_back.setdefault(0, me) is me and self._holder.get(0) is holder:
            self._holder.pop(0, None)

    def _is_owned(self) -> bool:
        holder = self._holder.get(0)
        return holder is not None and holder.thread == threading.get_ident() and holder.runs()

    def _at_fork_reinit(self) -> None:
        self._holder = {}
        self._waiting = {}

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Raise TypeError: nothing but ``with`` is safe."""
        raise TypeError("take this lock by with")

    def release(self) -> None:
        """Raise TypeError: nothing but ``with`` is safe."""
        raise TypeError("release this lock by with")

    def locked(self) -> bool:
        """Return whether somebody holds it."""
        holder: Any = self._holder.get(0)
        return holder is not None and holder.runs()
