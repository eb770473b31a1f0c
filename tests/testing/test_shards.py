"""Shards of a LIST and WATCH, by the hash of uids or namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from kubernetes import client

from kube_reflect.testing import FakeApiServer
from kube_reflect.shard import fnv1a

from tests.support.objects import new_pod as pod

from ._raw import ask

PODS = "/api/v1/pods"
HALF, WHOLE = 1 << 63, 1 << 64


def part(start: int, end: int, field: str = "uid") -> str:
    return f"shardRange(object.metadata.{field}, '{start:#018x}', '{end:#018x}')"


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    with FakeApiServer(sharding=True) as server:
        for number in range(100):
            server.create(pod(f"pod-{number}", f"ns-{number % 10}"))
        yield server


def listed(server: FakeApiServer, selector: str, more: str = "") -> dict[str, Any]:
    answer = ask(server.url, f"{PODS}?shardSelector={quote(selector)}{more}")
    assert answer.status == 200
    found: dict[str, Any] = answer.json()
    return found


def names(found: dict[str, Any]) -> set[str]:
    return {one["metadata"]["name"] for one in found["items"]}


@pytest.mark.parametrize("field", ["uid", "namespace"])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_shards_are_the_whole_and_disjoint(field: str, count: int, server: FakeApiServer) -> None:
    bounds = [WHOLE * number // count for number in range(count + 1)]
    shards = [listed(server, part(start, end, field)) for start, end in zip(bounds, bounds[1:])]
    assert sum(len(one["items"]) for one in shards) == 100
    assert set().union(*map(names, shards)) == {f"pod-{number}" for number in range(100)}
    for shard, start in zip(shards, bounds):
        for one in shard["items"]:
            assert start <= fnv1a(one["metadata"][field]) < start + WHOLE // count + 1


def test_what_is_told_of_a_shard(server: FakeApiServer) -> None:
    selector = f"{part(0, HALF)} || {part(HALF, WHOLE)}"
    first = listed(server, selector.replace(" ", ""), "&limit=10")
    assert len(first["items"]) == 10
    # As the server would write it.
    assert first["metadata"]["shardInfo"] == {"selector": selector}
    assert "remainingItemCount" not in first["metadata"]
    rest = listed(server, selector, f"&continue={first['metadata']['continue']}")
    assert len(rest["items"]) == 90 and rest["metadata"]["shardInfo"] == {"selector": selector}


@pytest.mark.parametrize("form", ["PartialObjectMetadataList", "Table"])
def test_other_forms_of_a_list_do_not_tell(form: str, server: FakeApiServer) -> None:
    answer = ask(server.url, f"{PODS}?shardSelector={quote(part(0, HALF))}",
                 headers={"Accept": f"application/json;as={form};g=meta.k8s.io;v=v1"})
    found = answer.json()
    assert found["kind"] == form and "shardInfo" not in found["metadata"]
    assert 0 < len(found["items" if "items" in found else "rows"]) < 100


def test_a_streaming_list_is_of_its_shard_alone_and_does_not_tell(server: FakeApiServer) -> None:
    halves: list[list[tuple[str, str]]] = []
    for selector in (part(0, HALF), part(HALF, WHOLE)):
        answer = ask(server.url, f"{PODS}?watch=1&timeoutSeconds=1&sendInitialEvents=true"
                     "&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
                     f"&shardSelector={quote(selector)}")
        assert b"shardInfo" not in answer.body
        halves.append([event for event in answer.events() if event[0] == "ADDED"])
    assert not set(halves[0]) & set(halves[1]) and len(halves[0] + halves[1]) == 100


def test_a_watch_hears_of_its_shard_alone(server: FakeApiServer) -> None:
    halves: list[set[str]] = []
    version = server.resource_version
    for number in range(20):
        server.create(pod(f"new-{number}"))
    with server.api_client() as api_client:
        v1 = client.CoreV1Api(api_client)
        for selector in (part(0, HALF), part(HALF, WHOLE)):
            path = (f"{PODS}?watch=1&timeoutSeconds=1&resourceVersion={version}"
                    f"&shardSelector={quote(selector)}")
            halves.append({name for _, name in ask(server.url, path).events()})
        assert halves[0] | halves[1] == {f"new-{number}" for number in range(20)}
        assert not halves[0] & halves[1]
        everything = v1.list_pod_for_all_namespaces()
    assert len(everything.items) == 120


@pytest.mark.parametrize("selector", [
    "0", "shardRange(object.metadata.uid, '0x0', '0x8000000000000000')",
    part(0, HALF).replace("object.", ""), part(HALF, HALF), part(HALF, 0), part(0, WHOLE + 1),
    part(0xA << 60, WHOLE).replace("a", "A"), part(0, HALF).replace("'", '"'),
    part(0, HALF, "name"), f"{part(0, HALF)} && {part(HALF, WHOLE)}",
    f"{part(0, HALF)} || {part(HALF, WHOLE, 'namespace')}"], ids=str)
def test_a_selector_that_is_none(selector: str, server: FakeApiServer) -> None:
    answer = ask(server.url, f"{PODS}?shardSelector={quote(selector)}")
    # As an error that is no Status in the real server.
    assert answer.status == 500
    assert answer.json()["message"].startswith("invalid shard selector: ")


def test_a_server_without_shards_ignores_them() -> None:
    with FakeApiServer() as server:
        server.create(pod("a"))
        for selector in (part(0, 1), "nonsense"):
            found = listed(server, selector)
            assert names(found) == {"a"} and "shardInfo" not in found["metadata"]
