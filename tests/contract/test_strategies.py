"""A streaming list where the server has it, else a LIST; and how fresh it must be."""

from __future__ import annotations

import logging

import pytest
from kubernetes import client

from kube_reflect import Config, InitialListFailed, InitialListStrategy, ListSemantic, NotReady

from ._objects import CONFIG_MAPS, OURS, config_map
from ._servers import ContractServer, by_key
from ._waiting import Requests, eventually, names, reflecting


def test_auto_takes_what_the_server_has_and_remembers(
    disposable: ContractServer, namespace: str, v1: client.CoreV1Api, asked: Requests,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = disposable
    server.create(config_map("a", namespace, "", OURS))
    with caplog.at_level(logging.INFO, "kube_reflect"), reflecting(
            v1.list_namespaced_config_map, namespace,
            config=Config(label_selector="ours")) as r:
        before = asked.lists()
        server.expire_watches()
        assert eventually(lambda: r.status.relists >= 1)
        fell_back = [record for record in caplog.records if "no streaming list" in record.message]
        if server.has_streaming_lists():
            # A server that is only just there may break the relist off.
            assert asked.streaming_lists()[0] == 200 and before == []
            assert not fell_back or asked.lists()
        else:
            # Asked once; the relist knows.
            assert [400 <= status < 500 for status in asked.streaming_lists()] == [True]
            assert len(asked.lists()) >= 2 and len(fell_back) == 1
        assert names(r.store) == {"a"}


def test_a_streaming_list_can_be_forced(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, asked: Requests
) -> None:
    created = server.create(config_map("a", namespace, "", OURS))
    config = Config(label_selector="ours",
                    initial_list_strategy=InitialListStrategy.STREAMING_LIST)
    has_it = server.has_streaming_lists()
    with reflecting(v1.list_namespaced_config_map, namespace, config=config, model=dict,
                    ready=has_it) as r:
        if has_it:
            assert r.store.state() == [created]
            changed = server.patch(CONFIG_MAPS, "a", namespace, {"data": {"value": "2"}})
            assert eventually(lambda: r.store.state() == [changed])
            # The list goes over into the watch, on the same connection.
            assert asked.streaming_lists() == [200] and asked.watches() == []
        else:
            assert eventually(lambda: r.status.last_error)
            with pytest.raises(NotReady) as caught:
                r.store.wait_until_ready(timeout=0.05)
            cause = caught.value.__cause__
            assert isinstance(cause, InitialListFailed)
            assert cause.code is not None and 400 <= cause.code < 500 and cause.status
        assert asked.lists() == []


def test_a_list_can_be_forced(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, asked: Requests
) -> None:
    created = server.create(config_map("a", namespace, "", OURS))
    config = Config(label_selector="ours", initial_list_strategy=InitialListStrategy.LIST_WATCH)
    with reflecting(v1.list_namespaced_config_map, namespace, config=config, model=dict) as r:
        assert r.store.state() == [created]
        assert eventually(lambda: asked.watches())
        assert asked.streaming_lists() == [] and len(asked.lists()) == 1


@pytest.mark.parametrize(
    "strategy", [InitialListStrategy.AUTO, InitialListStrategy.LIST_WATCH])
def test_any_version_will_do_for_the_first_list_and_for_no_other(
    disposable: ContractServer, namespace: str, v1: client.CoreV1Api, asked: Requests,
    strategy: InitialListStrategy,
) -> None:
    server = disposable
    for name in "abc":
        server.create(config_map(name, namespace, "", OURS))
    config = Config(label_selector="ours", list_semantic=ListSemantic.ANY, page_size=2,
                    initial_list_strategy=strategy)

    def right() -> bool:
        expected = server.objects(CONFIG_MAPS, namespace, labelSelector="ours")
        return by_key(r.store.state()) == expected

    with reflecting(v1.list_namespaced_config_map, namespace, config=config, model=dict) as r:
        # What the server had in memory may have been old; the watch makes up for it.
        assert eventually(right)
        server.delete(CONFIG_MAPS, "b", namespace)
        server.expire_watches()
        assert eventually(lambda: r.status.relists >= 1)
        assert eventually(right)
        first, *later = asked.initial()
        assert first["resourceVersion"] == "0" and "limit" not in first
        assert later and all("resourceVersion" not in query for query in later)


def test_the_most_recent_list_has_what_was_just_written(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    for number in range(20):
        created = server.create(config_map(f"c{number}", namespace, "", OURS))
        with reflecting(v1.list_namespaced_config_map, namespace, model=dict,
                        config=Config(label_selector="ours")) as r:
            assert r.store.get(f"c{number}", namespace) == created
            assert len(r.store) == number + 1
