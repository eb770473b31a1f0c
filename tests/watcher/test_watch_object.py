"""kube_reflect.streams.watch_object"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client

from kube_reflect import Config, InitialListFailed, InitialListStrategy, WatcherError
from kube_reflect.streams import ObjectWatch, watch_object
from kube_reflect.testing import FakeApiServer

from tests.support.cache_helpers import running


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    with FakeApiServer() as server:
        server.create(config_map("other"))
        yield server


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "ns"}, "data": data}


def watch(server: FakeApiServer, **settings: Any) -> ObjectWatch:
    v1 = client.CoreV1Api(server.api_client())
    return watch_object(v1.list_namespaced_config_map, "it", "ns", **settings)


def color(item: Any) -> Any:
    assert not isinstance(item, WatcherError), item
    return item and item["data"]["color"]


@pytest.mark.parametrize("strategy", InitialListStrategy)
def test_the_life_of_an_object(server: FakeApiServer, strategy: InitialListStrategy) -> None:
    life = watch(server, config=Config(initial_list_strategy=strategy))
    assert next(life) is None
    made = server.create(config_map("it", color="red"))
    assert color(next(life)) == "red"
    server.update({**made, "data": {"color": "blue"}, "metadata": {
        "name": "it", "namespace": "ns"}})
    server.create(config_map("another", color="pink"))
    assert color(next(life)) == "blue"
    server.delete("configmaps", "it", "ns")
    assert next(life) is None
    server.create(config_map("it", color="green"))
    assert color(next(life)) == "green"
    life.close()
    assert list(life) == []


def test_it_asks_for_the_one_object(server: FakeApiServer) -> None:
    life = watch(server, config=Config(field_selector="metadata.namespace=ns", page_size=7))
    assert next(life) is None
    life.close()
    assert {request.query["fieldSelector"] for request in server.requests} == {
        "metadata.namespace=ns,metadata.name=it"}


def test_errors_are_items(server: FakeApiServer) -> None:
    server.forbid("configmaps")
    life = watch(server)
    error = next(life)
    assert isinstance(error, InitialListFailed) and error.code == 403
    life.close()


def test_what_happened_unwatched_is_told_by_the_list(server: FakeApiServer) -> None:
    server.create(config_map("it", color="red"))
    life = watch(server, config=Config(initial_list_strategy=InitialListStrategy.LIST_WATCH))
    assert color(next(life)) == "red"
    server.close()
    server.delete("configmaps", "it", "ns")
    server.create(config_map("it", color="blue"))
    server.restart()
    items = []
    while not items or items[-1] is None:
        items += [item for item in [next(life)] if not isinstance(item, WatcherError)]
    # Another object under the same name: one is gone, one is there.
    assert [color(item) for item in items] == [None, "blue"]
    life.close()


def test_close_ends_it_from_another_thread(server: FakeApiServer) -> None:
    life = watch(server)
    assert next(life) is None
    with running(lambda: [life.close(), life.close()]):
        assert list(life) == []


@pytest.mark.parametrize(("name", "error"), [("", ValueError), (None, TypeError)])
def test_mistakes_are_said_at_once(name: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="name of an object"):
        watch_object(client.CoreV1Api(client.ApiClient()).list_node, name)
