"""What a subscriber is given: `Applied`, `Deleted`, `Resync`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar, Union

from kube_reflect.events import Reason
from kube_reflect.object_ref import ObjectRef
from kube_reflect.store import Cache, Entry

__all__ = ["Applied", "Change", "Deleted", "Lazy", "Resync"]

K = TypeVar("K")

_UNREAD: Any = object()


class Lazy:
    """One state of an object, which is decoded when somebody asks for it."""

    __slots__ = ("_cache", "_entry", "_value")

    def __init__(self, cache: Cache, entry: Entry) -> None:
        self._cache = cache
        self._entry = entry
        self._value: Any = _UNREAD

    def get(self) -> Any:
        """Return the object; the same one each time."""
        # Two threads may both read it; where readers share objects, they get the same one.
        if self._value is _UNREAD:
            self._value = self._cache.read(self._entry)
        return self._value

    def ref(self) -> ObjectRef:
        """Return which object it is; decodes nothing."""
        return self._cache.ref(self._entry)


class _Change(Generic[K]):
    """What `Applied` and `Deleted` have in common."""

    __slots__ = ("_new", "_ref")
    __match_args__: ClassVar[tuple[str, ...]]
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, object: K) -> None:
        self._new: Any = object
        self._ref: ObjectRef | None = None

    @property
    def object(self) -> K:
        """The object: as it is now, or as it was last seen."""
        return _read(self._new)  # type: ignore[no-any-return]

    @property
    def ref(self) -> ObjectRef:
        """Which object it is; decodes nothing."""
        if self._ref is None:
            new = self._new
            self._ref = new.ref() if isinstance(new, Lazy) else ObjectRef.from_object(new)
        return self._ref

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, type(self)) and all(
            getattr(self, name) == getattr(other, name) for name in self.__match_args__)


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
        return _read(self._old)  # type: ignore[no-any-return]

    @property
    def is_new(self) -> bool:
        """Whether this subscriber has not seen the object before; decodes nothing."""
        return self._old is None

    def __repr__(self) -> str:
        return f"Applied({self.ref}{', new' if self._old is None else ''})"

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _restored, (Applied, self.ref, self.object, self.old)


class Deleted(_Change[K]):
    """An object is gone from the cache.

    It may be one that came and went before the subscriber took it: do not count on having seen
    an `Applied` of it.

    :param object: as it was last seen.
    :param inferred: no event told that it is gone.
    :param reason: why it is gone; an object may live on outside of the cache, see `Reason`. By
        default what `inferred` says: deleted, or missing from a list.
    """

    __slots__ = ("inferred", "reason")
    __match_args__ = ("object", "inferred")

    def __init__(self, object: K, inferred: bool = False, reason: Reason | None = None) -> None:
        super().__init__(object)
        self.inferred = inferred
        self.reason = reason or (Reason.RELISTED if inferred else Reason.DELETED)

    def __repr__(self) -> str:
        is_plain = self.reason in (Reason.DELETED, Reason.RELISTED)
        return (f"Deleted({self.ref}{', inferred' if self.inferred else ''}"
                f"{'' if is_plain else f', {self.reason.value}'})")

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _restored, (Deleted, self.ref, self.object, self.inferred, self.reason)


@dataclass(frozen=True)
class Resync:
    """Too much was missed: forget what you know, all that is there follows."""

    __slots__ = ()


Change = Union[Applied[K], Deleted[K], Resync]


def _read(state: Any) -> Any:
    return state.get() if isinstance(state, Lazy) else state


def _restored(kind: type[Any], ref: ObjectRef, *arguments: Any) -> Any:
    """Make a change anew that was copied or pickled; the copy knows no cache."""
    change = kind(*arguments)
    change._ref = ref
    return change
