"""The cache at one moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from kube_reflect.store.core import Core
from kube_reflect.store.entries import Key, head_of
from kube_reflect.store.reads import Reads, Rows
from kube_reflect.store.table import Table
from kube_reflect.object_ref import ObjectRef

__all__ = ["Snapshot", "rows_of"]

K = TypeVar("K")


class Snapshot(Reads[K]):
    """The cache at one moment, with the read methods of a `Store`; immutable, for any thread.

    Made by `Store.snapshot`. What it decodes is shared with the store where the object is still
    the same.
    """

    def __init__(self, core: Core, packed: dict[Key, bytes], decoded: dict[Key, Any],
                 resource_version: str | None, indexes: Iterable[str]) -> None:
        self._core = core
        self._view = Table(indexes)
        self._view.packed = packed
        # Grows, by what is read: `setdefault` is atomic, and has all readers share the first.
        self._view.decoded = decoded
        self._groups: Table | None = None
        #: The version of this moment.
        self.resource_version = resource_version

    def get(self, ref: ObjectRef | str, namespace: str | None = None) -> K | None:
        """Give the object of that name, or None, as `Store.get` does."""
        return self._get_packed(self._key(ref, namespace))

    def _table(self) -> Table:
        return self._view

    def _pick(self, key: Key) -> tuple[Table, bytes] | None:
        packed = self._view.packed.get(key)
        return None if packed is None else (self._view, packed)

    def _all_keys(self) -> list[Key]:
        return list(self._view.packed)

    def _grouped(self) -> Table:
        """Make the indexes, from the heads, when first asked for; two threads may both do it."""
        groups = self._groups
        if groups is None:
            groups = Table(self._view.indexes)
            for key, packed in self._view.packed.items():
                groups.put(key, packed, head_of(packed).values, ())
            groups.decoded = self._view.decoded
            self._groups = groups
        return groups

    def _values(self, name: str) -> list[Any]:
        return list(self._grouped().indexes[name])

    def _cut_all(self) -> Rows | list[Any]:
        table = self._view
        # Where nothing is missing any more, nobody adds to it.
        everything = table.all_decoded()
        if everything is not None:
            return list(everything)
        return rows_of(table, lambda cut: dict.fromkeys(cut.packed))

    def _cut(self, choose: Callable[[Table], Mapping[Key, None]]) -> Rows:
        return rows_of(self._grouped(), choose)

    def _decoded(self, keys: list[Key], packed: list[bytes], decoded: list[Any]) -> list[Any]:
        values = super()._decoded(keys, packed, decoded)
        if values is decoded or not self._core.sharing:
            return values
        # What has changed in the store since is shared by the readers of this snapshot.
        share = self._view.decoded.setdefault
        return [share(key, value) for key, value in zip(keys, values)]


def rows_of(table: Table, choose: Callable[[Table], Mapping[Key, None]]) -> Rows:
    """Give the rows of a table whose keys are chosen; of a Store's, in the read lock."""
    keys = list(choose(table))
    return (keys, list(map(table.packed.__getitem__, keys)), list(map(table.decoded.get, keys)))
