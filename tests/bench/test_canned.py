"""What the benchmark's server sends is what an API server would send."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes.watch.watch import iter_resp_lines

from tests.bench._clients import core_api
from tests.bench._control import RawClient, ask, canned_server, wait_for_watches
from tests.bench._measure import Task, floor
from tests.bench._pods import BASE_VERSION, name_of

pytestmark = pytest.mark.slow

SIZE = 1003


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with canned_server(SIZE) as number:
        yield number


@pytest.fixture(autouse=True)
def _no_watch_stays(port: int) -> Iterator[None]:
    yield
    wait_for_watches(port, 0)


@pytest.fixture
def api(port: int) -> Iterator[Any]:
    # Any, for what _preload_content=False returns is not in the client's annotations.
    api = core_api(port)
    yield api
    api.api_client.rest_client.pool_manager.clear()


def _names(items: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(item["metadata"]["name"], item["metadata"]["namespace"]) for item in items]


def test_a_list_holds_each_pod_once(api: Any) -> None:
    page = json.loads(api.list_pod_for_all_namespaces(_preload_content=False).data)
    assert page["metadata"] == {"resourceVersion": str(BASE_VERSION)}
    assert _names(page["items"]) == [name_of(index) for index in range(SIZE)]
    assert len({item["metadata"]["uid"] for item in page["items"]}) == SIZE


def test_pages_join_to_the_list(api: Any) -> None:
    names, token = [], None
    while True:
        page = json.loads(api.list_pod_for_all_namespaces(
            limit=500, _continue=token, _preload_content=False).data)
        names.append(_names(page["items"]))
        token = page["metadata"].get("continue")
        if not token:
            break
    assert [len(part) for part in names] == [500, 500, 3]
    assert sum(names, []) == [name_of(index) for index in range(SIZE)]


def test_the_official_client_reads_a_page(api: Any) -> None:
    page = api.list_pod_for_all_namespaces(limit=2)
    assert [pod.metadata.name for pod in page.items] == [name_of(0)[0], name_of(1)[0]]
    assert page.metadata.remaining_item_count == SIZE - 2


def test_a_page_comes_compressed_to_who_accepts_it(api: Any) -> None:
    def page(**headers: str) -> Any:
        api.api_client.default_headers.update(headers)
        return api.list_pod_for_all_namespaces(limit=3, _preload_content=False)

    plain, packed = page(), page(**{"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.data == plain.data


@pytest.mark.parametrize("batch", [1, 7])
def test_a_streaming_list_goes_on_with_bursts(port: int, api: Any, batch: int) -> None:
    response = api.list_pod_for_all_namespaces(watch=True, send_initial_events=True,
                                               _preload_content=False, _request_timeout=10)
    try:
        lines = map(json.loads, iter_resp_lines(response))
        initial = [next(lines) for _ in range(SIZE)]
        assert {event["type"] for event in initial} == {"ADDED"}
        names = _names([event["object"] for event in initial])
        assert names == [name_of(index) for index in range(SIZE)]
        end = next(lines)
        assert end["type"] == "BOOKMARK"
        assert end["object"]["metadata"] == {
            "resourceVersion": str(BASE_VERSION),
            "annotations": {"k8s.io/initial-events-end": "true"}}
        wait_for_watches(port)
        last = ask(port, "/burst", events=20, batch=batch)["version"]
        changes = [next(lines) for _ in range(20)]
    finally:
        response.close()
    assert [event["object"]["metadata"]["resourceVersion"] for event in changes] == [
        str(last - 19 + number) for number in range(20)]
    assert last >= BASE_VERSION + 20
    assert changes[0]["type"] == "MODIFIED"


def test_a_list_at_version_0_knows_no_pages(api: Any) -> None:
    page = json.loads(api.list_pod_for_all_namespaces(
        limit=5, resource_version="0", _preload_content=False).data)
    assert len(page["items"]) == SIZE


def test_a_burst_says_its_bytes(port: int) -> None:
    client = RawClient(port, "/api/v1/pods?watch=1")
    try:
        client.receive_until(b"\r\n\r\n")
        wait_for_watches(port)
        said = ask(port, "/burst", events=30, rate=10_000)
        client.receive(said["bytes"])
        assert said["bytes"] > 30 * 10_000
    finally:
        client.close()


def test_the_floor_is_measured(port: int) -> None:
    figures = floor(Task("floor", "floor", port, SIZE, events=100))
    assert figures["rate"] > 0
    assert figures["list_wall"] > figures["list_cpu"] >= 0
