"""kube_reflect.store: what threads read."""

from __future__ import annotations

from typing import Any

import pytest

from kube_reflect.errors import StaleCache
from kube_reflect.events import Apply, Bookmark, Delete
from kube_reflect.object_ref import ApiResource, ObjectRef
from kube_reflect.selector import parse
from kube_reflect.store import Writer

from tests.support.cache_helpers import feed, listed, names, relist
from tests.support.objects import node, pod

POD = ApiResource("", "v1", "Pod")


def by_node(obj: Any) -> list[str]:
    return [obj["spec"]["node"]]


def test_a_store_is_empty_before_the_first_list() -> None:
    store = Writer().as_reader()
    assert len(store) == 0 and store.is_empty() and store
    assert store.state() == store.keys() == list(store) == []
    assert store.get("a", "ns") is None and store.find(lambda obj: True) is None
    assert not store.ready and store.resource_version is None


def test_readers_of_one_writer_read_the_same() -> None:
    writer, one = listed(pod("a"))
    two = writer.as_reader()
    assert one.get("a", "ns") is two.get("a", "ns")


def test_a_namespaced_object_is_found_with_its_namespace_only() -> None:
    _, store = listed(pod("a", "ns"))
    assert store.get("a", "ns") == pod("a", "ns")
    assert store.get(ObjectRef("a", "ns")) == pod("a", "ns")
    assert store.get(ObjectRef("a"), "ns") == pod("a", "ns")
    assert store.get("a") is None and store.get("a", "other") is None
    assert store.get(ObjectRef("a")) is None and store.get(ObjectRef("a", "other")) is None


def test_an_object_without_a_namespace_is_found_either_way() -> None:
    _, store = listed(node("n"))
    for found in (store.get("n"), store.get("n", "any"), store.get(ObjectRef("n")),
                  store.get(ObjectRef("n", "any")), store.get(ObjectRef("n"), "any")):
        assert found == node("n")
    assert store.get("m") is None


def test_an_empty_namespace_is_none() -> None:
    _, store = listed(node("n"), {**node("m"), "metadata": {"name": "m", "namespace": ""}})
    assert store.get("m") is not None and store.get("m", "") is not None
    assert store.get("n", "") is not None


@pytest.mark.parametrize("resource", [
    None, POD, ApiResource("", "v1", "Pod", "pods", True),
])
def test_a_ref_of_the_same_kind_is_found(resource: ApiResource | None) -> None:
    _, store = listed(pod("a"))
    assert store.get(ObjectRef("a", "ns", resource=resource, uid="x", resource_version="9"))
    assert ObjectRef("a", "ns", resource=resource) in store


@pytest.mark.parametrize("resource", [
    ApiResource("apps", "v1", "Pod"), ApiResource("", "v2", "Pod"),
    ApiResource("", "v1", "Service"),
])
def test_a_ref_of_another_kind_is_not_found(resource: ApiResource) -> None:
    _, store = listed(pod("a"))
    assert store.get(ObjectRef("a", "ns", resource=resource)) is None
    assert ObjectRef("a", "ns", resource=resource) not in store


def test_a_ref_and_another_namespace_contradict() -> None:
    _, store = listed(pod("a"))
    with pytest.raises(ValueError, match="other"):
        store.get(ObjectRef("a", "ns"), "other")


@pytest.mark.parametrize("ref", [None, 5, ("ns", "a"), {"name": "a"}, b"a"])
def test_what_is_no_ref_is_a_type_error(ref: Any) -> None:
    writer, store = listed(pod("a"))
    for reader in (store, store.snapshot()):
        with pytest.raises(TypeError):
            reader.get(ref, "ns")
        assert ref not in reader


def test_in_takes_refs_and_names() -> None:
    _, store = listed(pod("a"))
    _, nodes = listed(node("n"))
    assert ObjectRef("a", "ns") in store and "a" not in store
    assert "n" in nodes and ObjectRef("n", "any") in nodes and "m" not in nodes


def test_state_is_a_list_of_ones_own() -> None:
    _, store = listed(pod("a"), pod("b"))
    for _ in range(2):
        store.state().clear()
    assert names(store.state()) == ["a", "b"]


