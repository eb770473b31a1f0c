"""The changes that one subscriber has not taken yet."""

from __future__ import annotations

import threading
from typing import NamedTuple

from kube_reflect import _forks
from kube_reflect._entries import Key, head_of

__all__ = ["OVERFLOWS", "Pending", "Step"]

OVERFLOWS = ("coalesce", "block", "resync")


class Step(NamedTuple):
    """An object's way from what the subscriber saw last to what is there now.

    :param key: which object; None for a resync.
    :param old: as the subscriber saw it last; None: not at all, or deleted.
    :param new: as it is now; None: gone.
    :param inferred: nobody told that it is gone.
    :param seen: whether the subscriber knows of it.
    """

    key: Key | None
    old: bytes | None
    new: bytes | None
    inferred: bool = False
    seen: bool = True


class Pending:
    """Coalesces, counts, and keeps order; all of it under its own lock, which is held briefly.

    The writer's thread puts (and waits here only if the subscriber asked for ``block``); the
    subscriber's threads take. The store's lock is never taken in here.
    """

    def __init__(self, size: int, overflow: str) -> None:
        self.condition = threading.Condition(threading.RLock())
        self._size = size
        # Shrinking looks at all that is pending, so it waits until that has doubled.
        self._shrink_at = size
        self._overflow = overflow
        #: What the replay has still to show; packed objects by key.
        self.replay: dict[Key, bytes] = {}
        #: At most two steps an object: the end of one, and the beginning of the next.
        self._steps: dict[Key, list[Step]] = {}
        self._count = 0
        self._overflowed = False
        self._unblocked = False
        self.over = False
        self.closed = False
        _forks.register(self)

    fork_rank = 1

    def after_fork(self) -> None:
        """Make the lock anew, in a child process."""
        self.condition = threading.Condition(threading.RLock())

    def __bool__(self) -> bool:
        return bool(self.replay or self._steps or self._overflowed)

    def is_over(self) -> bool:
        """Whether there is no point in telling it anything more."""
        return self.closed or self.over

    # For the writer.

    def changed(self, key: Key, old: bytes | None, new: bytes | None, inferred: bool) -> None:
        """Take note of a change."""
        with self.condition:
            if self._overflow == "block":
                while self._count >= self._size and not (self.is_over() or self._unblocked):
                    self.condition.wait()
            if self.is_over() or self._overflowed:
                return
            if old is not None and new is not None and head_of(old).uid != head_of(new).uid:
                self._put(key, old, None, True)
                self._put(key, None, new, False)
            else:
                self._put(key, old, new, inferred)
            if self._count > self._shrink_at:
                self._shrink()
                self._shrink_at = max(self._size, 2 * self._count)
            self.condition.notify()

    def unblock(self) -> None:
        """Wait for no subscriber any more: the writer is about to end."""
        with self.condition:
            self._unblocked = True
            self.condition.notify_all()

    def ended(self) -> None:
        """Nothing more will come; what is pending stays."""
        with self.condition:
            self.over = True
            self.condition.notify_all()

    def _put(self, key: Key, old: bytes | None, new: bytes | None, inferred: bool) -> None:
        seen = True
        if key in self.replay:
            # Not shown yet: the replay shows the newer state, or nothing.
            del self.replay[key]
            old, seen = None, False
            if new is None:
                return
        steps = self._steps.get(key)
        if steps is None:
            self._steps[key] = [Step(key, old, new, inferred, seen and old is not None)]
            self._count += 1
            return
        last = steps[-1]
        if self._overflow == "block":
            steps.append(Step(key, old, new, inferred, True))
            self._count += 1
        elif last.new is None:
            # Deleted, and made anew before anybody saw it go.
            steps.append(Step(key, None, new, inferred, False))
            self._count += 1
        elif new is not None:
            steps[-1] = last._replace(new=new)
        elif len(steps) == 2:
            # The one in between came and went unseen.
            steps.pop()
            self._count -= 1
        else:
            # Its last state is the one that was pending.
            steps[-1] = Step(key, last.new, None, inferred, last.seen)

    def _shrink(self) -> None:
        if self._overflow == "resync":
            self.replay.clear()
            self._steps.clear()
            self._count = 0
            self._overflowed = True
        elif self._overflow == "coalesce":
            # What is there is bounded by the store, and so is what was seen of it. What came and
            # went unseen is not; nobody misses it.
            for key in [key for key, steps in self._steps.items()
                        if steps[0].new is None and not steps[0].seen]:
                self._steps[key].pop(0)
                self._count -= 1
                if not self._steps[key]:
                    del self._steps[key]

    # For the subscriber; with the condition held.

    def take(self, busy: set[Key]) -> Step | None:
        """Take the next step of an object that no thread has in hand."""
        if self.closed:
            return None
        if self._overflowed:
            self._overflowed = False
            return Step(None, None, None)
        for key in self.replay:
            if key not in busy:
                return Step(key, None, self.replay.pop(key))
        for key, steps in self._steps.items():
            if key not in busy:
                step = steps.pop(0)
                if not steps:
                    del self._steps[key]
                self._count -= 1
                if self._overflow == "block":
                    self.condition.notify_all()
                return step
        return None

    def close(self) -> None:
        """Drop everything, and let go of whoever waits."""
        with self.condition:
            self.closed = True
            self.replay.clear()
            self._steps.clear()
            self._count = 0
            self.condition.notify_all()

    def abandon(self) -> None:
        """Be forgotten: like `close`, but without a lock, since it may interrupt anything."""
        self.closed = True
