"""The changes that one subscriber has not taken yet."""

from __future__ import annotations

import enum
import functools
import threading
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

from kube_reflect.events import Reason
from kube_reflect.ground.locks import Deadline, Waiters
from kube_reflect.ground.objects import Key
from kube_reflect.store import Delta, Entry

__all__ = ["LOOK_AGAIN", "OVERFLOWS", "Pending", "State", "Step", "Taken"]

OVERFLOWS = ("coalesce", "block", "resync")

#: Seconds after which a thread that waits looks by itself whether there is something for it: who
#: was to say so may have been interrupted, may be forgotten, or may have ended.
LOOK_AGAIN = 0.5


class State(enum.Enum):
    """What the subscriber is given next."""

    #: A `Resync`, and then as in `CHANGES`.
    RESYNC = "a resync is due"
    #: What the replay has still to show, and then the steps.
    CHANGES = "changes"
    #: Nothing: too much was missed, and another `Pending` is to take the place of this one.
    OVERFLOWED = "overflowed"
    #: Nothing any more. No other state follows: who sets one looks first, without a call between.
    CLOSED = "closed"


class Step(NamedTuple):
    """An object's way from what the subscriber saw last to what is there now.

    :param key: which object; None for a resync.
    :param old: as the subscriber saw it last, or would have; None: it was not there.
    :param new: as it is now; None: gone.
    :param reason: why it is gone.
    :param seen: whether the subscriber knows of it.
    """

    key: Key | None
    old: Entry | None
    new: Entry | None
    reason: Reason | None = None
    seen: bool = True


@dataclass(eq=False, slots=True)
class Taken:
    """A step that a thread is working on: nobody else gets another one of the object.

    :param thread: which has it.
    :param pending: where it is from.
    :param loop: in which the thread has it; None: it has it until it takes again.
    :param returned: set in the last moment before the subscriber has it; else, the step goes back.
    """

    thread: threading.Thread
    step: Step
    pending: Pending
    loop: weakref.ref[Any] | None
    returned: bool = False

    @property
    def is_left(self) -> bool:
        """Whether the thread has left its loop, or has ended."""
        return (self.loop is not None and self.loop() is None) or not self.thread.is_alive()


#: What threads are working on, by object; None for a resync.
Processing = dict["Key | None", Taken]


