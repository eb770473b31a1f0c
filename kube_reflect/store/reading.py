"""The read methods, the same for a Store that moves on and a Snapshot that does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from kube_reflect.ground.objects import Key
from kube_reflect.object_ref import ObjectRef
from kube_reflect.selector import Selector, parse
from kube_reflect.store.cache import Cache
from kube_reflect.store.entry import Entry
from kube_reflect.store.table import Group, Table

__all__ = ["Reads", "find"]

K = TypeVar("K")
T = TypeVar("T")


class Reads(Generic[K]):
    """The read methods over the entries that a subclass gives, those of one moment.

    All of them may be called from any thread. None waits for the network, and none calls user
    code or decodes while it holds a lock.
    """

    _cache: Cache

    def _entries(self) -> Group:
        """Return the entries as they are, or go on to change; without a lock."""
        raise NotImplementedError

    def _index_names(self) -> Iterable[str]:
        raise NotImplementedError

    def _cut(self, choose: Callable[[Table], T]) -> T:
        """Return what is chosen from the table of one moment."""
        raise NotImplementedError

    def _admit(self, namespace: str | None = None) -> None:
        """Raise or wait if there is nothing to read yet, in a namespace or at all."""

    def _key(self, ref: Any, namespace: str | None) -> Key:
        if isinstance(ref, ObjectRef):
            if ref.namespace is not None and namespace not in (None, ref.namespace):
                raise ValueError(f"{ref} is not in namespace {namespace!r}")
            resource, mine = ref.resource, self._cache.resource
            if resource is not mine and resource is not None and mine is not None and (
                    resource.group, resource.version, resource.kind) != (
                    mine.group, mine.version, mine.kind):
                # Of another kind: no object here has an empty name.
                return None, ""
            return ref.namespace or namespace, ref.name
        if isinstance(ref, str):
            return namespace, str(ref)
        raise TypeError(f"an ObjectRef or a name is needed, not {ref!r}")

    def state(
        self,
        *,
        namespace: str | None = None,
        labels: str | Mapping[str, str] | Selector | None = None,
        where: Callable[[K], object] | None = None,
    ) -> list[K]:
        """List the objects of one moment, in no particular order.

        Costs a copy of a list of pointers where all have been read before; what has not is
        decoded, once.

        :param namespace: only of this namespace; the others cost nothing.
        :param labels: only what this label selector selects, given in the API server's grammar
            or as a mapping of required values; nothing is decoded for it.
        :param where: only those for which it is true; called for each that is left. An object
            that the model refused, or with a field that cannot be read, and that it reads, is
            left out, counted and logged.
        :raises ValueError: for a selector that does not parse.
        :raises TypeError: for a ``where`` that cannot be called.
        :raises NotReady: before the first complete list, if the cache is to say so.
        """
        if where is not None:
            _check_callable("where", where)
        selector = parse(labels) if labels is not None else None
        self._admit(namespace)
        if namespace is None:
            if not selector:
                return self._where(self._all(), where)
            entries = self._some(lambda table: table.entries)
        else:
            chosen = namespace
            entries = self._some(lambda table: table.namespaces.get(chosen, {}))
        if selector:
            entries = [entry for entry in entries if selector.matches(entry.labels)]
        return self._where(self._decoded(entries), where)

    def by_index(self, name: str, value: Any) -> list[K]:
        """List the objects that an index has under a value; costs nothing for the others.

        :param name: of the index, as given in ``indexers``.
        :raises ValueError: for an index that there is not.
        :raises TypeError: for a value that cannot be hashed: no object can have it.
        :raises NotReady: before the first complete list, if the cache is to say so.
        """
        self._check_index(name)
        try:
            hash(value)
        except TypeError:
            raise TypeError(f"a value of an index must be hashable: {value!r}") from None
        self._admit()
        return self._decoded(self._some(lambda table: table.indexes[name].get(value, {})))

    def index_values(self, name: str) -> list[Any]:
        """List the values under which an index has objects.

        :raises ValueError: for an index that there is not.
        """
        self._check_index(name)
        self._admit()
        return self._cut(lambda table: list(table.indexes[name]))

    def _check_index(self, name: str) -> None:
        names = self._index_names()
        if name not in names:
            raise ValueError(f"there is no index {name!r}; there are: "
                             + (", ".join(sorted(names)) or "none"))

    def find(self, predicate: Callable[[K], object]) -> K | None:
        """Return some object for which the predicate is true, or None.

        Decodes one object after the other until then.

        :raises TypeError: for a predicate that cannot be called.
        :raises NotReady: before the first complete list, if the cache is to say so.
        """
        _check_callable("predicate", predicate)
        self._admit()
        for entry in list(self._entries().values()):
            found = self._where(self._decoded([entry]), predicate)
            if found:
                return found[0]
        return None

    def keys(self) -> list[ObjectRef]:
        """List what is there, without decoding anything.

        :raises NotReady: before the first complete list, if the cache is to say so.
        """
        self._admit()
        return [self._cache.ref(key) for key in list(self._entries())]

    # Below, one load of the entries, and then one operation of their dict, which is atomic.

    def is_empty(self) -> bool:
        """Return whether there are no objects (also: not yet)."""
        return not self._entries()

    def __len__(self) -> int:
        return len(self._entries())

    def __bool__(self) -> bool:
        # An empty cache is a cache; without this, len() would decide.
        return True

    def __contains__(self, ref: object) -> bool:
        if not isinstance(ref, (str, ObjectRef)):
            return False
        return find(self._entries(), self._key(ref, None)) is not None

    def __iter__(self) -> Iterator[K]:
        return iter(self.state())

    def _some(self, choose: Callable[[Table], Group]) -> list[Entry]:
        return self._cut(lambda table: list(choose(table).values()))

    def _all(self) -> list[K]:
        # One call of C, and so of one moment.
        return self._decoded(list(self._entries().values()))

    def _decoded(self, entries: Iterable[Entry]) -> list[Any]:
        """Return the objects of entries; what cannot be parsed is left out. Without a lock."""
        read = self._cache.read
        return [value for entry in entries
                if (value := entry.decoded) is not None or (value := read(entry)) is not None]

    def _where(self, values: list[K], where: Callable[[K], object] | None) -> list[K]:
        if where is None:
            return values
        holds = self._cache.decoder.holds
        return [value for value in values if holds(where, value)]


def find(entries: Group, key: Key) -> Entry | None:
    """Return the entry of a key, or of one without a namespace, whatever the caller named."""
    entry = entries.get(key)
    return entry if entry is not None else entries.get((None, key[1]))


def _check_callable(name: str, function: object) -> None:
    if not callable(function):
        raise TypeError(f"{name} must be a function of an object: {function!r}")
