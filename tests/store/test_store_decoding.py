"""kube_reflect.store: when objects are decoded, and who shares them."""

from __future__ import annotations

import gc
import threading
from collections import Counter
from typing import Any

import pytest
from kubernetes import client

from kube_reflect.events import Apply, Delete
from kube_reflect.store import Store, Writer

from tests.support.cache_helpers import feed, listed, names, relist, running
from tests.support.models import eager_maker
from tests.support.objects import node, pod
from tests.support.waiting import DEADLINE


class Made:
    """What a model makes: a thing of its own each time."""

    def __init__(self, mapping: dict[str, Any]) -> None:
        self.mapping = mapping
        self.name = mapping["metadata"]["name"]


class Counting:
    """A model that counts its calls by object and version."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()

    def __call__(self, mapping: dict[str, Any]) -> Made:
        metadata = mapping["metadata"]
        self.calls[metadata["name"], metadata["resourceVersion"]] += 1
        return Made(mapping)


def counted(*objects: Any, **settings: Any) -> tuple[Writer, Store[Any], Counting]:
    model = Counting()
    writer, store = listed(*objects, model=model, **settings)
    return writer, store, model


def test_nothing_is_decoded_before_it_is_read() -> None:
    writer, store, model = counted(pod("a"), pod("b"), indexers={"n": lambda obj: ["x"]})
    feed(writer, Apply(pod("c")), Delete(pod("b")))
    assert len(store) == 2 and store.keys() and store.index_values("n") and store.snapshot()
    assert not store.is_empty() and store.state(labels="none") == []
    assert store.state(namespace="none") == []
    assert not model.calls


def test_what_is_read_is_decoded_once_a_version() -> None:
    writer, store, model = counted(pod("a"), pod("b"))
    made = store.get("a", "ns")
    assert isinstance(made, Made)
    assert model.calls == {("a", "1"): 1}
    again = [store.get("a", "ns"), store.find(lambda one: one.name == "a"),
             next(one for one in store.state() if one.name == "a"),
             store.snapshot().get("a", "ns")]
    assert all(one is made for one in again)
    feed(writer, Apply(pod("a", version="2")))
    assert store.get("a", "ns") is not made and made.mapping == pod("a")
    store.state()
    assert model.calls == {("a", "1"): 1, ("b", "1"): 1, ("a", "2"): 1}


def test_only_what_is_asked_for_is_decoded() -> None:
    _, store, model = counted(pod("a", "one", labels={"app": "x"}), pod("b", "two"),
                              pod("c", "two"), indexers={"n": lambda o: [o["metadata"]["name"]]})
    assert len(store.state(labels="app=x")) == len(store.state(namespace="one")) == 1
    assert model.calls == {("a", "1"): 1}
    assert len(store.by_index("n", "c")) == 1
    assert model.calls == {("a", "1"): 1, ("c", "1"): 1}


def test_a_relist_keeps_what_is_decoded_of_the_same_version_and_uid() -> None:
    writer, store, model = counted(pod("a"), pod("b"), pod("c"))
    before = {one.name: one for one in store}
    relist(writer, pod("a"), pod("b", version="2"), pod("c", uid="another"))
    assert store.get("a", "ns") is before["a"]
    assert store.get("b", "ns") is not before["b"] and store.get("c", "ns") is not before["c"]
    assert model.calls == {("a", "1"): 1, ("b", "1"): 1, ("c", "1"): 2, ("b", "2"): 1}


def test_what_a_snapshot_decodes_is_shared_with_the_store() -> None:
    writer, store, model = counted(pod("a"), pod("b"))
    kept = store.snapshot()
    feed(writer, Apply(pod("b", version="2")))
    assert kept.get("a", "ns") is store.get("a", "ns")
    assert kept.get("b", "ns") is kept.get("b", "ns")
    assert kept.get("b", "ns").mapping == pod("b")
    assert store.get("b", "ns").mapping == pod("b", version="2")
    assert set(model.calls.values()) == {1}


def test_an_object_that_is_gone_lives_on_with_those_who_have_it() -> None:
    writer, store, _ = counted(pod("a"))
    made = store.get("a", "ns")
    feed(writer, Delete(pod("a")))
    assert store.get("a", "ns") is None and made.name == "a"


def test_the_end_of_an_object_may_read_the_store() -> None:
    read: list[list[str]] = []
    stores: list[Store[Any]] = []

    class Ending(Made):
        def __del__(self) -> None:
            for store in stores:
                # In a lock, it would wait for the very thread that it runs in.
                read.append(sorted(one.name for one in store.state()))

    writer, store = listed(pod("a"), pod("b"), model=Ending)
    stores.append(store)

    def change() -> None:
        for event in (Apply(pod("a", version="2")), Delete(pod("b"))):
            assert len(store.state()) == 2
            feed(writer, event)
        relist(writer, pod("a", version="3"))

    with running(change):
        pass
    # Those that are left end with the test.
    stores.clear()
    assert read == [["a", "b"], ["a"], ["a"]]


def test_the_garbage_collector_may_end_an_object_that_gets_others_amid_a_change() -> None:
    got: list[Any] = []
    stores: list[Store[Any]] = []

    class Cyclic(Made):
        def __init__(self, mapping: dict[str, Any]) -> None:
            super().__init__(mapping)
            self.itself = self

        def __del__(self) -> None:
            for store in stores:
                got.append(store.get("b", "ns"))

    writer, store = listed(pod("a"), pod("b"), model=Cyclic)
    stores.append(store)

    def change() -> None:
        for version in range(2, 100):
            # Neither is decoded, so each is shared under the table's lock.
            feed(writer, Apply(pod("a", version=str(version))),
                 Apply(pod("b", version=str(version))))
            assert store.get("a", "ns").mapping["metadata"]["resourceVersion"] == str(version)

    before = gc.get_threshold()
    # Else there is so much else that it seldom looks at what has lived for a while.
    gc.freeze()
    gc.collect()
    gc.set_threshold(1, 1, 1)
    try:
        with running(change):
            pass
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
        stores.clear()
    assert got and all(one.name == "b" for one in got)


def test_threads_that_decode_the_same_object_share_one() -> None:
    ready = threading.Barrier(4)

    def slow(mapping: dict[str, Any]) -> Made:
        ready.wait(DEADLINE)
        return Made(mapping)

    _, store = listed(pod("a"), model=slow)
    seen: list[Any] = []
    with running(*[lambda: seen.append(store.get("a", "ns"))] * 4):
        pass
    assert len(seen) == 4 and len(set(map(id, seen))) == 1


def test_what_was_decoded_of_an_old_version_does_not_come_back() -> None:
    decoding, changed = threading.Event(), threading.Event()

    def slow(mapping: dict[str, Any]) -> Made:
        if mapping["metadata"]["resourceVersion"] == "1":
            decoding.set()
            assert changed.wait(DEADLINE)
        return Made(mapping)

    writer, store = listed(pod("a"), model=slow)
    old: list[Any] = []
    with running(lambda: old.append(store.get("a", "ns"))):
        assert decoding.wait(DEADLINE)
        feed(writer, Apply(pod("a", version="2")))
        changed.set()
    assert old[0].mapping == pod("a")
    assert store.get("a", "ns").mapping == pod("a", version="2")


def test_a_slow_model_keeps_nobody_else_waiting() -> None:
    decoding, go_on = threading.Event(), threading.Event()

    def slow(mapping: dict[str, Any]) -> Made:
        if mapping["metadata"]["name"] == "slow":
            decoding.set()
            assert go_on.wait(DEADLINE)
        return Made(mapping)

    writer, store = listed(pod("slow"), pod("a"), model=slow)
    with running(lambda: store.get("slow", "ns")):
        assert decoding.wait(DEADLINE)
        feed(writer, Apply(pod("b")))
        relist(writer, pod("slow"), pod("a"), pod("b"), pod("c"))
        assert store.get("a", "ns").name == "a" and len(store.keys()) == 4
        go_on.set()


def refuses(mapping: dict[str, Any]) -> Any:
    if mapping["spec"].get("bad"):
        mapping["spec"]["half"] = "done"
        raise ValueError("a mistake in the model")
    return Made(mapping)


def makes_nothing(mapping: dict[str, Any]) -> Any:
    return None if mapping["spec"].get("bad") else Made(mapping)


@pytest.mark.parametrize("model", [refuses, makes_nothing])
def test_what_a_model_refuses_is_handed_out_as_a_mapping(
        model: Any, caplog: pytest.LogCaptureFixture) -> None:
    writer, store = listed(pod("a", bad=True), pod("b"), model=model)
    for _ in range(3):
        assert store.get("a", "ns") == pod("a", bad=True)
        assert isinstance(store.get("b", "ns"), Made) and len(store.state()) == 2
    assert writer._cache.bad_objects.count == 1
    assert "a.ns" in caplog.text and "the model" in caplog.text


def test_falsy_models_are_decoded_once_too() -> None:
    calls: list[str] = []

    def empty(mapping: dict[str, Any]) -> list[Any]:
        calls.append(mapping["metadata"]["name"])
        return []

    _, store = listed(pod("a"), pod("b"), model=empty)
    assert store.get("a", "ns") is store.get("a", "ns")
    assert store.state() == [[], []] == store.state()
    assert sorted(calls) == ["a", "b"]


def test_models_are_not_compared() -> None:
    class Incomparable:
        def __init__(self, mapping: dict[str, Any]) -> None:
            self.mapping = mapping

        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            raise TypeError("not to be compared")

    writer, store = listed(pod("a"), pod("b"), model=Incomparable)
    for _ in range(2):
        assert len(store.state()) == len(store.state(namespace="ns")) == 2
        assert len(store.state(labels="!x")) == len(store.snapshot().state(labels="!x")) == 2
        assert store.find(lambda one: one.mapping["metadata"]["name"] == "b") is not None


def test_the_client_s_own_models() -> None:
    _, store = listed(pod("a", nodeName="n1", containers=[{"name": "c", "image": "i"}]),
                      model=eager_maker(client.V1Pod))
    found = store.get("a", "ns")
    assert isinstance(found, client.V1Pod)
    assert (found.spec.node_name, found.spec.containers[0].image) == ("n1", "i")
    assert found.metadata.resource_version == "1"


@pytest.mark.parametrize("model", [None, dict])
def test_without_a_model_it_is_the_mapping(model: Any) -> None:
    _, store = listed(node("n"), model=model)
    assert type(store.get("n")) is dict and store.get("n") == node("n")


@pytest.mark.parametrize("model", [None, dict, Made])
def test_copies_are_everybodys_own(model: Any) -> None:
    _, store = listed(pod("a", labels={"app": "x"}), model=model, copies=True,
                      indexers={"n": lambda obj: ["v"]})
    kept = store.snapshot()
    reads = [lambda: store.get("a", "ns"), lambda: store.state()[0], lambda: list(store)[0],
             lambda: store.state(labels="app=x")[0], lambda: store.state(namespace="ns")[0],
             lambda: store.by_index("n", "v")[0], lambda: store.find(lambda obj: True),
             lambda: kept.get("a", "ns"), lambda: kept.state()[0],
             lambda: store.state(where=lambda obj: True)[0]]
    seen = [read() for read in reads + reads]
    mappings = [one if isinstance(one, dict) else one.mapping for one in seen]
    assert all(mapping == pod("a", labels={"app": "x"}) for mapping in mappings)
    for mapping in mappings:
        mapping["metadata"]["labels"]["app"] = "changed"
    assert len(set(map(id, seen))) == len(seen)
    assert names([store.get("a", "ns")] if model is not Made else mappings[:1]) == ["a"]
    assert len(store.state(labels="app=x")) == 1


@pytest.mark.parametrize("settings", [{"copies": True}, {"decoded_limit": 3}, {}])
def test_a_change_meanwhile_has_nothing_made_twice(settings: Any) -> None:
    model = Counting()

    def make(mapping: dict[str, Any]) -> Made:
        if mapping["metadata"]["name"] == "p3":
            # As if another thread's writer came between.
            feed(writer, Apply(pod("new", version="9")))
        return model(mapping)

    writer, store = listed(*(pod(f"p{at}") for at in range(8)), model=make, **settings)
    assert len(store.state()) in (8, 9)
    assert set(model.calls.values()) == {1}


def test_uncopied_it_is_shared() -> None:
    _, store = listed(pod("a"))
    assert store.get("a", "ns") is store.get("a", "ns")
    assert store.state()[0] is store.get("a", "ns")
