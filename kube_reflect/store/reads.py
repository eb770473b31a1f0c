"""The read methods, the same for a Store that moves on and a Snapshot that does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import repeat
from operator import is_not
from typing import Any, Generic, TypeVar

from kube_reflect.store.core import Core
from kube_reflect.store.entries import Key, head_of
from kube_reflect.store.table import Table
from kube_reflect.object_ref import ObjectRef
from kube_reflect.selector import Selector, parse

__all__ = ["Reads"]

K = TypeVar("K")

#: A cut through a table: keys, their packed objects, and what is decoded of them (None: not yet).
Rows = tuple[list[Key], list[bytes], list[Any]]


def _are_decoded(values: Iterable[Any]) -> bool:
    """Whether none of them is missing."""
    # In C; and not by `in`, which compares, and so calls code of the models.
    return all(map(is_not, values, repeat(None)))


def _check_callable(name: str, function: object) -> None:
    if not callable(function):
        raise TypeError(f"{name} must be a function of an object: {function!r}")


class Reads(Generic[K]):
    """The read methods over the rows that a subclass cuts, consistently, out of a table.

    All of them may be called from any thread. None waits for the network, and none calls user
    code or decodes while it holds a lock.
    """

    _core: Core

    def _cut_all(self) -> Rows | list[Any]:
        """Give all rows of one moment; or the objects themselves, if all are decoded."""
        raise NotImplementedError

    def _cut(self, choose: Callable[[Table], Mapping[Key, None]]) -> Rows:
        """Give the rows of one moment whose keys are chosen."""
        raise NotImplementedError

    def _pick(self, key: Key) -> tuple[Table, bytes] | None:
        raise NotImplementedError

    def _table(self) -> Table:
        raise NotImplementedError

    def _all_keys(self) -> list[Key]:
        raise NotImplementedError

    def _get_packed(self, key: Key) -> K | None:
        picked = self._pick(key)
        if picked is None:
            # It may be an object without a namespace, whatever the caller named.
            key = (None, key[1])
            picked = self._pick(key)
            if picked is None:
                return None
        table, packed = picked
        value = table.decoded.get(key)
        if value is None:
            value = self._decoded([key], [packed], [None])[0]
        return value  # type: ignore[no-any-return]

    def _key(self, ref: Any, namespace: str | None) -> Key:
        if isinstance(ref, ObjectRef):
            if ref.namespace is not None and namespace not in (None, ref.namespace):
                raise ValueError(f"{ref} is not in namespace {namespace!r}")
            resource = self._core.resource
            if ref.resource is not None and resource is not None and (
                    ref.resource.group, ref.resource.version, ref.resource.kind) != (
                    resource.group, resource.version, resource.kind):
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
        where: Callable[[K], bool] | None = None,
    ) -> list[K]:
        """List the objects of one moment, in no particular order.

        Costs a copy of a list of pointers where all have been read before; what has not is
        decoded, once.

        :param namespace: only of this namespace; costs nothing for the others.
        :param labels: only what this label selector selects, given in the API server's grammar
            or as a mapping of required values; nothing is decoded for it.
        :param where: only those for which it is true; called for each that is left.
        :raises ValueError: for a selector that does not parse.
        :raises TypeError: for a ``where`` that cannot be called.
        """
        if where is not None:
            _check_callable("where", where)
        selector = parse(labels) if labels is not None else None
        if namespace is None:
            rows = self._cut_all()
            if isinstance(rows, list):
                if not selector and self._core.sharing:
                    return [item for item in rows if where(item)] if where else rows
                rows = self._cut(lambda cut: dict.fromkeys(cut.packed))
        else:
            chosen = namespace
            rows = self._cut(lambda cut: cut.namespaces.get(chosen, {}))
        return self._filtered(rows, selector, where)

    def by_index(self, name: str, value: Any) -> list[K]:
        """List the objects that an index has under a value; costs nothing for the others.

        :param name: of the index, as given in ``indexers``.
        :raises ValueError: for an index that there is not.
        :raises TypeError: for a value that cannot be hashed: no object can have it.
        """
        self._check_index(name)
        try:
            hash(value)
        except TypeError:
            raise TypeError(f"a value of an index must be hashable: {value!r}") from None
        rows = self._cut(lambda cut: cut.indexes[name].get(value, {}))
        return self._filtered(rows, None, None)

    def index_values(self, name: str) -> list[Any]:
        """List the values under which an index has objects.

        :raises ValueError: for an index that there is not.
        """
        self._check_index(name)
        return self._values(name)

    def _values(self, name: str) -> list[Any]:
        raise NotImplementedError

    def _check_index(self, name: str) -> None:
        names = self._table().indexes
        if name not in names:
            raise ValueError(f"there is no index {name!r}; there are: "
                             + (", ".join(sorted(names)) or "none"))

    def find(self, predicate: Callable[[K], bool]) -> K | None:
        """Give some object for which the predicate is true, or None.

        Decodes one object after the other until then.

        :raises TypeError: for a predicate that cannot be called.
        """
        _check_callable("predicate", predicate)
        rows = self._cut(lambda cut: dict.fromkeys(cut.packed))
        for key, packed, value in zip(*rows):
            if value is None:
                value = self._decoded([key], [packed], [None])[0]
            if predicate(value):
                return value  # type: ignore[no-any-return]
        return None

    def keys(self) -> list[ObjectRef]:
        """List what is there, without decoding anything."""
        core = self._core
        return [core.ref(key) for key in self._all_keys()]

    # Below, one load of the table, and then one operation of its dict, which is atomic: no lock.

    def is_empty(self) -> bool:
        """Whether there are no objects (also: not yet)."""
        return not self._table().packed

    def __len__(self) -> int:
        return len(self._table().packed)

    def __bool__(self) -> bool:
        # An empty cache is a cache; without this, len() would decide.
        return True

    def __contains__(self, ref: object) -> bool:
        if not isinstance(ref, (str, ObjectRef)):
            return False
        key, packed = self._key(ref, None), self._table().packed
        return key in packed or (None, key[1]) in packed

    def __iter__(self) -> Iterator[K]:
        return iter(self.state())

    def _filtered(self, rows: Any, selector: Selector | None,
                  where: Callable[[K], bool] | None) -> list[K]:
        keys, packed, decoded = rows
        if selector:
            kept = [position for position, entry in enumerate(packed)
                    if selector.matches(head_of(entry).labels)]
            keys = [keys[position] for position in kept]
            packed = [packed[position] for position in kept]
            decoded = [decoded[position] for position in kept]
        values = self._decoded(keys, packed, decoded)
        return [value for value in values if where(value)] if where else values

    def _decoded(self, keys: list[Key], packed: list[bytes], decoded: list[Any]) -> list[Any]:
        """Decode what has not been, and share it; without a lock but for the sharing."""
        core = self._core
        if not core.sharing:
            return [core.read_alone(key, entry) for key, entry in zip(keys, packed)]
        if _are_decoded(decoded):
            return decoded
        fresh = {key: (entry, core.decode(key, entry))
                 for key, entry, value in zip(keys, packed, decoded) if value is None}
        shared = core.publish(fresh)
        return [shared[key] if value is None else value for key, value in zip(keys, decoded)]
