"""The objects of one moment, with the groups and indexes over them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kube_reflect.ground.objects import Key
from kube_reflect.store.entry import Entry

__all__ = ["Group", "Table"]

#: Some of the entries.
Group = dict[Key, Entry]


class Table:
    """Entries by key, and some of them again by namespace and by the values of each index.

    `entries` is the truth, and is read without a lock; all else follows from it, and is read and
    changed under the cache's lock. `replace` may be repeated: what an exception interrupts is
    done anew, from its beginning, by the next thread that takes the lock.
    """

    __slots__ = ("entries", "indexes", "moves", "namespaces")

    def __init__(self, index_names: Iterable[str] = (), entries: Iterable[Entry] = ()) -> None:
        self.entries: Group = {}
        self.namespaces: dict[str | None, Group] = {}
        #: By the name of the index, in the order of `Entry.index_values`.
        self.indexes: dict[str, dict[Any, Group]] = {name: {} for name in index_names}
        #: Grows by one before each change of `entries`, and by one after it: it is odd meanwhile.
        self.moves = 0
        for entry in entries:
            self.replace(None, entry)

    def replace(self, old: Entry | None, new: Entry | None) -> None:
        """Store a state of an object in the place of the one before; O(1).

        :param old: None: it was not there.
        :param new: None: it is gone.
        """
        one = new if new is not None else old
        if one is None:
            return
        key = one.key
        self.moves |= 1
        if new is not None:
            self.entries[key] = new
            self.moves += 1
            group = self.namespaces.get(key[0])
            if group is None:
                group = self.namespaces.setdefault(key[0], {})
            group[key] = new
        else:
            self.entries.pop(key, None)
            self.moves += 1
            _discard(self.namespaces, key[0], key)
        if self.indexes:
            self._reindex(key, old, new)

    def _reindex(self, key: Key, old: Entry | None, new: Entry | None) -> None:
        for position, index in enumerate(self.indexes.values()):
            values = new.index_values[position] if new is not None else ()
            for value in old.index_values[position] if old is not None else ():
                if value not in values:
                    _discard(index, value, key)
            if new is not None:
                for value in values:
                    index.setdefault(value, {})[key] = new


def _discard(groups: dict[Any, Group], value: Any, key: Key) -> None:
    group = groups.get(value)
    if group is not None:
        group.pop(key, None)
        if not group:
            groups.pop(value, None)
