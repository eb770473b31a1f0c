"""LIST: pages, versions, selectors, encodings."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from kube_reflect.object_ref import ApiResource
from kube_reflect.testing import FakeApiServer

from ._raw import ask, names, pod

PODS = "/api/v1/pods"
PARTIAL = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}


def pages(server: FakeApiServer, path: str, limit: int) -> list[dict[str, Any]]:
    """All pages of a LIST; ``path`` has a query already."""
    found = []
    token = ""
    while True:
        answer = ask(server.url, f"{path}&limit={limit}" + (f"&continue={token}" if token else ""))
        assert answer.status == 200
        found.append(answer.json())
        token = found[-1]["metadata"].get("continue", "")
        if not token:
            return found


def fill(server: FakeApiServer, count: int) -> None:
    for number in range(count):
        server.create(pod(f"p{number:02}", f"ns-{number % 3}", half="ab"[number % 2]))


@pytest.mark.parametrize("path", [f"{PODS}?", "/api/v1/namespaces/ns-1/pods?"])
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
def test_pages_hold_everything_once(server: FakeApiServer, path: str, limit: int) -> None:
    fill(server, 12)
    whole = ask(server.url, path).json()["items"]
    found = pages(server, path, limit)
    assert [item for page in found for item in page["items"]] == whole
    assert len(found) == -(-len(whole) // limit)
    remaining = [page["metadata"].get("remainingItemCount", 0) for page in found]
    assert remaining == [max(0, len(whole) - limit * (n + 1)) for n in range(len(found))]


def test_an_empty_namespace_is_all_of_them(server: FakeApiServer) -> None:
    server.create(pod("a", "one"))
    server.create(pod("b", "two"))
    path = "/api/v1/namespaces//pods"
    [everything] = pages(server, f"{path}?limit=5", 5)
    assert names(everything["items"]) == ["a", "b"]
    refused = ask(server.url, f"{path}/a")
    assert refused.status == 400
    assert refused.json()["message"] == "Namespace parameter required."
    server.forbid("pods")
    assert "at the cluster scope" in ask(server.url, path).json()["message"]


def test_later_pages_show_the_state_of_the_first(server: FakeApiServer) -> None:
    fill(server, 9)
    first = ask(server.url, f"{PODS}?limit=2").json()
    before = names(ask(server.url, PODS).json()["items"])
    server.delete("pods", "p01", "ns-1")
    server.create(pod("p99", "ns-2"))
    server.patch("pods", "p02", {"metadata": {"labels": {"x": "y"}}}, "ns-2")
    rest = ask(server.url, f"{PODS}?continue={first['metadata']['continue']}").json()
    assert names(first["items"]) + names(rest["items"]) == before
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert not any(item["metadata"]["labels"].get("x") for item in rest["items"])


def test_the_token_of_an_expired_page_goes_on_inconsistently(server: FakeApiServer) -> None:
    fill(server, 6)
    first = ask(server.url, f"{PODS}?limit=2").json()
    server.compact()
    expired = ask(server.url, f"{PODS}?limit=2&continue={first['metadata']['continue']}")
    assert (expired.status, expired.json()["reason"]) == (410, "Expired")
    token = expired.json()["metadata"]["continue"]
    rest = ask(server.url, f"{PODS}?continue={token}").json()
    assert len(rest["items"]) == 4
    assert rest["metadata"]["resourceVersion"] == server.resource_version


def test_a_token_expires_with_the_history() -> None:
    with FakeApiServer(history=3) as server:
        fill(server, 6)
        token = ask(server.url, f"{PODS}?limit=2").json()["metadata"]["continue"]
        for number in range(3):
            server.create(pod(f"new-{number}"))
        assert ask(server.url, f"{PODS}?continue={token}").status == 200
        server.create(pod("one-more"))
        assert ask(server.url, f"{PODS}?continue={token}").status == 410


def test_pages_with_a_selector_do_not_count(server: FakeApiServer) -> None:
    fill(server, 12)
    found = pages(server, f"{PODS}?labelSelector=half%3Da", 2)
    assert sum(len(page["items"]) for page in found) == 6
    assert not any("remainingItemCount" in page["metadata"] for page in found)


def test_an_exact_version_shows_the_past(server: FakeApiServer) -> None:
    server.create(pod("a"))
    version = server.resource_version
    server.create(pod("b"))
    exact = f"{PODS}?resourceVersion={version}&resourceVersionMatch=Exact"
    assert names(ask(server.url, exact).json()["items"]) == ["a"]
    newer = f"{PODS}?resourceVersion={version}&resourceVersionMatch=NotOlderThan"
    assert names(ask(server.url, newer).json()["items"]) == ["a", "b"]
    server.compact()
    assert ask(server.url, exact).status == 410


@pytest.mark.parametrize(("query", "code"), [
    ("limit=abc", 400), ("continue=%21%21", 400), ("continue=e30", 400),
    ("resourceVersion=abc", 500), ("resourceVersionMatch=Exact", 422),
    ("resourceVersionMatch=Foo&resourceVersion=1", 422),
    ("resourceVersionMatch=Exact&resourceVersion=0", 422),
    ("labelSelector=a%20in", 400), ("fieldSelector=a", 400),
    ("fieldSelector=spec.nope%3D1", 400),
])
def test_parameters_that_are_refused(server: FakeApiServer, query: str, code: int) -> None:
    answer = ask(server.url, f"{PODS}?{query}")
    assert answer.status == answer.json()["code"] == code


@pytest.mark.parametrize(("selector", "expected"), [
    ("labelSelector=app%3Dweb", ["a", "c"]),
    ("labelSelector=app%20notin%20(web)", ["b"]),
    ("labelSelector=app%2C!tier", ["a", "b"]),
    ("fieldSelector=metadata.name%3Da", ["a"]),
    ("fieldSelector=metadata.namespace%3Ddefault%2Cmetadata.name!%3Da", ["b", "c"]),
    ("fieldSelector=spec.nodeName%3Dn1", ["b"]),
    ("fieldSelector=spec.nodeName%3D", ["a", "c"]),
    ("fieldSelector=status.phase%3DRunning&labelSelector=app%3Dweb", ["c"]),
])
def test_selectors(server: FakeApiServer, selector: str, expected: list[str]) -> None:
    server.create(pod("a", app="web"))
    server.create({**pod("b", app="db"), "spec": {"nodeName": "n1"}})
    server.create({**pod("c", app="web", tier="x"), "status": {"phase": "Running"}})
    assert names(ask(server.url, f"{PODS}?{selector}").json()["items"]) == expected


def test_custom_resources_are_selected_by_any_field(server: FakeApiServer) -> None:
    server.register(ApiResource("example.com", "v1", "Foo"))
    for number, on in enumerate((True, False)):
        server.create({"apiVersion": "example.com/v1", "kind": "Foo",
                       "metadata": {"name": f"f{number}"}, "spec": {"on": on, "n": number}})
    path = "/apis/example.com/v1/foos?fieldSelector="
    assert names(ask(server.url, f"{path}spec.on%3Dtrue").json()["items"]) == ["f0"]
    assert names(ask(server.url, f"{path}spec.n%3D1").json()["items"]) == ["f1"]


def test_metadata_only(server: FakeApiServer) -> None:
    server.create(pod("a"))
    body = ask(server.url, PODS, headers=PARTIAL).json()
    assert body["kind"] == "PartialObjectMetadataList"
    assert list(body["items"][0]) == ["kind", "apiVersion", "metadata"]
    one = {"Accept": PARTIAL["Accept"].replace("List", "")}
    single = ask(server.url, "/api/v1/namespaces/default/pods/a", headers=one).json()
    assert single == body["items"][0]
    assert ask(server.url, PODS, headers=one).status == 406
    assert ask(server.url, PODS, headers={"Accept": "text/html"}).status == 406


def test_large_lists_are_compressed_when_wanted(server: FakeApiServer) -> None:
    fill(server, 3)
    wanted = {"Accept-Encoding": "gzip, deflate"}
    assert ask(server.url, PODS, headers=wanted).header("Content-Encoding") is None
    big = pod("big")
    big["metadata"]["annotations"] = {"text": "x" * 200_000}
    server.create(big)
    packed = ask(server.url, PODS, headers=wanted)
    assert packed.header("Content-Encoding") == "gzip"
    assert json.loads(gzip.decompress(packed.body)) == ask(server.url, PODS).json()


def test_bytes_are_escaped_as_go_does(server: FakeApiServer) -> None:
    obj = pod("a")
    obj["metadata"]["annotations"] = {"text": "<&>\u2028é\ud83d\ude00"}
    server.create(obj)
    answer = ask(server.url, PODS)
    assert b"\\u003c\\u0026\\u003e\\u2028\xc3\xa9\xf0\x9f\x98\x80" in answer.body
    assert answer.json()["items"][0]["metadata"]["annotations"]["text"] == "<&>\u2028é😀"
