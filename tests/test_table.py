"""kube_reflect._table"""

from __future__ import annotations

import random
from typing import Any

from kube_reflect._entries import IndexValues, Key, pack
from kube_reflect._table import Table

from .cache_helpers import pod


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
    assert table.share(("ns", "a"), a) is a is table.share(("ns", "a"), object())
    table.share(("ns", "b"), b)
    table.put(("ns", "a"), entry("a", version="2"), (), ())
    assert table.decoded == {("ns", "b"): b}


def test_the_unread_are_known_once_they_are_few() -> None:
    table = Table([])
    keys = [("ns", f"p{number}") for number in range(20)]
    for key in keys:
        table.put(key, entry(key[1]), (), ())
    table.watch_unread()
    assert table.unread is None
    for key in keys[1:]:
        table.share(key, object())
    table.watch_unread()
    assert table.unread == {keys[0]: None}
    table.put(keys[1], entry("p1", version="2"), (), ())
    table.put(("ns", "new"), entry("new"), (), ())
    table.drop(keys[0], ())
    assert table.unread == {keys[1]: None, ("ns", "new"): None}
    table.share(keys[1], object())
    assert table.unread.keys() == table.packed.keys() - table.decoded.keys()
    table.forget_decoded()
    assert table.unread is None and not table.decoded


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
