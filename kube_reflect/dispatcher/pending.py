"""The changes that one subscriber has not taken yet."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import NamedTuple

from kube_reflect import _locks
from kube_reflect.store.entries import Key

__all__ = ["OVERFLOWS", "Pending", "Step"]

OVERFLOWS = ("coalesce", "block", "resync")

#: Seconds after which a writer that waits looks whether its subscriber has been forgotten.
_FORGOTTEN = 0.5


class Step(NamedTuple):
    """An object's way from what the subscriber saw last to what is there now.

    :param key: which object; None for a resync.
    :param old: as the subscriber saw it last, or would have; None: it was not there.
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

    :param size: steps at which the subscriber counts as slow.
    :param overflow: what then happens.
    """

    def __init__(self, size: int, overflow: str) -> None:
        self.condition = threading.Condition(threading.RLock())
        self._size = size
        # Shrinking looks at all that is pending, so it waits until that has doubled.
        self._shrink_at = size
        self._overflow = overflow
        #: What the replay has still to show; packed objects by key.
        self.replay: dict[Key, bytes] = {}
        # Its order, by itself: to take the first of a dict, again and again, is to pass by all
        # that were taken. Made when first needed, since the replay is cut in the store's lock.
        self._order: deque[Key] | None = None
        #: At most two steps an object (unless it blocks): the end of one, the beginning of the
        #: next.
        self._steps: OrderedDict[Key, deque[Step]] = OrderedDict()
        self._count = 0
        self._overflowed = False
        self._unblocked = False
        self.over = False
        self.closed = False
        #: Its resync was taken: another one is about to take its place.
        self.spent = False
        _locks.register(self)

    fork_rank = 1

    def after_fork(self) -> None:
        """Make the lock anew, in a child process, and begin with a resync there.

        The fork may have caught the parent's threads half way; what they took is taken.
        """
        self.condition = threading.Condition(threading.RLock())
        self.spent = False
        if not self.is_over():
            self._overrun()

    def __bool__(self) -> bool:
        return bool(self.replay or self._steps or self._overflowed or self.spent)

    def __contains__(self, key: object) -> bool:
        return key in self._steps or key in self.replay

    def is_over(self) -> bool:
        """Whether there is no point in telling it anything more."""
        return self.closed or self.over

    # For the writer.

    def changed(self, key: Key, old: bytes | None, new: bytes | None, inferred: bool) -> bool:
        """Take note of a change; False if that is of no use to anybody."""
        with self.condition:
            if self._overflow == "block":
                while self._count >= self._size and not (self.is_over() or self._unblocked):
                    self.condition.wait(_FORGOTTEN)
            if self.is_over():
                if self.closed:
                    self._clear()
                return False
            if self._overflowed or self.spent:
                return True
            self._put(Step(key, old, new, inferred))
            if self._count > self._shrink_at:
                self._shrink()
                self._shrink_at = max(self._size, 2 * self._count)
            self.condition.notify()
            return True

    def unblock(self, unblocked: bool = True) -> None:
        """Have the writer wait for no subscriber any more; or, with False, do so again."""
        with self.condition:
            self._unblocked = unblocked
            self.condition.notify_all()

    def ended(self) -> None:
        """Nothing more will come; what is pending stays."""
        with self.condition:
            self.over = True
            self.condition.notify_all()

    def _put(self, step: Step) -> None:
        key, old, new, inferred = step.key, step.old, step.new, step.inferred
        assert key is not None
        shown = self.replay.pop(key, None)
        if shown is not None:
            # What the replay was to show comes first, if at all.
            self._append(Step(key, None, shown, False, False))
        steps = self._steps.get(key)
        if steps is None:
            self._append(Step(key, old, new, inferred, old is not None))
            return
        last = steps[-1]
        if self._overflow == "block":
            self._append(Step(key, old, new, inferred))
        elif last.new is None:
            # Deleted, and made anew before anybody saw it go.
            self._append(Step(key, None, new, inferred, False))
        elif new is not None:
            steps[-1] = last._replace(new=new)
        elif len(steps) == 2:
            # The one in between came and went unseen.
            steps.pop()
            self._count -= 1
        else:
            # Its last state is the one that was pending.
            steps[-1] = Step(key, last.new, None, inferred, last.seen)

    def _append(self, step: Step) -> None:
        assert step.key is not None
        self._steps.setdefault(step.key, deque()).append(step)
        self._count += 1

    def _shrink(self) -> None:
        if self._overflow == "resync":
            self._overrun()
        elif self._overflow == "coalesce":
            # What is there is bounded by the store, and so is what was seen of it. What came and
            # went unseen is not; nobody misses it.
            for key in [key for key, steps in self._steps.items()
                        if steps[0].new is None and not steps[0].seen]:
                self._remove_first(key)

    def _overrun(self) -> None:
        self._clear()
        self._overflowed = True

    def _clear(self) -> None:
        self.replay.clear()
        self._order = None
        self._steps.clear()
        self._count = 0

    # For the subscriber; with the condition held.

    def take(self, is_busy: Callable[[Key], bool]) -> Step | None:
        """Take the next step of an object that no thread has in hand."""
        if self.closed:
            self._clear()
            return None
        if self.spent:
            return None
        if self._overflowed:
            self._overflowed = False
            self.spent = True
            return Step(None, None, None)
        if self.replay and (step := self._take_replayed(is_busy)) is not None:
            return step
        for key in self._steps:
            if not is_busy(key):
                step = self._remove_first(key)
                if self._overflow == "block":
                    self.condition.notify_all()
                return step
        return None

    def _take_replayed(self, is_busy: Callable[[Key], bool]) -> Step | None:
        if self._order is None:
            self._order = deque(self.replay)
        for _ in range(len(self._order)):
            key = self._order.popleft()
            if key not in self.replay:
                # It has changed since, and is among the steps.
                continue
            if not is_busy(key):
                return Step(key, None, self.replay.pop(key))
            self._order.append(key)
        return None

    def _remove_first(self, key: Key) -> Step:
        steps = self._steps[key]
        step = steps.popleft()
        if not steps:
            del self._steps[key]
        self._count -= 1
        return step

    def close(self) -> None:
        """Show nothing more, and let go of whoever waits.

        It may interrupt `take` (in a signal handler), so what is pending is dropped later.
        """
        with self.condition:
            self.closed = True
            self.condition.notify_all()

    def abandon(self) -> None:
        """Be forgotten: like `close`, but without a lock, since it may interrupt anything."""
        self.closed = True
