"""Subscriptions: what threads wait on, fed by the writer, read at each subscriber's own pace."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Union

from kube_reflect import _locks
from kube_reflect.store.core import Core
from kube_reflect.store.readiness import checked_timeout
from kube_reflect.store.entries import Key, head_of
from kube_reflect.dispatcher.pending import OVERFLOWS, Pending, Step
from kube_reflect.object_ref import ObjectRef

if TYPE_CHECKING:
    from kube_reflect.store.store import Store

__all__ = ["Applied", "Change", "Deleted", "Resync", "Subscription"]

K = TypeVar("K")

_UNREAD: Any = object()
#: Seconds after which who waits for an object looks whether the thread that has it has ended.
_GONE = 0.5


class _Decoded:
    """One state of an object, decoded when somebody asks for it."""

    __slots__ = ("_core", "_key", "_packed", "_value")

    def __init__(self, core: Core, key: Key, packed: bytes) -> None:
        self._core = core
        self._key = key
        self._packed = packed
        self._value: Any = _UNREAD

    def get(self) -> Any:
        # Two threads may both decode; they then agree by `share`, or hold equal objects.
        if self._value is _UNREAD:
            self._value = self._core.share(self._key, self._packed)
        return self._value


class _Change(Generic[K]):
    """What `Applied` and `Deleted` have in common."""

    __slots__ = ("_new", "_ref")

    def __init__(self, object: K) -> None:
        self._new: Any = object
        self._ref: ObjectRef | None = None

    @property
    def object(self) -> K:
        """The object: as it is now, or as it was last seen."""
        new = self._new
        return new.get() if isinstance(new, _Decoded) else new  # type: ignore[no-any-return]

    @property
    def ref(self) -> ObjectRef:
        """Which object it is; decodes nothing."""
        if self._ref is None:
            self._ref = ObjectRef.from_object(self._new)
        return self._ref


class Applied(_Change[K]):
    """An object is there, or has changed.

    :param object: as it is now.
    :param old: as this subscriber saw it before; None for one it has not seen.
    """

    __slots__ = ("_old",)
    __match_args__ = ("object", "old")

    def __init__(self, object: K, old: K | None = None) -> None:
        super().__init__(object)
        self._old: Any = old

    @property
    def old(self) -> K | None:
        """The object as this subscriber saw it before; None for one it has not seen."""
        old = self._old
        return old.get() if isinstance(old, _Decoded) else old  # type: ignore[no-any-return]

    @property
    def is_new(self) -> bool:
        """Whether this subscriber has not seen the object before; decodes nothing."""
        return self._old is None

    def __eq__(self, other: object) -> bool:
        return (isinstance(other, Applied) and self.object == other.object
                and self.old == other.old)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Applied({self.ref}{', new' if self._old is None else ''})"


class Deleted(_Change[K]):
    """An object is gone.

    It may be one that came and went before the subscriber took it: do not count on having seen
    an `Applied` of it.

    :param object: as it was last seen.
    :param inferred: nobody told: a list did not have it any more, or another one has its name.
    """

    __slots__ = ("inferred",)
    __match_args__ = ("object", "inferred")

    def __init__(self, object: K, inferred: bool = False) -> None:
        super().__init__(object)
        self.inferred = inferred

    def __eq__(self, other: object) -> bool:
        return (isinstance(other, Deleted) and self.object == other.object
                and self.inferred == other.inferred)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Deleted({self.ref}{', inferred' if self.inferred else ''})"


class Resync:
    """Too much was missed: forget what you know, all that is there follows."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Resync)

    def __hash__(self) -> int:
        return hash(Resync)

    def __repr__(self) -> str:
        return "Resync()"


Change = Union[Applied[K], Deleted[K], Resync]


