"""kube_reflect.wire: pages that come compressed, when asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kubernetes import client

from kube_reflect import Config, InitialListStrategy, Reflector
from kube_reflect.testing import FakeApiServer

from tests.support.objects import new_pod as pod
from tests.support.waiting import DEADLINE, wait_until


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    with FakeApiServer() as running:
        for number in range(40):
            big = pod(f"p{number}")
            big["metadata"]["annotations"] = {"text": f"{number} " * 5000}
            running.create(big)
        yield running


@pytest.mark.parametrize("gzip", [False, True])
@pytest.mark.parametrize("metadata_only", [False, True])
def test_pages_are_compressed_when_asked_for_and_watches_never(
        server: FakeApiServer, gzip: bool, metadata_only: bool) -> None:
    config = Config(gzip=gzip, page_size=15,
                    initial_list_strategy=InitialListStrategy.LIST_WATCH)
    v1 = client.CoreV1Api(server.api_client())
    with Reflector(v1.list_namespaced_pod, "ns", config=config, model=dict,
                   metadata_only=metadata_only) as reflector:
        reflector.store.wait_until_ready(DEADLINE)
        assert {one["metadata"]["annotations"]["text"] for one in reflector.store} == {
            f"{number} " * 5000 for number in range(40)}
        server.create(pod("late"))
        wait_until(lambda: len(reflector.store) == 41)
        assert reflector.status.last_error is None
    asked = {(one.verb, "gzip" in one.headers.get("accept-encoding")) for one in server.requests
             if one.verb in ("list", "watch")}
    assert asked == {("list", gzip), ("watch", False)}


def test_a_streaming_list_is_not_compressed(server: FakeApiServer) -> None:
    v1 = client.CoreV1Api(server.api_client())
    with Reflector(v1.list_namespaced_pod, "ns", config=Config(gzip=True)) as reflector:
        reflector.store.wait_until_ready(DEADLINE)
        assert len(reflector.store) == 40
    assert {"gzip" in one.headers.get("accept-encoding") for one in server.requests
            if one.verb == "watch"} == {False}
