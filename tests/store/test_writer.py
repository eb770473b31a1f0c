"""kube_reflect.store.Writer: what the cache holds after which events."""

from __future__ import annotations

import logging
import random
from typing import Any

import pytest

from kube_reflect.dispatcher import Applied
from kube_reflect.errors import WatcherError
from kube_reflect.events import Apply, Bookmark, Delete, Init, InitApply, InitDone
from kube_reflect.object_ref import ApiResource, ObjectRef
from kube_reflect.store import Writer

from tests.support.cache_helpers import feed, listed, names, relist
from tests.support.objects import node, pod

NO_OBJECTS: list[Any] = [
    None, 5, "text", [], {}, {"metadata": None}, {"metadata": []}, {"metadata": {}},
    {"metadata": {"name": ""}}, {"metadata": {"name": None}}, {"metadata": {"name": 7}},
]


def test_what_is_applied_is_added() -> None:
    writer, store = listed()
    feed(writer, Apply(pod("a", version="101")))
    assert store.state() == [pod("a", version="101")]
    assert store.resource_version == "101"


@pytest.mark.parametrize("version", ["99", "opaque", None])
@pytest.mark.parametrize("event", [Apply, Delete])
def test_a_version_that_is_older_or_of_another_kind_moves_nothing(
        event: Any, version: str | None) -> None:
    writer, store = listed(pod("a"))
    feed(writer, event(pod("a", version=version, image="new")))
    assert len(store) == (event is Apply) and store.resource_version == "100"


def test_a_list_without_a_version_has_none() -> None:
    writer, store = listed(pod("a"))
    feed(writer, Init(), InitApply(pod("a")), InitDone(None))
    assert store.ready and store.resource_version is None


def test_what_is_applied_again_is_updated() -> None:
    writer, store = listed(pod("a", image="old"))
    feed(writer, Apply(pod("a", version="2", image="new")))
    assert store.state() == [pod("a", version="2", image="new")]
    assert len(store) == 1


def test_what_is_deleted_is_removed() -> None:
    writer, store = listed(pod("a"), pod("b"))
    feed(writer, Delete(pod("a", version="107")))
    assert names(store) == ["b"]
    assert store.resource_version == "107"


def test_what_is_deleted_and_was_not_there_is_nothing() -> None:
    writer, store = listed(pod("a"))
    feed(writer, Delete(pod("b")), Delete(pod("a", namespace="other")))
    assert names(store) == ["a"]


def test_a_relist_replaces_everything() -> None:
    writer, store = listed(pod("a"), pod("b", image="old"))
    relist(writer, pod("b", version="2", image="new"), pod("c"), version="200")
    assert names(store) == ["b", "c"]
    assert store.get("b", "ns") == pod("b", version="2", image="new")
    assert store.resource_version == "200"


def test_an_empty_relist_clears() -> None:
    writer, store = listed(pod("a"))
    relist(writer)
    assert store.is_empty() and store.state() == []


def test_nothing_of_a_list_shows_before_its_end() -> None:
    writer, store = listed(pod("a"))
    feed(writer, Init(), InitApply(pod("b")))
    assert names(store) == ["a"] and store.resource_version == "100"
    feed(writer, InitDone("200"))
    assert names(store) == ["b"] and store.resource_version == "200"


def test_a_list_that_is_begun_again_forgets_what_it_had() -> None:
    writer, store = listed(pod("a"))
    feed(writer, Init(), InitApply(pod("b")), Init(), InitApply(pod("c")), InitDone("200"))
    assert names(store) == ["c"]


def test_what_is_deleted_during_a_list_is_not_in_it() -> None:
    writer, store = listed(pod("a"), pod("b"))
    feed(writer, Init(), InitApply(pod("a")), InitApply(pod("b")), InitApply(pod("c")),
         Delete(pod("a")), Delete(pod("never")))
    assert names(store) == ["a", "b"]
    feed(writer, Delete(pod("b")), InitDone("200"))
    assert names(store) == ["c"]


def test_an_object_shown_twice_by_a_list_is_one_object() -> None:
    _, store = listed(pod("a", version="1"), pod("a", version="2"))
    assert store.state() == [pod("a", version="2")]


def test_a_bookmark_moves_the_version_alone() -> None:
    writer, store = listed(pod("a"))
    feed(writer, Bookmark("150"))
    assert store.resource_version == "150" and names(store) == ["a"]


def test_versions_of_lists_and_changes_are_known() -> None:
    writer = Writer()
    store = writer.as_reader()
    assert store.resource_version is None
    relist(writer, pod("a", version="7"), version="100")
    assert store.resource_version == "100"
    feed(writer, Apply(pod("b", version="101")))
    assert store.resource_version == "101"
    feed(writer, Delete(pod("b", version="102")))
    assert store.resource_version == "102"