def test_every_list_is_the_callers_own_and_always_the_present_one() -> None:
    writer, store = listed(pod("a"), pod("b"))
    expected = ["a", "b"]
    for event in (Bookmark("101"), Apply(pod("c")), Apply(pod("a", version="2")),
                  Delete(pod("b")), None, Apply(pod("d")), Delete(pod("d"))):
        if event is None:
            relist(writer, pod("a", version="3"), pod("e"))
            expected = ["a", "e"]
        else:
            feed(writer, event)
            if not isinstance(event, Bookmark):
                name = event.object["metadata"]["name"]
                expected = sorted({*expected, name} - (
                    {name} if isinstance(event, Delete) else set()))
        for reader in (store, store.snapshot()):
            # The first decodes, the second finds all decoded, the third finds it listed.
            lists = [reader.state() for _ in range(3)]
            assert [names(one) for one in lists] == [expected] * 3
            assert len({id(one) for one in lists}) == 3
            assert all(set(map(id, one)) == set(map(id, lists[0])) for one in lists)
            lists[1].clear()
            lists[2].append(None)
            assert names(reader) == names(reader.state(where=lambda obj: True)) == expected
    assert store.get("a", "ns") == pod("a", version="3")


@pytest.mark.parametrize("settings", [
    {"copies": True}, {"detect_mutations": True}, {"model": lambda obj: obj}])
def test_however_it_is_kept_the_list_is_the_present_one(settings: dict[str, Any]) -> None:
    writer, store = listed(**settings)
    assert store.state() == store.state() == []
    feed(writer, Apply(pod("a", n=1)), Apply(pod("b", n=1)))
    for number in range(2, 5):
        for reader in (store, store.snapshot()):
            one, other = reader.state(), reader.state()
            assert names(one) == names(other) == ["a", "b"] and one is not other
            # Those who have copies of their own get new ones each time.
            assert (one[0] is other[0]) is ("copies" not in settings)
        feed(writer, Apply(pod("a", version=str(number), n=number)))
        assert sorted(one["spec"]["n"] for one in store.state()) == [1, number]


def test_a_new_index_and_a_fork_leave_the_list_as_it_is() -> None:
    writer, store = listed(pod("a", node="n1"), pod("b", node="n2"))
    before = store.state()
    writer.add_index("node", by_node)
    assert store.state() == before and store.by_index("node", "n1") == [pod("a", node="n1")]
    kept = store.snapshot()
    assert kept.state() == kept.state() == before
    # As in the child, whose first read comes by where the fork is seen.
    writer._cache._after_fork()
    assert store.get("a", "ns") is before[0] and store.get("c", "ns") is None
    again = store.state()
    assert again == before and again is not before
    assert kept.state() == before and names(kept.by_index("node", "n2")) == ["b"]


def test_state_by_namespace() -> None:
    writer, store = listed(pod("a", "one"), pod("b", "two"), pod("c", "one"))
    assert names(store.state(namespace="one")) == ["a", "c"]
    assert store.state(namespace="three") == []
    feed(writer, Delete(pod("b", "two")))
    assert store.state(namespace="two") == []


LABELLED = [pod("a", labels={"app": "web", "tier": "front"}), pod("b", labels={"app": "db"}),
            pod("c")]


@pytest.mark.parametrize(("labels", "found"), [
    ("app=web", ["a"]), ("app in (web, db)", ["a", "b"]), ("!app", ["c"]), ("app", ["a", "b"]),
    ("app!=web", ["b", "c"]), ({"app": "web", "tier": "front"}, ["a"]), ({"app": "x"}, []),
    (parse("app=db"), ["b"]), ("", ["a", "b", "c"]), ({}, ["a", "b", "c"]),
])
@pytest.mark.parametrize("read_before", [False, True])
def test_state_by_labels(labels: Any, found: list[str], read_before: bool) -> None:
    _, store = listed(*LABELLED)
    if read_before:
        assert len(store.state()) == 3
    assert names(store.state(labels=labels)) == found
    assert names(store.snapshot().state(labels=labels)) == found
    assert names(store.state(labels=labels, namespace="ns")) == found
    assert names(store.state(labels=labels, where=lambda obj: "labels" in obj["metadata"])) == [
        name for name in found if name != "c"]


@pytest.mark.parametrize("labels", ["app in", "=", "a b", {"app": "not a value"}])
def test_a_selector_that_does_not_parse_is_a_value_error(labels: Any) -> None:
    _, store = listed(*LABELLED)
    for reader in (store, store.snapshot()):
        with pytest.raises(ValueError, match=r"\S"):
            reader.state(labels=labels)


def test_state_where() -> None:
    _, store = listed(pod("a", n=1), pod("b", n=2), pod("c", n=3))
    assert names(store.state(where=lambda obj: obj["spec"]["n"] > 1)) == ["b", "c"]
    assert names(store.state(where=lambda obj: True)) == ["a", "b", "c"]


