"""Subscriptions: what threads wait on, fed by the writer, read at each subscriber's own pace."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Union

from kube_reflect._core import Core, checked_timeout
from kube_reflect._entries import Key, head_of
from kube_reflect._pending import OVERFLOWS, Pending, Step
from kube_reflect.object_ref import ObjectRef

if TYPE_CHECKING:
    from kube_reflect.store import Store

__all__ = ["Applied", "Change", "Deleted", "Resync", "Subscription"]

K = TypeVar("K")

_UNREAD: Any = object()


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
    thread at a time: until that thread takes again (or ends), its later changes wait.

    Made by `Writer.subscribe` and `Reflector.subscribe`.

    :param core: what to subscribe to.
    :param buffer_size: pending changes at which the subscriber counts as slow.
    :param overflow: what then happens: ``coalesce`` keeps the newest state of each object, and
        every deletion of what the subscriber has seen; ``block`` has the writer wait, and the
        store with it, so that it falls behind the cluster as far as the subscriber does;
        ``resync`` drops all that is pending, and the subscriber gets a `Resync` and a replay.
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
        #: Which object each thread has in hand; guarded by the lock of `_pending`.
        self._in_hand: dict[threading.Thread, Key] = {}
        self._pending = self._cut(None)
        # Whoever forgets a subscription does not feed it for ever. (It must not take a lock: it
        # may run in the middle of anything.)
        self._finalizer = weakref.finalize(self, self._pending.abandon)

    def _cut(self, old: Pending | None) -> Pending:
        """Begin anew: a replay of what is there at this moment, and all changes after it."""
        core = self._core
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
        me = threading.current_thread()
        while True:
            pending = self._pending
            with pending.condition:
                self._in_hand.pop(me, None)
                busy = self._busy()
                step = pending.take(busy)
                if step is None:
                    if pending.closed or (pending.over and not pending):
                        pending.condition.notify_all()
                        return None
                    left = None if deadline is None else deadline - time.monotonic()
                    if left is not None and left <= 0:
                        raise TimeoutError(f"no change within {timeout:g} s")
                    # A thread may die with an object in hand, and nobody would say so.
                    pending.condition.wait(left if not busy else min(left or 0.5, 0.5))
                    continue
                if step.key is not None:
                    self._in_hand[me] = step.key
                    # Changes of what is put down may be waited for.
                    pending.condition.notify_all()
                    return self._change(step)
            self._resync(pending)
            return Resync()

    def _busy(self) -> set[Key]:
        for thread in [one for one in self._in_hand if not one.is_alive()]:
            del self._in_hand[thread]
        return set(self._in_hand.values())

    def _resync(self, old: Pending) -> None:
        self._finalizer.detach()
        self._pending = self._cut(old)
        self._finalizer = weakref.finalize(self, self._pending.abandon)
        if old.closed:
            self._pending.close()

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
        while (change := self.get()) is not None:
            yield change

    def objects(self) -> Iterator[K]:
        """Iterate the objects that are there or have changed; deletions are passed over."""
        for change in self:
            if isinstance(change, Applied):
                yield change.object

    def close(self) -> None:
        """End it, at once, for all who wait on it; from any thread, any number of times."""
        self._pending.close()

    def __enter__(self) -> Subscription[K]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self.close()
