"""kube_reflect.indexers, and indexes that are added later"""

from __future__ import annotations

import threading
from typing import Any

import pytest

from kube_reflect import Apply, Delete, Init, InitApply, InitDone, Writer
from kube_reflect.indexers import by_label, by_namespace, by_owner_uid

from tests.support.cache_helpers import feed, listed, names, relist, running
from tests.support.objects import node, pod


def by_node(obj: Any) -> list[str]:
    return [obj["spec"]["nodeName"]]


def on(name: str, where: str, version: str = "1") -> dict[str, Any]:
    return pod(name, version=version, nodeName=where)


def owned(name: str, *uids: str) -> dict[str, Any]:
    obj = pod(name)
    obj["metadata"]["ownerReferences"] = [{"uid": uid, "kind": "ReplicaSet"} for uid in uids]
    return obj


def test_by_label() -> None:
    index = by_label("app")
    assert index(pod("a", labels={"app": "web", "tier": "1"})) == ["web"]
    assert index(pod("a", labels={"app": ""})) == [""]
    assert index(pod("a")) == index(pod("a", labels={"other": "web"})) == []
    with pytest.raises(TypeError, match="name of a label"):
        by_label(None)  # type: ignore[arg-type]


def test_by_owner_uid() -> None:
    assert by_owner_uid(owned("a", "u1", "u2")) == ["u1", "u2"]
    assert by_owner_uid(pod("a")) == []


def test_by_namespace() -> None:
    assert by_namespace(pod("a", "shop")) == ["shop"] and by_namespace(node("n")) == []


def test_they_work_in_a_store() -> None:
    labelled = pod("labelled", "other", labels={"app": "web"})
    _, store = listed(labelled, owned("child", "u1"), indexers={
        "app": by_label("app"), "owner": by_owner_uid, "namespace": by_namespace})
    assert store.by_index("app", "web") == [labelled]
    assert names(store.by_index("owner", "u1")) == ["child"]
    assert sorted(store.index_values("namespace")) == ["ns", "other"]


def test_an_index_that_is_added_has_what_is_there_and_what_comes() -> None:
    writer, store = listed(on("a", "n1"), on("b", "n1"), on("c", "n2"),
                           indexers={"namespace": by_namespace})
    read = store.get("a", "ns")
    writer.add_index("node", by_node)
    assert names(store.by_index("node", "n1")) == ["a", "b"]
    assert store.get("a", "ns") is read, "what was decoded is still shared"
    feed(writer, Apply(on("a", "n2", "2")), Apply(on("d", "n3", "3")), Delete(on("b", "n1", "4")))
    assert sorted(store.index_values("node")) == ["n2", "n3"]
    assert names(store.by_index("node", "n2")) == ["a", "c"]
    assert names(store.by_index("namespace", "ns")) == ["a", "c", "d"]
    relist(writer, on("c", "n2"), on("e", "n5"))
    assert sorted(store.index_values("node")) == ["n2", "n5"]


def test_all_is_decoded_stays_known() -> None:
    writer, store = listed(on("a", "n1"), on("b", "n1"))
    store.state()
    feed(writer, Apply(on("a", "n2", "2")))
    writer.add_index("node", by_node)
    assert names(store.state()) == ["a", "b"] and names(store.by_index("node", "n2")) == ["a"]
    assert sorted(obj["metadata"]["resourceVersion"] for obj in store.state()) == ["1", "2"]


def test_an_index_may_be_added_before_the_first_list() -> None:
    writer = Writer()
    writer.add_index("node", by_node)
    relist(writer, on("a", "n1"))
    assert names(writer.as_reader().by_index("node", "n1")) == ["a"]


def test_an_index_that_is_added_during_a_list() -> None:
    writer, store = listed(on("same", "n1"), on("gone", "n1"))
    changes = writer.subscribe()
    feed(writer, Init(), InitApply(on("same", "n1")), InitApply(on("new", "n1")))
    writer.add_index("node", by_node)
    assert names(store.by_index("node", "n1")) == ["gone", "same"]
    feed(writer, InitApply(on("late", "n2")), InitDone("200"))
    assert names(store.by_index("node", "n1")) == ["new", "same"]
    assert names(store.by_index("node", "n2")) == ["late"]
    told = [changes.get(timeout=0) for _ in range(4)]
    assert sorted(str(change.ref) for change in told if change) == [
        "Pod.v1./gone.ns", "Pod.v1./late.ns", "Pod.v1./new.ns", "Pod.v1./same.ns"]
    with pytest.raises(TimeoutError):
        changes.get(timeout=0)