class Pending:
    """Coalesces, counts, and keeps order; a `Listener`, for one subscription.

    The writer's thread puts (and waits here only if the subscriber asked for ``block``); the
    subscriber's threads take. ``lock`` guards all of it; it is held briefly, and no other lock is
    taken under it.

    An exception may interrupt any of these threads at any call. So each change is computed first,
    and then made by stores alone, with no call between them: all of them are made, or none is.

    :param lock: of the subscription, whose `Pending`s share it.
    :param waiters: the subscriber's threads that wait for a change.
    :param processing: what these threads are working on.
    :param owner: the subscription; who forgets it does not feed it for ever.
    :param size: steps at which the subscriber counts as slow.
    :param overflow: what then happens.
    :param lasting: whether it goes on when a writer begins again that had ended.
    """

    def __init__(self, lock: Any, waiters: Waiters, processing: Processing,
                 owner: weakref.ref[Any], size: int, overflow: str,
                 lasting: bool = False) -> None:
        self._lock = lock
        self._waiters = waiters
        self._processing = processing
        self._owner = owner
        self._size = size
        # Shrinking looks at all that is pending, so it waits until that has doubled.
        self._shrink_at = size
        self._overflow = overflow
        self._lasting = lasting
        self.state = State.CHANGES
        #: Whether the writer has ended, for good; what is pending stays.
        self.writer_ended = False
        #: Counts what may be of interest to a thread that waits.
        self.news = 0
        #: Changes that were coalesced with others, or dropped.
        self.dropped = 0
        # What the replay has still to show.
        self._replay: dict[Key, Entry] = {}
        # At most two steps an object (unless it blocks): the end of one, the beginning of the
        # next. The count is of all steps.
        self._steps: OrderedDict[Key, tuple[Step, ...]] = OrderedDict()
        self._count = 0
        #: The last number of each writer.
        self._last_numbers: dict[int, int] = {}
        # Whether the writer may be kept waiting, and where it waits.
        self._may_block = overflow == "block"
        self._room = Waiters()

    def __repr__(self) -> str:
        ended = ", the writer has ended" if self.writer_ended else ""
        return f"<Pending {self.state.value}, {len(self)} pending, {self.dropped} dropped{ended}>"

    def __len__(self) -> int:
        return len(self._replay) + self._count + (self.state is State.RESYNC)

    def __bool__(self) -> bool:
        """Return whether there is something, or will be once another one has its place."""
        return self.state is State.OVERFLOWED or len(self) > 0

    def __contains__(self, key: object) -> bool:
        return key in self._steps or key in self._replay

    def begin(self, replay: dict[Key, Entry]) -> None:
        """Show first what was there when it began to be told of changes."""
        with self._lock:
            if self.state is State.OVERFLOWED:
                # It was told of too many since then: a resync comes before all.
                return
            for key, steps in list(self._steps.items()):
                there = replay.pop(key, None)
                if there is not None:
                    # It has changed since.
                    self._steps[key] = self._joined((_shown(key, there), *steps))
            self._replay = replay
            self._count = sum(map(len, self._steps.values()))

    def successor(self) -> Pending:
        """Return one that begins with a resync, to take the place of this one."""
        new = Pending(self._lock, self._waiters, self._processing, self._owner, self._size,
                      self._overflow, self._lasting)
        new.state = State.RESYNC
        new.dropped = self.dropped
        new._may_block = self._may_block
        return new

    # For the writer.

    def is_over(self) -> bool:
        """Return whether there is no point in telling it anything more."""
        return self.state is State.CLOSED or self.writer_ended or self._owner() is None

    def changed(self, delta: Delta) -> bool:
        """Add a change; return False if that is of no use to anybody."""
        while True:
            with self._lock:
                if self.is_over():
                    if self.state is State.CLOSED or self._owner() is None:
                        self._clear_locked()
                    return False
                if delta.number <= self._last_numbers.get(delta.writer, 0):
                    # It was told before, by a thread that was then interrupted.
                    break
                if not self._is_full():
                    if self.state is not State.OVERFLOWED:
                        self._put_locked(delta)
                    break
            self._room.wait_for(lambda: self.is_over() or not self._is_full(),
                                Deadline(LOOK_AGAIN))
        self._waiters.notify()
        return True

    def unblock(self, unblocked: bool = True) -> None:
        """Let the writer go on, whoever is slow; or, with False, have it wait again."""
        self._may_block = self._overflow == "block" and not unblocked
        self._room.notify()

    def ended(self) -> None:
        """Note that the writer has ended; what is pending stays."""
        # Without the lock, for a close may not wait for one. First the state, so that a thread that
        # misses this count, since another adds to it at the same moment, has seen the state.
        self.writer_ended = not self._lasting
        self.news += 1
        self._room.notify()
        self._waiters.notify()

    def _is_full(self) -> bool:
        return self._may_block and self._count >= self._size

    def _put_locked(self, delta: Delta) -> None:
        key = delta.key
        step = Step(key, delta.old, delta.new, delta.reason, delta.old is not None)
        shown = self._replay.get(key)
        before = self._steps.get(key, ())
        after = self._joined((*before, step) if shown is None else (_shown(key, shown), step))
        grown = len(after) - len(before)
        dropped = 1 - grown if shown is None else 2 - grown
        # No calls from here …
        self._steps[key] = after
        if shown is not None:
            del self._replay[key]
        self._count += grown
        self.dropped += dropped
        self._last_numbers[delta.writer] = delta.number
        self.news += 1
        # … to here.
        if self._count > self._shrink_at:
            self._shrink_locked()
            self._shrink_at = max(self._size, 2 * self._count)

    def _joined(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        """Return an object's steps, joined to as few as the subscriber is to have."""
        if self._overflow == "block":
            return steps
        return functools.reduce(_coalesced, steps, ())

    def _shrink_locked(self) -> None:
        if self._overflow == "resync":
            self.overflow_locked()
        elif self._overflow == "coalesce":
            # What is there is bounded by the store, and so is what was seen of it. What came and
            # went unseen is not; nobody misses it.
            for key, steps in list(self._steps.items()):
                if steps[0].new is None and not steps[0].seen:
                    self._remove_locked(steps[0])
                    self.dropped += 1

    def overflow_locked(self) -> None:
        """Drop everything; a resync is to follow."""
        dropped = self._count
        self._clear_locked()
        self.dropped += dropped
        self.news += 1
        if self.state is not State.CLOSED:
            self.state = State.OVERFLOWED

    def _clear_locked(self) -> None:
        self._replay, self._steps, self._count = {}, OrderedDict(), 0

    # For the subscriber.

    def take_locked(self, loop: weakref.ref[Any] | None = None) -> Taken | None:
        """Remove and return the next step of an object that no thread is working on."""
        if self.state is State.CLOSED:
            self._clear_locked()
        step = self._first_locked()
        if step is None:
            return None
        # First it is written down, and then removed: who is interrupted in between has it twice,
        # and `_put_back_locked` sees that.
        taken = Taken(threading.current_thread(), step, self, loop)
        self._processing[step.key] = taken
        self._remove_locked(step)
        if self._overflow == "block":
            self._room.notify()
        return taken

    def _first_locked(self) -> Step | None:
        if self._is_processed(None):
            # Nothing comes before the resync, which may yet be put back.
            return None
        if self.state is State.RESYNC:
            return Step(None, None, None)
        if self._replay:
            if not isinstance(self._replay, OrderedDict):
                # To take the first key of a plain dict again and again would pass by all that were
                # removed before. It is made only now, because most are never taken one by one.
                self._replay = OrderedDict(self._replay)
            for key in self._replay:
                if not self._is_processed(key):
                    return _shown(key, self._replay[key])
        for key, steps in self._steps.items():
            if not self._is_processed(key):
                return steps[0]
        return None

    def _is_processed(self, key: Key | None) -> bool:
        # `settle_locked` comes before, so that these are of threads that live.
        taken = self._processing.get(key)
        return taken is not None and not (key is None and taken.returned)

    def _remove_locked(self, step: Step) -> None:
        # No calls in here.
        key = step.key
        if key is None:
            if self.state is State.RESYNC:
                self.state = State.CHANGES
        elif key in self._replay:
            del self._replay[key]
        else:
            rest = self._steps[key][1:]
            if rest:
                self._steps[key] = rest
            else:
                del self._steps[key]
            self._count -= 1

    def settle_locked(self) -> bool:
        """Let others have what this thread, or one that has left it, was working on.

        What was never returned is put back. Returns whether somebody may be waiting for it.
        """
        me, before = threading.current_thread(), self.news
        for key, taken in list(self._processing.items()):
            if taken.thread is not me and not taken.is_left:
                continue
            if not taken.returned and taken.pending is self and self.state in (
                    State.RESYNC, State.CHANGES):
                self._put_back_locked(taken.step)
                self.news += 1
            elif key in self:
                # This thread may take another object.
                self.news += 1
            self._processing.pop(key, None)
        return self.news != before

    def _put_back_locked(self, step: Step) -> None:
        key = step.key
        if key is None:
            if self.state is State.CHANGES:
                self.state = State.RESYNC
            return
        rest = self._steps.get(key, ())
        if key in self._replay or (rest and rest[0] is step):
            # It was written down, and not removed yet.
            return
        steps = self._joined((step, *rest))
        grown = len(steps) - len(rest)
        self._steps[key] = steps
        self._count += grown

    def close_locked(self) -> None:
        """Show nothing more.

        It may interrupt `take_locked` (in a signal handler), so what is pending is dropped later.
        """
        self.state = State.CLOSED
        self.news += 1
        self._room.notify()

    def after_fork(self, waiters: Waiters, processing: Processing) -> None:
        """Begin with a resync in a child process: the parent's threads take from the parent's."""
        self._waiters = waiters
        self._processing = processing
        self._room = Waiters()
        if not self.is_over():
            self.overflow_locked()


def _shown(key: Key | None, entry: Entry) -> Step:
    """Return the step in which a replay shows an object."""
    return Step(key, None, entry, None, False)


def _coalesced(steps: tuple[Step, ...], step: Step) -> tuple[Step, ...]:
    """Return an object's steps with one more, in at most two: its end, and the next beginning."""
    if not steps:
        return (step,)
    key, last = step.key, steps[-1]
    if last.new is None:
        if step.new is None:
            # The short life of another one, which nobody has seen begin.
            return steps
        # Deleted, and made anew before anybody saw it go.
        return (*steps, _shown(key, step.new))
    if step.new is not None:
        return (*steps[:-1], Step(key, last.old, step.new, None, last.seen))
    if len(steps) == 2:
        # The one in between came and went unseen.
        return steps[:-1]
    # Its last state is the one that was pending.
    return (Step(key, last.new, None, step.reason, last.seen),)
