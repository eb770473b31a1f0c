"""WATCH: histories, selectors, bookmarks, ends."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kube_reflect.object_ref import ApiResource
from kube_reflect.testing import FakeApiServer

from ._raw import Connection, ask, pod

PODS = "/api/v1/namespaces/default/pods"
STREAMING = "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
FOO = ApiResource("example.com", "v1", "Foo")


@contextmanager
def watching(server: FakeApiServer, query: str = "", path: str = PODS) -> Iterator[Connection]:
    """An open WATCH whose head has arrived, so that it has its position."""
    with Connection(server.url) as connection:
        connection.send(f"{path}?watch=1{query}")
        assert connection.head().status == 200
        yield connection


def told(connection: Connection) -> tuple[str, str]:
    event = connection.event()
    return event["type"], event["object"]["metadata"].get("name", "")


def test_the_state_first_then_what_changes(server: FakeApiServer) -> None:
    server.create(pod("a"))
    server.create(pod("elsewhere", "other"))
    with watching(server) as watch:
        assert told(watch) == ("ADDED", "a")
        server.create(pod("b"))
        assert told(watch) == ("ADDED", "b")
        server.patch("pods", "a", {"metadata": {"labels": {"x": "y"}}})
        assert told(watch) == ("MODIFIED", "a")
        server.create(pod("c", "other"))
        server.delete("pods", "a")
        event = watch.event()
        assert event["type"] == "DELETED"
        assert event["object"]["metadata"]["resourceVersion"] == server.resource_version


def test_history_from_a_version(server: FakeApiServer) -> None:
    server.create(pod("a"))
    version = server.resource_version
    server.create(pod("b"))
    server.delete("pods", "a")
    with watching(server, f"&resourceVersion={version}") as watch:
        assert [told(watch), told(watch)] == [("ADDED", "b"), ("DELETED", "a")]


def test_410_from_before_the_history() -> None:
    with FakeApiServer(history=2) as server:
        version = server.resource_version
        server.create(pod("a"))
        server.create(pod("b"))
        with watching(server, f"&resourceVersion={version}") as watch:
            assert told(watch) == ("ADDED", "a")
        server.create(pod("c"))
        answer = ask(server.url, f"{PODS}?watch=1&resourceVersion={version}")
        assert answer.status == 200 and len(answer.chunks) == 1
        assert answer.json()["type"] == "ERROR"
        assert answer.json()["object"]["reason"] == "Expired"


def test_compact_expires_versions_but_not_open_watches(server: FakeApiServer) -> None:
    version = server.resource_version
    with watching(server, f"&resourceVersion={version}") as watch:
        server.compact()
        server.create(pod("a"))
        assert told(watch) == ("ADDED", "a")
    answer = ask(server.url, f"{PODS}?watch=1&resourceVersion={version}")
    assert answer.json()["object"]["code"] == 410


def test_an_object_leaves_and_enters_a_selector(server: FakeApiServer) -> None:
    server.create(pod("a", app="web"))
    query = f"&labelSelector=app%3Dweb&resourceVersion={server.resource_version}"
    with watching(server, query) as watch:
        server.patch("pods", "a", {"metadata": {"labels": {"app": "db"}}})
        left = watch.event()
        assert left["type"] == "DELETED"
        assert left["object"]["metadata"]["labels"] == {"app": "web"}
        assert left["object"]["metadata"]["resourceVersion"] == server.resource_version
        server.patch("pods", "a", {"metadata": {"annotations": {"not": "seen"}}})
        server.patch("pods", "a", {"metadata": {"labels": {"app": "web"}}})
        assert told(watch) == ("ADDED", "a")


def test_bookmarks_come_only_when_asked_for() -> None:
    with FakeApiServer(bookmark_interval=0.05) as server:
        server.create(pod("a"))
        query = f"&resourceVersion={server.resource_version}"
        server.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})
        with watching(server, f"{query}&allowWatchBookmarks=true") as watch:
            event = watch.event()
        assert event["type"] == "BOOKMARK"
        assert event["object"]["metadata"] == {"resourceVersion": server.resource_version}
        assert ask(server.url, f"{PODS}?watch=1&timeoutSeconds=1{query}").chunks == []


def test_a_bookmark_before_the_timeout(server: FakeApiServer) -> None:
    query = f"&resourceVersion={server.resource_version}&allowWatchBookmarks=1&timeoutSeconds=1"
    answer = ask(server.url, f"{PODS}?watch=1{query}")
    assert answer.events() == [("BOOKMARK", "")]


def test_bookmarks_of_each_form() -> None:
    with FakeApiServer(bookmark_interval=0.05) as server:
        server.register(FOO)
        query = "?watch=1&allowWatchBookmarks=true"
        with Connection(server.url) as watch:
            watch.send(f"/apis/example.com/v1/foos{query}")
            watch.head()
            assert list(watch.event()["object"]) == ["apiVersion", "kind", "metadata"]
        with Connection(server.url) as watch:
            accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
            watch.send(f"{PODS}{query}", headers={"Accept": accept})
            watch.head()
            assert watch.event()["object"]["kind"] == "PartialObjectMetadata"


def test_streaming_list(server: FakeApiServer) -> None:
    server.create(pod("b"))
    server.create(pod("a"))
    with watching(server, STREAMING) as watch:
        assert [told(watch), told(watch)] == [("ADDED", "a"), ("ADDED", "b")]
        end = watch.event()["object"]["metadata"]
        assert end == {"resourceVersion": server.resource_version,
                       "annotations": {"k8s.io/initial-events-end": "true"}}
        server.create(pod("c"))
        assert told(watch) == ("ADDED", "c")


def test_a_streaming_list_that_is_switched_off() -> None:
    with FakeApiServer(streaming_list=False) as server:
        answer = ask(server.url, f"{PODS}?watch=1{STREAMING}")
        assert (answer.status, answer.json()["reason"]) == (422, "Invalid")


@pytest.mark.parametrize(("query", "code"), [
    ("&sendInitialEvents=true", 422),
    ("&resourceVersionMatch=NotOlderThan&resourceVersion=1", 422),
    ("&sendInitialEvents=true&resourceVersionMatch=Exact", 422),
    (f"{STREAMING}&resourceVersion=999999", 504),
    ("&resourceVersion=abc", 500), ("&timeoutSeconds=abc", 400), ("&labelSelector=a%20in", 400),
])
def test_parameters_that_are_refused(server: FakeApiServer, query: str, code: int) -> None:
    answer = ask(server.url, f"{PODS}?watch=1{query}")
    assert answer.status == answer.json()["code"] == code


def test_a_version_of_the_future_hears_only_what_comes_after_it(server: FakeApiServer) -> None:
    future = int(server.resource_version) + 2
    query = f"&resourceVersion={future}&allowWatchBookmarks=true"
    with watching(server, query) as watch:
        for name in "abcd":
            server.create(pod(name))
        assert [told(watch), told(watch)] == [("ADDED", "c"), ("ADDED", "d")]


def test_unregister_deletes_and_ends_cleanly(server: FakeApiServer) -> None:
    foos = "/apis/example.com/v1/namespaces/default/foos"
    server.register(FOO)
    server.create({"apiVersion": "example.com/v1", "kind": "Foo", "metadata": {"name": "a"}})
    with watching(server, path=foos) as watch:
        assert told(watch) == ("ADDED", "a")
        server.unregister("Foo")
        assert told(watch) == ("DELETED", "a")
        assert watch.chunk() is None
    assert ask(server.url, foos).body == b"404 page not found\n"
    server.register(FOO)
    assert ask(server.url, foos).json()["items"] == []


def test_a_watch_too_slow_for_the_history_is_ended() -> None:
    with FakeApiServer(history=1) as server, watching(server) as watch:
        big = pod("big")
        for number in range(40):
            big["metadata"]["annotations"] = {"text": f"{number}" * 500_000}
            server.create(big) if number == 0 else server.update(big)
        seen = 0
        while watch.chunk() is not None:
            seen += 1
        assert seen < 40


def test_metadata_only(server: FakeApiServer) -> None:
    server.create(pod("a"))
    with Connection(server.url) as watch:
        watch.send(f"{PODS}?watch=1", headers={
            "Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"})
        watch.head()
        event = watch.event()
    assert list(event["object"]) == ["kind", "apiVersion", "metadata"]


def test_following_a_random_history_gives_the_state(server: FakeApiServer) -> None:
    """Several watches and one writer at full speed: each follower ends with the server's state."""
    chosen = random.Random(7)
    results: dict[str, dict[str, str]] = {}
    ready = threading.Barrier(4)

    def follow(selector: str) -> None:
        state: dict[str, str] = {}
        query = f"&labelSelector={selector}" if selector else ""
        with watching(server, query) as watch:
            ready.wait(10)
            while (event := watch.event())["object"]["metadata"]["name"] != "last":
                name = event["object"]["metadata"]["name"]
                assert (name in state) == (event["type"] != "ADDED")
                if event["type"] == "DELETED":
                    del state[name]
                else:
                    state[name] = json.dumps(event["object"])
        results[selector] = state

    selectors = ["", "side%3Da", "side!%3Da"]
    followers = [threading.Thread(target=follow, args=(one,)) for one in selectors]
    for follower in followers:
        follower.start()
    ready.wait(10)
    present: set[str] = set()
    for number in range(3000):
        name = f"p{chosen.randrange(50)}"
        obj = pod(name, side=chosen.choice("ab"), n=str(number))
        if name not in present:
            server.create(obj)
            present.add(name)
        elif chosen.random() < 0.3:
            server.delete(obj)
            present.remove(name)
        else:
            server.update(obj)
    expected = {one["metadata"]["name"]: one for one in server.objects("pods")}
    for side in "ab":
        server.create(pod("last", side=side))
        server.delete("pods", "last")
    for follower in followers:
        follower.join(20)
    assert results[""] == {name: json.dumps(one) for name, one in expected.items()}
    for selector, wanted in (("side%3Da", "a"), ("side!%3Da", "b")):
        assert set(results[selector]) == {
            name for name, one in expected.items() if one["metadata"]["labels"]["side"] == wanted}
