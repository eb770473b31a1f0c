"""kube_reflect.store.table"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from kube_reflect.store.entries import IndexValues, Key, pack
from kube_reflect.store.table import Table

from tests.support.cache_helpers import pod, running


def entry(name: str, values: IndexValues = ((),), **more: Any) -> bytes:
    return pack(pod(name, **more), values)


def contents(table: Table) -> dict[str, Any]:
    """Everything in a table, in no order."""
    return {"packed": table.packed, "size": table.size,
            "namespaces": {name: set(keys) for name, keys in table.namespaces.items()},
            "indexes": {name: {value: set(keys) for value, keys in index.items()}
                        for name, index in table.indexes.items()}}


def test_what_is_put_is_found_everywhere() -> None:
    table = Table(["node"])
    packed = entry("a", (("n1", "n2"),))
    table.put(("ns", "a"), packed, (("n1", "n2"),), ())
    assert contents(table) == {
        "packed": {("ns", "a"): packed}, "size": len(packed),
        "namespaces": {"ns": {("ns", "a")}},
        "indexes": {"node": {"n1": {("ns", "a")}, "n2": {("ns", "a")}}}}


def test_what_is_put_again_takes_the_place_of_the_first() -> None:
    table = Table(["node"])
    table.put(("ns", "a"), entry("a", (("n1", "n2"),)), (("n1", "n2"),), ())
    second = entry("a", (("n2", "n3"),), version="22222")
    table.put(("ns", "a"), second, (("n2", "n3"),), (("n1", "n2"),))
    assert table.size == len(second) and table.namespaces["ns"] == {("ns", "a"): None}
    assert table.indexes["node"] == {"n2": {("ns", "a"): None}, "n3": {("ns", "a"): None}}


def share(table: Table, key: Key, value: Any) -> Any:
    """Decode the present state of an object, so to speak."""
    return table.share(key, table.packed[key], value)


def test_what_is_dropped_leaves_nothing() -> None:
    table = Table(["node"])
    table.put(("ns", "a"), entry("a"), (("n1",),), ())
    table.decoded["ns", "a"] = object()
    table.drop(("ns", "a"), (("n1",),))
    assert contents(table) == contents(Table(["node"])) and not table.decoded


def test_what_changes_is_no_longer_decoded() -> None:
    table = Table([])
    table.put(("ns", "a"), entry("a"), (), ())
    table.put(("ns", "b"), entry("b"), (), ())
    a, b = object(), object()
    assert share(table, ("ns", "a"), a) is a is share(table, ("ns", "a"), object())
    share(table, ("ns", "b"), b)
    table.put(("ns", "a"), entry("a", version="2"), (), ())
    assert table.decoded == {("ns", "b"): b}


def test_what_is_not_the_present_state_is_not_shared() -> None:
    table = Table([])
    table.put(("ns", "a"), entry("a"), (), ())
    old = table.packed["ns", "a"]
    shared = share(table, ("ns", "a"), object())
    assert table.shared(("ns", "a"), old) is shared
    table.put(("ns", "a"), entry("a", version="2"), (), ())
    late = object()
    assert table.share(("ns", "a"), old, late) is late
    assert table.shared(("ns", "a"), old) is None and not table.decoded
    table.drop(("ns", "a"), ())
    assert table.share(("ns", "a"), old, late) is late and not table.decoded


def test_a_table_inherits_what_has_not_changed() -> None:
    old, new = Table([]), Table([])
    for name in "abcdefghijkl":
        old.put(("ns", name), entry(name), (), ())
        share(old, ("ns", name), name)
        new.put(("ns", name), old.packed["ns", name], (), ())
    old.watch_unread()
    new.put(("ns", "a"), entry("a", version="2"), (), ())
    new.put(("ns", "z"), entry("z"), (), ())
    new.inherit(old, lambda key: new.packed.get(key) is not old.packed[key])
    assert sorted(new.decoded.values()) == list("bcdefghijkl")
    assert new.unread == {("ns", "a"): None, ("ns", "z"): None}


def test_what_comes_to_be_shared_in_an_old_table_is_shared_in_its_heir() -> None:
    old, new, newest = Table([]), Table([]), Table([])
    for table in (old, new, newest):
        table.put(("ns", "a"), entry("a"), (), ())
    packed = old.packed["ns", "a"]
    new.packed["ns", "a"] = newest.packed["ns", "a"] = packed
    new.inherit(old, lambda key: False)
    newest.inherit(new, lambda key: False)
    value = object()
    assert old.share(("ns", "a"), packed, value) is value
    assert new.decoded == newest.decoded == {("ns", "a"): value}
    newest.put(("ns", "a"), entry("a", version="2"), (), ())
    # Who is that late still has what others have who are.
    assert old.share(("ns", "a"), packed, object()) is value and not newest.decoded


def test_what_the_heir_has_goes_before() -> None:
    old, new = Table([]), Table([])
    old.put(("ns", "a"), entry("a"), (), ())
    new.put(("ns", "a"), old.packed["ns", "a"], (), ())
    new.inherit(old, lambda key: False)
    value = share(new, ("ns", "a"), object())
    assert share(old, ("ns", "a"), object()) is value


def test_after_a_fork_there_is_no_heir() -> None:
    # It is one that was being made, by a thread that is gone and may have held its lock.
    old, new = Table([]), Table([])
    old.put(("ns", "a"), entry("a"), (), ())
    new.put(("ns", "a"), old.packed["ns", "a"], (), ())
    new.inherit(old, lambda key: False)
    old.after_fork()
    share(old, ("ns", "a"), object())
    assert not new.decoded


class Interrupted(dict[Any, Any]):
    """A dict in the middle of each of whose changes and lookups something else happens."""

    def __init__(self, contents: dict[Any, Any], happens: Callable[[], object]) -> None:
        super().__init__(contents)
        self._happens = happens
        self._happening = False

    def _happen(self) -> None:
        if not self._happening:
            self._happening = True
            self._happens()
            self._happening = False

    def get(self, *args: Any) -> Any:
        self._happen()
        return super().get(*args)

    def setdefault(self, *args: Any) -> Any:
        self._happen()
        return super().setdefault(*args)

    def pop(self, *args: Any) -> Any:
        self._happen()
        return super().pop(*args)

    def __setitem__(self, *args: Any) -> None:
        self._happen()
        super().__setitem__(*args)


def test_a_signal_handler_or_a_finalizer_may_read_amid_a_change() -> None:
    table = Table([])
    keys = [("ns", name) for name in "abc"]
    interrupts = 0

    def read() -> None:
        nonlocal interrupts
        interrupts += 1
        for key in keys:
            packed = dict.get(table.packed, key)
            if packed is not None and table.shared(key, packed) is None:
                table.share(key, packed, packed)

    def run() -> None:
        for key in keys:
            table.put(key, entry(key[1]), (), ())
        table.packed = Interrupted(table.packed, read)
        table.decoded = Interrupted({}, read)
        table.unread = Interrupted(dict.fromkeys(keys), read)
        for version in range(2, 9):
            for key in keys[:2]:
                table.put(key, entry(key[1], version=str(version)), (), ())
                share(table, key, table.packed[key])
        table.drop(keys[2], ())

    # In a thread, for it may hang.
    with running(run):
        pass
    assert interrupts > 50
    # Whatever was shared amid a change, it is of the present state.
    assert all(table.packed[key] is value for key, value in dict.items(table.decoded))
    assert keys[2] not in table.decoded and keys[2] not in (table.unread or {})


def test_the_unread_are_known_once_they_are_few() -> None:
    table = Table([])
    keys = [("ns", f"p{number}") for number in range(20)]
    for key in keys:
        table.put(key, entry(key[1]), (), ())
    table.watch_unread()
    assert table.unread is None
    for key in keys[1:]:
        share(table, key, object())
    table.watch_unread()
    assert table.unread == {keys[0]: None}
    table.put(keys[1], entry("p1", version="2"), (), ())
    table.put(("ns", "new"), entry("new"), (), ())
    table.drop(keys[0], ())
    assert table.unread == {keys[1]: None, ("ns", "new"): None}
    share(table, keys[1], object())
    assert table.unread.keys() == table.packed.keys() - table.decoded.keys()
    table.forget_decoded()
    assert table.unread is None and not table.decoded


def decoded_table(*names: str) -> Table:
    """A table of which everything is decoded, and has been asked for."""
    table = Table([])
    for name in names:
        table.put(("ns", name), entry(name), (), ())
        share(table, ("ns", name), name)
    assert table.all_decoded() == names
    return table


def test_everything_is_there_once_all_is_decoded_and_stays_the_same() -> None:
    table = Table([])
    assert table.all_decoded() == ()
    for name in "ab":
        table.put(("ns", name), entry(name), (), ())
    assert table.all_decoded() is None
    share(table, ("ns", "b"), "b")
    assert table.all_decoded() is None and table.everything is None
    share(table, ("ns", "a"), "a")
    everything = table.all_decoded()
    assert everything is not None and sorted(everything) == ["a", "b"]
    assert table.all_decoded() is everything is table.everything


@pytest.mark.parametrize("change", [
    lambda table: table.put(("ns", "c"), entry("c"), (), ()),
    lambda table: table.put(("ns", "a"), entry("a", version="2"), (), ()),
    lambda table: table.drop(("ns", "a"), ()),
    lambda table: table.forget_decoded(),
    lambda table: table.rebuild(),
], ids=["put", "put again", "drop", "forget", "rebuild"])
def test_everything_ends_with_any_change(change: Callable[[Table], None]) -> None:
    table = decoded_table("a", "b")
    kept = table.everything
    change(table)
    assert table.everything is None and kept == ("a", "b")
    for key in table.packed:
        share(table, key, key[1] + " anew")
    found = table.all_decoded()
    assert found is not None and len(found) == len(table.packed)
    assert set(found) == set(table.decoded.values())


class Watched(dict[Key, bytes]):
    """Packed objects that note what readers were given at the moment of each change."""

    def __init__(self, table: Table) -> None:
        super().__init__(table.packed)
        self._table = table
        self.seen: list[Any] = []

    def __setitem__(self, key: Key, value: bytes) -> None:
        self.seen.append(self._table.everything)
        super().__setitem__(key, value)

    def pop(self, *args: Any) -> Any:
        self.seen.append(self._table.everything)
        return super().pop(*args)


def test_who_has_seen_a_change_lists_nothing_older() -> None:
    # Neither the packed objects nor everything is read under a lock, so one goes before the other.
    table = decoded_table("a", "b")
    table.packed = watched = Watched(table)
    table.put(("ns", "a"), entry("a", version="2"), (), ())
    share(table, ("ns", "a"), "a")
    assert table.all_decoded() is not None
    table.drop(("ns", "a"), ())
    assert watched.seen == [None, None]


def test_after_any_history_it_is_as_if_it_were_made_anew() -> None:
    rng = random.Random(5)
    table = Table(["first", "second"])
    known: dict[Key, IndexValues] = {}
    for version in range(2000):
        key = rng.choice([None, "one", "two"]), f"p{rng.randrange(20)}"
        old = known.get(key, ())
        if old and rng.random() < 0.4:
            table.drop(key, known.pop(key))
        else:
            values = tuple(tuple(rng.sample(range(5), rng.randrange(3))) for _ in range(2))
            table.put(key, entry("x" * rng.randrange(1, 20), values, version=str(version)),
                      values, old)
            known[key] = values
        if version % 100 == 0:
            assert table.size == sum(map(len, table.packed.values()))
            grown = contents(table)
            grown = {**grown, "packed": dict(table.packed)}
            table.rebuild()
            assert contents(table) == grown
    assert known.keys() == table.packed.keys()