def test_many_random_changes_leave_no_duplicates() -> None:
    writer, store = listed(indexers={"image": lambda obj: [obj["spec"]["image"]]})
    rng, expected = random.Random(5), {}
    for number in range(20_000):
        name, namespace = f"pod-{rng.randrange(300)}", f"ns-{rng.randrange(3)}"
        image = f"image-{rng.randrange(5)}"
        obj = pod(name, namespace, str(number), image=image)
        if rng.random() < 0.6:
            writer.apply_watcher_event(Apply(obj))
            expected[namespace, name] = obj
        else:
            writer.apply_watcher_event(Delete(obj))
            expected.pop((namespace, name), None)
    keys = [(ref.namespace, ref.name) for ref in store.keys()]
    assert len(keys) == len(set(keys)) == len(store) and set(keys) == set(expected)
    assert all(store.get(name, namespace) == obj for (namespace, name), obj in expected.items())
    by_image = [one for value in store.index_values("image")
                for one in store.by_index("image", value)]
    assert len(by_image) == len(expected)


def test_the_same_name_in_two_namespaces_is_two_objects() -> None:
    writer, store = listed(pod("a", "one"), pod("a", "two"))
    assert len(store) == 2
    feed(writer, Delete(pod("a", "one")))
    assert store.get("a", "one") is None and store.get("a", "two") == pod("a", "two")


@pytest.mark.parametrize("obj", NO_OBJECTS)
@pytest.mark.parametrize("kind", [Apply, Delete, InitApply])
def test_what_has_no_name_is_left_out_counted_and_logged(
        kind: Any, obj: Any, caplog: pytest.LogCaptureFixture) -> None:
    writer, store = listed(pod("a"))
    if kind is InitApply:
        relist(writer, obj, pod("a"), version="101")
    else:
        feed(writer, kind(obj), Bookmark("101"))
    assert names(store) == ["a"] and store.resource_version == "101"
    assert writer._cache.bad_objects.count == 1
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_an_object_with_what_json_does_not_know_is_left_out() -> None:
    writer, store = listed(pod("a"), pod("b"))
    feed(writer, Apply(pod("a", version="102", when=object())))
    # What was there is not what is there now.
    assert names(store) == ["b"] and store.resource_version == "102"
    assert writer._cache.bad_objects.count == 1


@pytest.mark.parametrize("event", [None, 5, WatcherError("x"), {"type": "ADDED"}, Apply])
def test_what_is_no_event_is_a_type_error(event: Any) -> None:
    writer, store = listed(pod("a"))
    with pytest.raises(TypeError, match="not an event"):
        writer.apply_watcher_event(event)
    assert names(store) == ["a"]


@pytest.mark.parametrize("event", [InitApply(pod("a")), InitDone("1")])
def test_a_list_without_a_beginning_is_a_value_error(event: Any) -> None:
    with pytest.raises(ValueError, match="without an Init"):
        Writer().apply_watcher_event(event)


@pytest.mark.parametrize("settings", [
    {"model": 5}, {"transform": "x"}, {"indexers": {"node": None}}, {"indexers": {"node": 5}},
    {"indexers": {1: len}}, {"resource": "pods"},
])
def test_settings_of_the_wrong_type_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        Writer(**settings)


def test_the_resource_is_learnt_from_the_first_object() -> None:
    writer, store = listed({"metadata": {"name": "nameless", "namespace": "ns"}})
    assert store.keys() == [ObjectRef("nameless", "ns")]
    feed(writer, Apply(pod("a")))
    assert ObjectRef("a", "ns", resource=ApiResource("", "v1", "Pod")) in store.keys()


def test_the_resource_that_was_given_stays() -> None:
    given = ApiResource("", "v1", "Pod", "pods", True)
    _, store = listed(pod("a"), resource=given)
    assert store.keys()[0].resource == given


def test_an_object_is_taken_as_it_was_when_it_came() -> None:
    obj = pod("a", image="old")
    writer, store = listed(obj)
    obj["spec"]["image"] = "new"
    assert store.get("a", "ns") == pod("a", image="old")


def test_a_transform_decides_what_is_stored() -> None:
    def strip(obj: dict[str, Any]) -> dict[str, Any]:
        obj["spec"] = {"seen": True}
        return obj

    original = pod("b", image="x")
    writer, store = listed(pod("a", image="x"), transform=strip)
    feed(writer, Apply(original))
    assert [one["spec"] for one in store] == [{"seen": True}] * 2


def raises(obj: dict[str, Any]) -> dict[str, Any]:
    if obj["spec"].get("bad"):
        raise KeyError("a mistake in the transform")
    return obj


BAD_TRANSFORMS = [
    raises,
    lambda obj: None if obj["spec"].get("bad") else obj,
    lambda obj: {} if obj["spec"].get("bad") else obj,
    lambda obj: pod("other") if obj["spec"].get("bad") else obj,
]


