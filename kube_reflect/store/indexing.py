"""How an index is added to a table that is in use."""

from __future__ import annotations

from kube_reflect.store.core import Core
from kube_reflect.store.entries import IndexValues, Key, head_of
from kube_reflect.store.feed import Entries
from kube_reflect.store.options import IndexFunction
from kube_reflect.store.table import Table

__all__ = ["add_index"]

#: An entry, how it looks with the values of all indexes, and these.
_Extended = tuple[bytes, bytes, IndexValues]


def add_index(core: Core, entries: Entries, name: str, function: IndexFunction) -> None:
    """Add an index over what is there and what will come; see `Writer.add_index`.

    From its announcement on, feeds make entries with its values. Those that are there are given
    theirs without a lock; meanwhile others may come that a feed began before the announcement,
    one for each feed, or a list, so it may take some rounds. In the last one nothing is missing,
    and a table with the index takes the place of the one without.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of an index must be a string: {name!r}")
    if not callable(function):
        raise TypeError(f"index function {name!r} must be callable: {function!r}")
    with core.mutex:
        # One that was announced and never finished (its thread died) may be begun again.
        if name in core.table.indexes or core.indexers.get(name, function) is not function:
            raise ValueError(f"there is an index {name!r} already")
        if name not in core.indexers:
            # Replaced, since feeds iterate it.
            core.indexers = {**core.indexers, name: function}
    made: dict[Key, _Extended] = {}
    while name not in core.table.indexes:
        names = tuple(core.indexers)
        _extend(core, entries, names, made)
        _publish(core, names, made)


def _extend(core: Core, entries: Entries, names: tuple[str, ...],
            made: dict[Key, _Extended]) -> None:
    with core.lock.gen_rlock():
        present = core.table.packed.copy()
    for key, packed in present.items():
        known = made.get(key)
        if known is None or known[0] is not packed or len(known[2]) < len(names):
            made[key] = (packed, *entries.extend(key, packed))


def _publish(core: Core, names: tuple[str, ...], made: dict[Key, _Extended]) -> None:
    """Swap in a table with the indexes, if all entries have their values."""
    with core.mutex:
        old = core.table
        if len(old.indexes) >= len(names):
            return
        new = Table(names)
        for key, packed in old.packed.items():
            values = head_of(packed).values
            if len(values) < len(names):
                known = made.get(key)
                if known is None or known[0] is not packed or len(known[2]) < len(names):
                    return
                packed, values = known[1:]
            new.put(key, packed, values, ())
        # The objects are the same ones.
        new.inherit(old, lambda key: False)
        with core.changing():
            core.table = new
