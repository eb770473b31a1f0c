"""kube_reflect.store: what a store says it holds in memory"""

from __future__ import annotations

import dataclasses
import random
import sys
from typing import Any

import pytest

from kube_reflect import Apply, Delete, Init, InitApply, Memory, Store

from tests.support.cache_helpers import feed, listed, relist
from tests.support.objects import pod


def check_sum(store: Store[Any]) -> Memory:
    """Check the sum that is kept against one that is made; return what the store says."""
    packed = [entry.packed for entry in store._cache.table.entries.values()]
    found = store.memory()
    assert found.bytes_at_rest == sum(map(sys.getsizeof, packed))
    assert found.objects == len(packed) == len(store)
    return found


def test_an_empty_store_holds_nothing() -> None:
    _, store = listed()
    assert store.memory() == Memory(objects=0, bytes_at_rest=0, decoded=0)


def test_it_follows_every_change() -> None:
    writer, store = listed(pod("a"), pod("b"), pod("c"))
    one = check_sum(store).bytes_at_rest
    # Half of it is left where digits are compressed.
    digits = random.Random(1).randbytes(1000).hex()
    feed(writer, Apply(pod("a", version="2", text=digits)))
    assert one + 900 < check_sum(store).bytes_at_rest < one + 2100
    feed(writer, Delete(pod("a")), Delete(pod("never")), Apply(pod("d")))
    assert check_sum(store).objects == 3
    feed(writer, Init(), InitApply(pod("z")))
    assert check_sum(store).objects == 3
    relist(writer, pod("d"), pod("e"), pod("e", version="2"))
    assert check_sum(store).objects == 2
    writer.add_index("name", lambda obj: [obj["metadata"]["name"]])
    assert check_sum(store).objects == 2


def test_it_counts_what_is_decoded_as_it_is_now() -> None:
    writer, store = listed(pod("a"), pod("b"))
    assert store.memory().decoded == 0
    store.get("a", "ns")
    assert store.memory().decoded == 1
    store.state()
    assert store.memory().decoded == 2
    feed(writer, Apply(pod("a", version="2")))
    assert store.memory().decoded == 1


def test_copies_are_not_held() -> None:
    _, store = listed(pod("a"), copies=True)
    store.state()
    assert store.memory().decoded == 0


def test_it_is_one_value_that_stays() -> None:
    writer, store = listed(pod("a"))
    before = store.memory()
    feed(writer, Delete(pod("a")))
    assert before.objects == 1 and store.memory().objects == 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.objects = 2  # type: ignore[misc]