class Subscription(Generic[K]):
    """All that is there, and then each change, for one subscriber.

    Iterate it, or call `get`, from a thread of your own. It begins with an `Applied` for each
    object that is there (the replay), cut from the changes so that the two together are always
    the store: no gap, and nothing twice. It ends when it is closed; or when the writer ends, and
    what was pending has been taken.

    Several threads may take from one subscription, as from a work queue. An object is with one
    thread at a time: until that thread takes again, or leaves its loop, or ends, the later
    changes of the object wait.

    In a child process (`os.fork`) it goes on with a `Resync`.

    Made by `Writer.subscribe` and `Reflector.subscribe`.

    :param core: what to subscribe to.
    :param buffer_size: pending changes at which the subscriber counts as slow.
    :param overflow: what then happens: ``coalesce`` keeps the newest state of each object, and
        every deletion of what the subscriber has seen; ``block`` has the writer wait, and the
        store and all other subscribers with it, so that they fall behind the cluster as far as
        this one does (do not take from it in the writer's own thread); ``resync`` drops all that
        is pending, and the subscriber gets a `Resync` and a replay.
    :raises ValueError: for a buffer size below 1, or an unknown overflow.
    """

    def __init__(self, core: Core, store: Store[K], *, buffer_size: int = 1024,
                 overflow: str = "coalesce") -> None:
        if isinstance(buffer_size, bool) or not isinstance(buffer_size, int):
            raise TypeError(f"buffer_size must be an integer: {buffer_size!r}")
        if buffer_size < 1:
            raise ValueError(f"buffer_size must be 1 or more: {buffer_size}")
        if overflow not in OVERFLOWS:
            raise ValueError(f"overflow must be one of {', '.join(OVERFLOWS)}: {overflow!r}")
        self._core = core
        #: The cache that the changes are of.
        self.store = store
        self._buffer_size = buffer_size
        self._overflow = overflow
        #: Which thread has an object in hand; guarded by the lock of `_pending`.
        self._in_hand: dict[Key, threading.Thread] = {}
        self._pending = self._cut(None)
        # Whoever forgets a subscription does not feed it for ever. (It must not take a lock: it
        # may run in the middle of anything.)
        self._finalizer = weakref.finalize(self, self._pending.abandon)
        _locks.register(self)

    fork_rank = 2

    def after_fork(self) -> None:
        """Hear that this is a child process: only this thread has anything in hand."""
        me = threading.current_thread()
        self._in_hand = {key: one for key, one in self._in_hand.items() if one is me}

    def _cut(self, old: Pending | None) -> Pending:
        """Begin anew: a replay of what is there at this moment, and all changes after it."""
        core = self._core
        core.touch()
        pending = Pending(self._buffer_size, self._overflow)
        with core.lock.gen_wlock():
            pending.replay = core.table.packed.copy()
            core.listeners = (*(one for one in core.listeners
                                if one is not old and not one.is_over()), pending)
            ended = core.ended
        if ended:
            pending.ended()
        return pending

    def get(self, timeout: float | None = None) -> Change[K] | None:
        """Take the next change; None when there will be no more.

        :param timeout: seconds, or None to wait for as long as it takes.
        :raises TimeoutError: if there was none in time.
        """
        timeout = checked_timeout(timeout)
        deadline = None if timeout is None else time.monotonic() + timeout
        self._core.touch()
        while True:
            pending = self._pending
            with pending.condition:
                self._put_down(pending)
                step = pending.take(self._is_busy)
                if step is None:
                    if pending.closed or (pending.over and not pending):
                        pending.condition.notify_all()
                        return None
                    if pending is self._pending:
                        self._wait(pending, deadline, timeout)
                    continue
                if step.key is not None:
                    self._in_hand[step.key] = threading.current_thread()
                    return self._change(step)
            self._resync(pending)
            return Resync()

    def _wait(self, pending: Pending, deadline: float | None, timeout: float | None) -> None:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError(f"no change within {timeout:g} s")
        if pending:
            # What there is is in others' hands; a thread may end with it, and nobody would say so.
            left = _GONE if left is None else min(left, _GONE)
        pending.condition.wait(left)

    def _put_down(self, pending: Pending) -> None:
        """Let others have what this thread has in hand; in the lock of `pending`."""
        me = threading.current_thread()
        for key in [key for key, thread in self._in_hand.items()
                    if thread is me or not thread.is_alive()]:
            del self._in_hand[key]
            if key in pending:
                # This thread may take another object, and somebody may be waiting for this one.
                pending.condition.notify()

    def _is_busy(self, key: Key) -> bool:
        thread = self._in_hand.get(key)
        return thread is not None and thread.is_alive()

    def _resync(self, old: Pending) -> None:
        new = self._cut(old)
        finalizer = weakref.finalize(self, new.abandon)
        # In the old lock: who waits there looks whether there is a new one, and who closes the
        # old one looks too.
        with old.condition:
            self._pending = new
            self._finalizer.detach()
            self._finalizer = finalizer
            if old.closed:
                new.close()
            old.condition.notify_all()

    def _change(self, step: Step) -> Applied[K] | Deleted[K]:
        core, key = self._core, step.key
        assert key is not None
        change: Applied[K] | Deleted[K]
        if step.new is not None:
            change = Applied(_Decoded(core, key, step.new))  # type: ignore[arg-type]
            if step.old is not None:
                change._old = _Decoded(core, key, step.old)
        else:
            assert step.old is not None
            change = Deleted(_Decoded(core, key, step.old),  # type: ignore[arg-type]
                             step.inferred)
        change._ref = core.ref(key, head_of(step.new or step.old))  # type: ignore[arg-type]
        return change

    def __iter__(self) -> Iterator[Change[K]]:
        try:
            while (change := self.get()) is not None:
                yield change
        finally:
            # Who leaves the loop has nothing in hand any more.
            pending = self._pending
            with pending.condition:
                self._put_down(pending)

    def objects(self) -> Iterator[K]:
        """Iterate the objects that are there or have changed; deletions are passed over."""
        for change in self:
            if isinstance(change, Applied):
                yield change.object

    @property
    def is_over(self) -> bool:
        """Whether there will be no changes but those that are pending."""
        return self._pending.is_over()

    def close(self) -> None:
        """End it, at once, for all who wait on it; from any thread, any number of times."""
        _locks.renew()
        while True:
            pending = self._pending
            pending.close()
            if pending is self._pending:
                return

    def __enter__(self) -> Subscription[K]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self.close()
