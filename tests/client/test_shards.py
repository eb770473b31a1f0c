"""kube_reflect.client.requests: how the server is asked for a shard."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from kubernetes import client
from kubernetes.dynamic import DynamicClient

from kube_reflect.client import ListFunction, RequestError, Requests
from kube_reflect.config import Config
from kube_reflect.shard import Shard
from kube_reflect.testing import FakeApiServer

from tests.client._talking import QUERY
from tests.support.objects import new_pod

SHARD = Shard(1, 2)
CONFIG = Config(shard=SHARD)


class OldShard(Shard):
    """One that asks in a way that the server does not know any more."""

    @property
    def selector(self) -> str:
        return "shardRange(object.metadata.uid, '0x0', '0x8000000000000000')"


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    with FakeApiServer(sharding=True) as server:
        server.create(new_pod("a"))
        yield server


@pytest.fixture
def v1(server: FakeApiServer) -> client.CoreV1Api:
    return client.CoreV1Api(server.api_client())


def ask(list_function: ListFunction, config: Config = CONFIG, times: int = 1) -> None:
    with closing(Requests(list_function, config)) as requests:
        for _ in range(times):
            with closing(requests.open(QUERY)) as response:
                assert b"".join(response.chunks()).startswith(b'{"kind":"PodList"')


def asked(server: FakeApiServer) -> list[str | None]:
    """The selectors of the LISTs of pods so far."""
    return [one.query.get("shardSelector") for one in server.requests if "/pods" in one.path]


def test_any_client_s_methods_ask_for_it(server: FakeApiServer, v1: client.CoreV1Api) -> None:
    pods = DynamicClient(v1.api_client).resources.get(api_version="v1", kind="Pod")
    for list_function in (
        ListFunction(v1.list_pod_for_all_namespaces),
        ListFunction(v1.list_namespaced_pod, ("ns",)),
        ListFunction(pods),
    ):
        ask(list_function)
    assert asked(server) == 3 * [SHARD.selector]


def test_other_functions_are_asked_if_they_know_of_it(server: FakeApiServer,
                                                      v1: client.CoreV1Api) -> None:
    def knows(shard_selector: str | None = None, **kwargs: Any) -> Any:
        seen.append(shard_selector)
        return v1.list_namespaced_pod("ns", **kwargs)

    def takes_all(**kwargs: Any) -> Any:
        seen.append(kwargs.get("shard_selector"))
        return v1.list_namespaced_pod("ns", **kwargs)

    seen: list[str | None] = []
    ask(ListFunction(knows))
    ask(ListFunction(takes_all))
    assert seen == [SHARD.selector, None]


def test_without_a_shard_nothing_is_said(server: FakeApiServer, v1: client.CoreV1Api) -> None:
    ask(ListFunction(v1.list_pod_for_all_namespaces), Config())
    assert asked(server) == [None]


def test_a_server_that_takes_it_no_more_is_asked_no_more(
        server: FakeApiServer, v1: client.CoreV1Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "kube_reflect")
    old = OldShard(0, 2)
    ask(ListFunction(v1.list_pod_for_all_namespaces), Config(shard=old), times=3)
    assert asked(server) == [old.selector, None, None, None]
    [said] = caplog.messages
    assert "invalid shard selector" in said and "all objects are fetched" in said


def test_another_refusal_is_one(server: FakeApiServer, v1: client.CoreV1Api) -> None:
    server.forbid("pods")
    with closing(Requests(ListFunction(v1.list_pod_for_all_namespaces), CONFIG)) as requests:
        with pytest.raises(RequestError) as refused:
            requests.open(QUERY)
    assert refused.value.code == 403 and asked(server) == [SHARD.selector]


def test_without_a_shard_a_refusal_that_speaks_of_one_is_final(
        server: FakeApiServer, v1: client.CoreV1Api) -> None:
    list_function = ListFunction(v1.list_pod_for_all_namespaces, (),
                                 {"field_selector": "metadata.shard=1"})
    with closing(Requests(list_function, Config())) as requests:
        with pytest.raises(RequestError, match="shard"):
            requests.open(QUERY)
    assert asked(server) == [None]


@pytest.mark.skipif("shard_selector" not in (
    client.CoreV1Api.list_node.__doc__ or ""), reason="the client does not know shards")
def test_it_is_not_given_twice(v1: client.CoreV1Api) -> None:
    list_function = ListFunction(v1.list_node, (), {"shard_selector": SHARD.selector})
    with pytest.raises(ValueError, match="shard_selector is given twice"):
        Requests(list_function, CONFIG)
