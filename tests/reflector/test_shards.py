"""Reflectors of shards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client

from kube_reflect import (
    ApiResource, Applied, Config, InitialListStrategy, Phase, Reflector, Shard, shared,
)
from kube_reflect.testing import FakeApiServer

from tests.support.objects import new_pod
from tests.support.waiting import DEADLINE, wait_until

COUNT = 3
NAMESPACES = ["shop", "data", "media"]
STRATEGIES = pytest.mark.parametrize(
    "strategy", [InitialListStrategy.LIST_WATCH, InitialListStrategy.STREAMING_LIST])


@pytest.fixture(params=[False, True], ids=["the client filters", "the server filters"])
def server(request: pytest.FixtureRequest) -> Iterator[FakeApiServer]:
    with FakeApiServer(sharding=request.param) as server:
        for number in range(120):
            server.create(new_pod(f"pod-{number}", NAMESPACES[number % 3]))
        yield server


@pytest.fixture
def who(request: pytest.FixtureRequest) -> str:
    """Who filters."""
    return "server" if request.node.callspec.params["server"] else "client"


@pytest.fixture
def v1(server: FakeApiServer) -> client.CoreV1Api:
    return client.CoreV1Api(server.api_client())


def owned(server: FakeApiServer, shard: Shard) -> set[str]:
    return {one["metadata"]["name"] for one in server.objects("pods")
            if shard.owns(one["metadata"]["uid"])}


def names(reflector: Reflector[Any]) -> set[str]:
    return {ref.name for ref in reflector.store.keys()}


@STRATEGIES
@pytest.mark.parametrize("options", [
    {}, {"metadata_only": True}, {"namespaces": NAMESPACES}, {"model": dict}], ids=str)
def test_each_has_its_own(server: FakeApiServer, v1: client.CoreV1Api, who: str,
                          options: dict[str, Any], strategy: InitialListStrategy) -> None:
    list_func = (v1.list_namespaced_pod if "namespaces" in options
                 else v1.list_pod_for_all_namespaces)
    for index in range(COUNT):
        shard = Shard(index, COUNT)
        config = Config(shard=shard, page_size=7, initial_list_strategy=strategy)
        with Reflector(list_func, config=config, **options) as reflector:
            reflector.store.wait_until_ready(DEADLINE)
            assert names(reflector) == owned(server, shard)
            status = reflector.status
            assert status.shard == f"{index}/3"
            # Each namespace alone has too few of them, and only a LIST of whole objects says it.
            silent = "metadata_only" in options or strategy is InitialListStrategy.STREAMING_LIST
            unsure = who == "server" and silent and len(reflector.store) < 32 * (
                3 if "namespaces" in options else 1)
            assert status.filtered_by == (None if unsure else who)


def test_subscribers_hear_of_its_own_alone(server: FakeApiServer, v1: client.CoreV1Api) -> None:
    shard = Shard(0, 2)
    with Reflector(v1.list_pod_for_all_namespaces, config=Config(shard=shard)) as reflector:
        reflector.store.wait_until_ready(DEADLINE)
        with reflector.subscribe() as subscription:
            told = {subscription.get(DEADLINE).ref.name  # type: ignore[union-attr]
                    for _ in range(len(reflector.store))}
            assert told == owned(server, shard)
            wait_until(lambda: reflector.status.live)
            for number in range(40):
                server.create(new_pod(f"new-{number}", "shop"))
                server.patch("pods", f"pod-{number}", {"metadata": {"labels": {"x": "y"}}},
                             NAMESPACES[number % 3])
            server.wait_until_seen(reflector.store)
            expected = {name for name in owned(server, shard)
                        if name.startswith("new-") or int(name[4:]) < 40}
            changed = {}
            while changed.keys() != expected:
                change = subscription.get(DEADLINE)
                assert isinstance(change, Applied)
                changed[change.ref.name] = change
            assert reflector.store.resource_version == server.resource_version


def test_the_status_is_plain(v1: client.CoreV1Api, who: str) -> None:
    config = Config(shard=Shard(1, 2, by="namespace"),
                    initial_list_strategy=InitialListStrategy.LIST_WATCH)
    with Reflector(v1.list_pod_for_all_namespaces, config=config) as reflector:
        assert reflector.status.shard == "1/2 by namespace"
        reflector.store.wait_until_ready(DEADLINE)
        plain = json.loads(json.dumps(reflector.status.to_dict()))
        assert plain["shard"] == "1/2 by namespace" and plain["filtered_by"] == who
    with Reflector(v1.list_pod_for_all_namespaces) as reflector:
        assert (reflector.status.shard, reflector.status.filtered_by) == (None, None)


def test_shards_are_not_shared(v1: client.CoreV1Api) -> None:
    with shared(v1.list_pod_for_all_namespaces, config=Config(shard=Shard(0, 2))) as first, \
            shared(v1.list_pod_for_all_namespaces, config=Config(shard=Shard(0, 2))) as again, \
            shared(v1.list_pod_for_all_namespaces, config=Config(shard=Shard(1, 2))) as other:
        assert first.store is again.store is not other.store


def test_what_is_polled(server: FakeApiServer, v1: client.CoreV1Api) -> None:
    things = ApiResource("example.com", "v1", "Thing", "things", namespaced=True)
    server.register(things, verbs=("get", "list"))

    def thing(name: str) -> dict[str, Any]:
        return {"apiVersion": "example.com/v1", "kind": "Thing",
                "metadata": {"name": name, "namespace": "a"}}

    made = [server.create(thing(f"thing-{number}")) for number in range(30)]
    shard = Shard(1, 2)
    with Reflector(client.CustomObjectsApi(v1.api_client).list_namespaced_custom_object,
                   "example.com", "v1", "a", "things",
                   config=Config(shard=shard, poll_interval=0.05)) as reflector:
        wait_until(lambda: reflector.status.phase is Phase.POLLING)
        reflector.store.wait_until_ready(DEADLINE)
        made += [server.create(thing(f"more-{number}")) for number in range(10)]
        expected = {one["metadata"]["name"] for one in made
                    if shard.owns(one["metadata"]["uid"])}
        wait_until(lambda: names(reflector) == expected)
        assert 0 < len(expected) < 40


def test_a_start_that_waits_ends_at_once_when_it_is_closed(v1: client.CoreV1Api,
                                                           server: FakeApiServer) -> None:
    config = Config(start_jitter=10 * DEADLINE, shard=Shard(9, 10))
    before = len(server.requests)
    reflector = Reflector(v1.list_pod_for_all_namespaces, config=config).start()
    assert reflector.status.phase is Phase.LISTING and not reflector.status.ready
    reflector.close(DEADLINE)
    assert reflector.status.phase is Phase.STOPPED and len(server.requests) == before