@pytest.mark.parametrize("transform", BAD_TRANSFORMS)
def test_a_transform_that_fails_spoils_that_object_alone(
        transform: Any, caplog: pytest.LogCaptureFixture) -> None:
    writer, store = listed(pod("a"), pod("b", bad=True), pod("c"), transform=transform)
    assert names(store) == ["a", "c"]
    feed(writer, Apply(pod("c", version="101", bad=True)), Apply(pod("d", version="102")))
    assert names(store) == ["a", "d"] and store.resource_version == "102"
    assert writer._cache.bad_objects.count == 2
    assert "transform" in caplog.text and "c.ns" in caplog.text


INDEXERS = {
    "node": lambda obj: [obj["spec"]["node"]],
    "images": lambda obj: obj["spec"].get("images", []),
}


def test_an_index_function_that_fails_spoils_that_index_alone() -> None:
    writer, store = listed(pod("a", node="n1"), pod("b", images=["x"]), indexers=INDEXERS)
    assert names(store) == ["a", "b"]
    assert names(store.by_index("node", "n1")) == ["a"]
    assert names(store.by_index("images", "x")) == ["b"]
    assert writer._cache.bad_objects.count == 1
    feed(writer, Apply(pod("a", version="2")))
    assert store.by_index("node", "n1") == [] and store.index_values("node") == []
    feed(writer, Apply(pod("a", version="3", node="n2")))
    assert names(store.by_index("node", "n2")) == ["a"]


@pytest.mark.parametrize("found", ["n1", 5, None, [["unhashable"]], [{}], [object()]])
def test_index_values_that_are_none_spoil_that_index_alone(found: Any) -> None:
    writer, store = listed(pod("a"), indexers={"odd": lambda obj: found})
    assert store.index_values("odd") == []
    assert writer._cache.bad_objects.count == 1
    assert names(store) == ["a"]


def test_indexes_follow_every_kind_of_change() -> None:
    writer, store = listed(pod("a", node="n1"), pod("b", node="n1"), indexers=INDEXERS)
    assert names(store.by_index("node", "n1")) == ["a", "b"]
    feed(writer, Apply(pod("a", version="2", node="n2", images=["x", "y", "x"])))
    assert names(store.by_index("node", "n1")) == ["b"]
    assert names(store.by_index("images", "x")) == names(store.by_index("images", "y")) == ["a"]
    feed(writer, Delete(pod("b")))
    assert sorted(store.index_values("node")) == ["n2"]
    relist(writer, pod("c", node="n3"))
    assert store.index_values("node") == ["n3"] and store.by_index("images", "x") == []


def test_a_relist_keeps_what_it_shows_as_it_was() -> None:
    indexed: list[str] = []

    def by_name(obj: dict[str, Any]) -> list[str]:
        indexed.append(obj["metadata"]["name"])
        return [obj["metadata"]["name"]]

    writer, store = listed(pod("a"), pod("b"), indexers={"name": by_name})
    before = {one["metadata"]["name"]: one for one in store}
    # The order of the fields is none of an object.
    reordered = dict(reversed(pod("a").items()))
    relist(writer, reordered, pod("b", version="2"), pod("c"))
    assert indexed == ["a", "b", "b", "c"]
    assert store.get("a", "ns") is before["a"] and store.get("b", "ns") is not before["b"]


def test_a_relist_shows_another_content_of_the_same_version() -> None:
    """A definition got a default, or the server was upgraded; the version is the same."""
    writer, store = listed({**node("crayon", "3"), "size": 1}, version="5")
    subscription = writer.subscribe()
    assert subscription.get(0).object["size"] == 1
    new = {**node("crayon", "3"), "size": 1, "color": "white"}
    relist(writer, new, version="6")
    assert store.get("crayon") == new and store.state() == [new]
    change = subscription.get(0)
    assert isinstance(change, Applied) and change.object == new and not change.is_new
    assert store.resource_version == "6"
    with pytest.raises(TimeoutError):
        subscription.get(0)


def test_a_relist_shows_what_a_transform_makes_of_it_now() -> None:
    """The transform is compared by what it gives: a closure may give something else today."""
    tag = ["old"]
    writer, store = listed(pod("a"), transform=lambda obj: {**obj, "tag": tag[0]})
    relist(writer, pod("a"))
    assert store.state() == [{**pod("a"), "tag": "old"}]
    tag[0] = "new"
    relist(writer, pod("a"))
    assert store.state() == [{**pod("a"), "tag": "new"}]


def test_objects_without_uid_or_version_are_not_taken_for_the_same() -> None:
    bare = {"metadata": {"name": "a"}, "spec": {"n": 1}}
    writer, store = listed(bare)
    relist(writer, {**bare, "spec": {"n": 2}})
    assert store.state() == [{**bare, "spec": {"n": 2}}]
    relist(writer, node("n", uid="one", n=1))
    relist(writer, node("n", uid="two", n=2))
    assert [one["n"] for one in store] == [2]