def test_find_gives_some_object_or_none() -> None:
    _, store = listed(pod("a", n=1), pod("b", n=2), pod("c", n=2))
    found = store.find(lambda obj: obj["spec"]["n"] == 2)
    assert found is not None and found["metadata"]["name"] in "bc"
    assert store.find(lambda obj: obj["spec"]["n"] == 3) is None
    assert store.snapshot().find(lambda obj: obj["spec"]["n"] == 1) == pod("a", n=1)


def test_what_a_predicate_raises_comes_through_and_spoils_nothing() -> None:
    writer, store = listed(pod("a"))
    for read in (store.find, lambda where: store.state(where=where)):
        with pytest.raises(KeyError):
            read(lambda obj: obj["missing"])
    feed(writer, Apply(pod("b")))
    assert names(store) == ["a", "b"]


def test_a_predicate_may_read_the_store() -> None:
    _, store = listed(pod("a"), pod("b"))
    assert names(store.state(where=lambda obj: len(store.state()) == 2)) == ["a", "b"]


def test_keys_are_refs() -> None:
    _, store = listed(pod("a", "one"), pod("b", "two"))
    expected = {ObjectRef("a", "one", resource=POD), ObjectRef("b", "two", resource=POD)}
    assert set(store.keys()) == set(store.snapshot().keys()) == expected
    assert all(key in store for key in store.keys())


def test_by_index_of_what_there_is_not() -> None:
    _, store = listed(pod("a", node="n1"), indexers={"node": by_node})
    assert store.by_index("node", "n2") == []
    for reader in (store, store.snapshot()):
        with pytest.raises(ValueError, match="node"):
            reader.by_index("nodes", "n1")
        with pytest.raises(ValueError, match="node"):
            reader.index_values("nodes")


@pytest.mark.parametrize(("read", "said"), [
    (lambda store: store.find(None), "predicate must be a function of an object: None"),
    (lambda store: store.state(where=5), "where must be a function of an object: 5"),
    (lambda store: store.state(where=0, namespace="ns"), "where must be .*: 0"),
    (lambda store: store.by_index("node", ["n1"]), r"must be hashable: \['n1'\]"),
])
def test_mistakes_of_the_reader_are_said_at_once(read: Any, said: str) -> None:
    for store in (listed(indexers={"node": by_node})[1],
                  listed(pod("a", node="n1"), indexers={"node": by_node})[1]):
        for reader in (store, store.snapshot()):
            with pytest.raises(TypeError, match=said):
                read(reader)


def test_without_a_reflector_there_is_no_contact() -> None:
    _, store = listed(pod("a"))
    for read in (lambda: store.get("a", "ns", max_staleness=9),
                 lambda: store.state(max_staleness=9)):
        with pytest.raises(StaleCache) as caught:
            read()
        assert caught.value.staleness is None


def test_a_read_that_asks_for_freshness_gets_it_or_an_error() -> None:
    writer, store = listed(pod("a"))
    writer._cache.staleness = lambda: 5.0
    assert store.get("a", "ns", max_staleness=5) == pod("a")
    assert len(store.state(max_staleness=6)) == 1
    for read in (lambda: store.get("a", "ns", max_staleness=4.9),
                 lambda: store.state(max_staleness=0)):
        with pytest.raises(StaleCache, match="5.0 s ago") as caught:
            read()
        assert caught.value.staleness == 5.0


def test_a_snapshot_does_not_move() -> None:
    writer, store = listed(pod("a", node="n1"), pod("b", node="n2"), indexers={"node": by_node})
    kept = store.snapshot()
    feed(writer, Apply(pod("a", version="101", node="n3")), Delete(pod("b")), Bookmark("102"))
    relist(writer, pod("c", node="n4"), version="200")
    assert kept.resource_version == "100" and len(kept) == 2 and names(kept) == ["a", "b"]
    assert kept.get("a", "ns") == pod("a", node="n1") and kept.get("c", "ns") is None
    assert names(kept.by_index("node", "n2")) == ["b"]
    assert sorted(kept.index_values("node")) == ["n1", "n2"]
    assert names(kept.state(namespace="ns")) == ["a", "b"]
    assert ObjectRef("b", "ns") in kept and kept and not kept.is_empty()
    assert store.snapshot().resource_version == "200"


def test_a_snapshot_agrees_with_the_store() -> None:
    _, store = listed(*LABELLED, indexers={"name": lambda obj: [obj["metadata"]["name"]]})
    kept = store.snapshot()
    assert kept.resource_version == store.resource_version
    assert kept.keys() == store.keys()
    assert names(kept) == names(store)
    assert all(kept.get(ref) is store.get(ref) for ref in store.keys())
    assert kept.by_index("name", "a") == store.by_index("name", "a")
