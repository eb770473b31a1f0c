"""The cache at one moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from kube_reflect.ground.describe import no_value
from kube_reflect.object_ref import ObjectRef
from kube_reflect.store.cache import Cache
from kube_reflect.store.reading import Reads, find
from kube_reflect.store.table import Group, Table

__all__ = ["Snapshot"]

K = TypeVar("K")
T = TypeVar("T")


class Snapshot(Reads[K]):
    """The cache at one moment, with the read methods of a `Store`; immutable, for any thread.

    Made by `Store.snapshot`. What it decodes is shared with the store where the object is still
    the same.
    """

    __reduce_ex__ = no_value("it shares its objects with the cache; "
                             "take what you need, such as state()")

    def __init__(self, cache: Cache, entries: Group, resource_version: str | None,
                 index_names: tuple[str, ...]) -> None:
        self._cache = cache
        self._frozen = entries
        self._names = index_names
        self._table: Table | None = None
        #: The version of this moment.
        self.resource_version = resource_version

    def get(self, ref: ObjectRef | str, namespace: str | None = None) -> K | None:
        """Return the object of that name, or None, as `Store.get` does."""
        entry = find(self._frozen, self._key(ref, namespace))
        return None if entry is None else self._cache.read(entry)

    def _entries(self) -> Group:
        return self._frozen

    def _index_names(self) -> tuple[str, ...]:
        return self._names

    def _cut(self, choose: Callable[[Table], T]) -> T:
        table = self._table
        if table is None:
            # Made when first asked for, from the entries; two threads may both do it.
            table = self._table = Table(self._names, self._frozen.values())
        return choose(table)
