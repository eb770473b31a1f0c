"""Callbacks are told of what happened on the server, and may do as they like."""

from __future__ import annotations

import logging
import queue
import threading
from typing import Any

import pytest
from kubernetes import client

from kube_reflect import Config, Phase, Reflector

from ._churn import put
from ._objects import CONFIG_MAPS
from ._servers import ContractServer
from ._waiting import DEADLINE, eventually, quick


class Told:
    """What callbacks were told, in order."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()

    def added(self, new: client.V1ConfigMap) -> None:
        self._queue.put(("added", new.metadata.name, new.data["value"]))

    def changed(self, old: client.V1ConfigMap, new: client.V1ConfigMap) -> None:
        self._queue.put(("changed", new.metadata.name, old.data["value"], new.data["value"]))

    def deleted(self, last: client.V1ConfigMap) -> None:
        self._queue.put(("deleted", last.metadata.name, last.data["value"]))

    def resynced(self) -> None:
        self._queue.put(("resynced",))

    def next(self) -> tuple[Any, ...]:
        return self._queue.get(timeout=DEADLINE)


@pytest.fixture
def config_maps(namespace: str, v1: client.CoreV1Api) -> Reflector:
    """Not started yet."""
    return Reflector(v1.list_namespaced_config_map, namespace, backoff=quick(),
                     config=Config(label_selector="ours"))


def test_what_is_added_changed_and_deleted(
    server: ContractServer, namespace: str, config_maps: Reflector
) -> None:
    early, late = Told(), Told()
    config_maps.add_handler(early.added, early.changed, early.deleted)
    put(server, namespace, "a", "1")
    with config_maps:
        assert early.next() == ("added", "a", "1")
        server.patch(CONFIG_MAPS, "a", namespace, {"data": {"value": "2"}})
        assert early.next() == ("changed", "a", "1", "2")
        handler = config_maps.add_handler(late.added, late.changed, late.deleted)
        assert late.next() == ("added", "a", "2")
        server.delete(CONFIG_MAPS, "a", namespace)
        assert early.next() == late.next() == ("deleted", "a", "2")
        handler.remove()
        put(server, namespace, "b", "1")
        assert early.next() == ("added", "b", "1")
        with pytest.raises(queue.Empty):
            late._queue.get_nowait()


def test_what_is_deleted_is_not_in_the_store_any_more(
    server: ContractServer, namespace: str, config_maps: Reflector
) -> None:
    seen: queue.SimpleQueue[Any] = queue.SimpleQueue()
    config_maps.add_handler(on_delete=lambda last: seen.put(
        config_maps.store.get(last.metadata.name, namespace)))
    put(server, namespace, "a", "1")
    with config_maps:
        config_maps.store.wait_until_ready(DEADLINE)
        server.delete(CONFIG_MAPS, "a", namespace)
        assert seen.get(timeout=DEADLINE) is None


def test_one_that_raises_goes_on(
    server: ContractServer, namespace: str, config_maps: Reflector,
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = Told()

    def fail(new: client.V1ConfigMap) -> None:
        told.added(new)
        raise LookupError(new.metadata.name)

    handler = config_maps.add_handler(on_add=fail)
    with caplog.at_level(logging.ERROR, "kube_reflect"), config_maps:
        for name in ("a", "b"):
            put(server, namespace, name, "1")
            assert told.next() == ("added", name, "1")
        assert eventually(lambda: handler.errors == 2)
        assert config_maps.status.poisoned == 0
    # The cause is the same, and so it is said once.
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["a"]


def test_one_that_blocks_holds_up_nobody(
    server: ContractServer, namespace: str, config_maps: Reflector
) -> None:
    told, begun, go = Told(), threading.Event(), threading.Event()

    def block(new: client.V1ConfigMap) -> None:
        begun.set()
        go.wait(DEADLINE)

    config_maps.add_handler(on_add=block)
    config_maps.add_handler(on_add=told.added)
    with config_maps:
        try:
            put(server, namespace, "a", "1")
            assert begun.wait(DEADLINE) and told.next() == ("added", "a", "1")
            written = put(server, namespace, "b", "1")
            config_maps.store.wait_for_version(written["metadata"]["resourceVersion"], DEADLINE)
            assert len(config_maps.store) == 2 and told.next() == ("added", "b", "1")
        finally:
            go.set()


def test_one_that_is_slow_may_be_resynced(
    server: ContractServer, namespace: str, config_maps: Reflector
) -> None:
    told, begun, go = Told(), threading.Event(), threading.Event()

    def block(new: client.V1ConfigMap) -> None:
        begun.set()
        go.wait(DEADLINE)
        told.added(new)

    put(server, namespace, "a", "1")
    config_maps.add_handler(block, told.changed, told.deleted, told.resynced,
                            buffer_size=1, overflow="resync")
    with config_maps:
        try:
            assert begun.wait(DEADLINE)
            for value in "23":
                server.patch(CONFIG_MAPS, "a", namespace, {"data": {"value": value}})
            written = put(server, namespace, "b", "1")
            config_maps.store.wait_for_version(written["metadata"]["resourceVersion"], DEADLINE)
        finally:
            go.set()
        assert told.next() == ("added", "a", "1")
        assert told.next() == ("resynced",)
        assert {told.next(), told.next()} == {("added", "a", "3"), ("added", "b", "1")}


def test_one_may_close_the_reflector(
    server: ContractServer, namespace: str, config_maps: Reflector
) -> None:
    config_maps.add_handler(on_add=lambda new: config_maps.close())
    with config_maps:
        put(server, namespace, "a", "1")
        assert eventually(lambda: not config_maps.status.thread_alive)
        assert config_maps.status.phase is Phase.STOPPED
        assert len(config_maps.store) == 1