def test_subscribers_are_told_nothing() -> None:
    writer, _ = listed(on("a", "n1"))
    changes = writer.subscribe()
    assert changes.get(timeout=0)
    writer.add_index("node", by_node)
    with pytest.raises(TimeoutError):
        changes.get(timeout=0)


def test_a_snapshot_of_before_does_not_have_it() -> None:
    writer, store = listed(on("a", "n1"))
    before = store.snapshot()
    writer.add_index("node", by_node)
    with pytest.raises(ValueError, match="no index 'node'; there are: none"):
        before.by_index("node", "n1")
    assert names(store.snapshot().by_index("node", "n1")) == ["a"]


def test_where_the_function_raises_only_that_object_is_left_out() -> None:
    writer, store = listed(pod("bad"), on("good", "n1"))
    writer.add_index("node", by_node)
    assert names(store.by_index("node", "n1")) == ["good"] and writer._cache.bad_objects.count == 1
    feed(writer, Apply(on("bad", "n1", "2")))
    assert names(store.by_index("node", "n1")) == ["bad", "good"]


def test_the_function_is_called_without_a_lock() -> None:
    writer, store = listed(on("a", "n1"))

    meanwhile = [Apply(on("b", "n2", "2"))]

    def curious(obj: Any) -> list[str]:
        # Reads and changes go on.
        if meanwhile:
            event = meanwhile.pop()
            with running(lambda: feed(writer, event)):
                pass
        return [str(len(store.state())), *by_node(obj)]

    writer.add_index("node", curious)
    assert names(store.by_index("node", "n2")) == ["b"]
    assert names(store.by_index("node", "n1")) == ["a"]


@pytest.mark.parametrize(("name", "function", "error"), [
    ("node", by_node, ValueError), ("other", None, TypeError), (7, by_node, TypeError),
])
def test_mistakes_are_said_at_once(name: Any, function: Any, error: type[Exception]) -> None:
    writer, store = listed(on("a", "n1"), indexers={"node": by_node})
    with pytest.raises(error):
        writer.add_index(name, function)
    assert names(store.by_index("node", "n1")) == ["a"]


def test_a_name_that_is_being_added_is_taken() -> None:
    writer, store = listed(on("a", "n1"))
    raised: list[Exception] = []

    def meddling(obj: Any) -> list[str]:
        try:
            writer.add_index("node", by_namespace)
        except ValueError as error:
            raised.append(error)
        return by_node(obj)

    writer.add_index("node", meddling)
    assert len(raised) == 1 and names(store.by_index("node", "n1")) == ["a"]


def test_indexes_are_added_while_threads_write_and_read() -> None:
    writer, store = listed(*(on(f"p{number}", f"n{number % 4}") for number in range(50)))
    done = threading.Event()
    added: list[str] = []

    def write() -> None:
        version = 1
        while not done.is_set():
            version += 1
            if version % 100 == 0:
                relist(writer, *(on(f"p{number}", f"n{(number + version) % 4}", str(version))
                                 for number in range(50)), version=str(version))
            else:
                feed(writer, Apply(on(f"p{version % 50}", f"n{version % 4}", str(version))))

    def read() -> None:
        while not done.is_set():
            for name in list(added):
                snapshot = store.snapshot()
                found = [obj for value in snapshot.index_values(name)
                         for obj in snapshot.by_index(name, value)]
                assert len(found) == 50
                assert all(obj["spec"]["nodeName"] == value
                           for value in store.index_values(name)
                           for obj in store.by_index(name, value))

    def add(prefix: str) -> None:
        for number in range(5):
            writer.add_index(f"{prefix}{number}", by_node)
            added.append(f"{prefix}{number}")

    with running(write, read):
        try:
            with running(lambda: add("x"), lambda: add("y")):
                pass
        finally:
            done.set()
    assert len(added) == 10
    for name in added:
        assert sum(len(store.by_index(name, f"n{number}")) for number in range(4)) == 50
