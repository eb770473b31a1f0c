"""kube_reflect.dispatcher.handlers, through Reflector.add_handler"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import pytest
from kubernetes import client

from kube_reflect import Reflector
from kube_reflect.testing import FakeApiServer

from tests.support.waiting import DEADLINE, wait_until


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "ns"}, "data": data}


class Told:
    """Callbacks that note what they are told."""

    def __init__(self) -> None:
        self._told: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        self.callbacks = {
            "on_add": lambda new: self._told.put(("add", new["metadata"]["name"])),
            "on_update": lambda old, new: self._told.put(
                ("update", new["metadata"]["name"], old["data"], new["data"])),
            "on_delete": lambda last: self._told.put(("delete", last["metadata"]["name"])),
            "on_resync": lambda: self._told.put(("resync",)),
        }

    def next(self) -> tuple[Any, ...]:
        return self._told.get(timeout=DEADLINE)

    def is_empty(self) -> bool:
        return self._told.empty()


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    with FakeApiServer() as server:
        server.create(config_map("first", color="red"))
        yield server


@pytest.fixture
def reflector(server: FakeApiServer) -> Iterator[Reflector]:
    v1 = client.CoreV1Api(server.api_client())
    reflector = Reflector(v1.list_namespaced_config_map, "ns", model=dict, name="maps")
    yield reflector
    reflector.close()


def test_it_is_told_of_everything(server: FakeApiServer, reflector: Reflector) -> None:
    told = Told()
    reflector.add_handler(**told.callbacks)
    reflector.start()
    assert told.next() == ("add", "first")
    server.create(config_map("second", color="red"))
    assert told.next() == ("add", "second")
    server.update({**server.objects("configmaps")[0], "data": {"color": "blue"}})
    assert told.next() == ("update", "first", {"color": "red"}, {"color": "blue"})
    server.delete("configmaps", "first", "ns")
    assert told.next() == ("delete", "first")


def test_the_thread_has_a_name(reflector: Reflector) -> None:
    names: SimpleQueue[str] = SimpleQueue()
    handler = reflector.add_handler(lambda new: names.put(threading.current_thread().name))
    reflector.start()
    assert names.get(timeout=DEADLINE) == "kube-reflect:maps:handler-1"
    assert handler.name == "maps:handler-1"


def test_a_late_one_gets_what_is_there(reflector: Reflector) -> None:
    reflector.start().store.wait_until_ready(DEADLINE)
    told = Told()
    reflector.add_handler(**told.callbacks)
    assert told.next() == ("add", "first")


def test_nothing_is_told_before_the_start(reflector: Reflector) -> None:
    told = Told()
    reflector.add_handler(**told.callbacks)
    assert told.is_empty()
    assert not [one for one in threading.enumerate() if one.name.startswith("kube-reflect:maps")]


def test_one_that_blocks_holds_up_nobody(server: FakeApiServer, reflector: Reflector) -> None:
    told, blocked, may_go_on = Told(), threading.Event(), threading.Event()

    def block(new: Any) -> None:
        blocked.set()
        may_go_on.wait(DEADLINE)

    reflector.add_handler(block)
    reflector.add_handler(**told.callbacks)
    with reflector:
        assert blocked.wait(DEADLINE)
        server.create(config_map("second"))
        assert [told.next(), told.next()] == [("add", "first"), ("add", "second")]
        assert reflector.store.get("second", "ns") is not None
        may_go_on.set()


def test_one_that_raises_goes_on(server: FakeApiServer, reflector: Reflector,
                                 caplog: pytest.LogCaptureFixture) -> None:
    names: SimpleQueue[str] = SimpleQueue()

    def fail(new: Any) -> None:
        names.put(new["metadata"]["name"])
        raise RuntimeError("not today")

    handler = reflector.add_handler(fail)
    with reflector, caplog.at_level(logging.ERROR, "kube_reflect"):
        assert names.get(timeout=DEADLINE) == "first"
        server.create(config_map("second"))
        assert names.get(timeout=DEADLINE) == "second"
    assert handler.errors == 2
    assert ("maps:handler-1: on_add: a callback failed for Applied(ConfigMap.v1./first.ns"
            in caplog.text)
    assert "not today" in caplog.text


def test_one_that_exits_goes_on(server: FakeApiServer, reflector: Reflector) -> None:
    names: SimpleQueue[str] = SimpleQueue()

    def leave(new: Any) -> None:
        names.put(new["metadata"]["name"])
        sys.exit("enough")

    handler = reflector.add_handler(leave)
    with reflector:
        assert names.get(timeout=DEADLINE) == "first"
        server.create(config_map("second"))
        assert names.get(timeout=DEADLINE) == "second"
    assert handler.errors == 2


def test_a_callback_may_close_the_reflector(reflector: Reflector) -> None:
    closed: SimpleQueue[str] = SimpleQueue()

    def close(new: Any) -> None:
        reflector.close(timeout=DEADLINE)
        closed.put(reflector.status.phase.value)

    reflector.add_handler(close)
    # Two of them do not wait for each other.
    reflector.add_handler(close)
    reflector.start()
    assert [closed.get(timeout=DEADLINE / 2), closed.get(timeout=DEADLINE / 2)] == ["stopped"] * 2


def test_one_that_was_removed_hears_nothing_more(server: FakeApiServer,
                                                 reflector: Reflector) -> None:
    told, others = Told(), Told()
    handler = reflector.add_handler(**told.callbacks)
    reflector.add_handler(**others.callbacks)
    with reflector:
        assert told.next() == others.next() == ("add", "first")
        handler.remove()
        handler.remove()
        server.create(config_map("second"))
        assert others.next() == ("add", "second")
    with reflector:
        server.create(config_map("third"))
        assert others.next() == ("add", "third")
    assert told.is_empty()


def test_one_may_remove_itself(server: FakeApiServer, reflector: Reflector) -> None:
    names: SimpleQueue[str] = SimpleQueue()

    def once(new: Any) -> None:
        names.put(new["metadata"]["name"])
        handler.remove()

    handler = reflector.add_handler(once)
    server.create(config_map("second"))
    with reflector:
        assert names.get(timeout=DEADLINE) in ("first", "second")
        assert handler.join(DEADLINE)
    assert names.empty()


def test_after_a_restart_it_is_told_of_what_changed_meanwhile(server: FakeApiServer,
                                                              reflector: Reflector) -> None:
    told = Told()
    reflector.add_handler(**told.callbacks)
    with reflector:
        assert told.next() == ("add", "first")
        server.create(config_map("gone"))
        assert told.next() == ("add", "gone")
    for number in range(3):
        server.delete("configmaps", "gone", "ns")
        server.create(config_map(f"new-{number}"))
        with reflector:
            assert {told.next(), told.next()} == {("delete", "gone"), ("add", f"new-{number}")}
            server.create(config_map("gone"))
            assert told.next() == ("add", "gone")
    assert told.is_empty()


def test_a_restart_does_not_call_twice_at_a_time(server: FakeApiServer,
                                                 reflector: Reflector) -> None:
    entered: SimpleQueue[str] = SimpleQueue()
    may_go_on, running = threading.Event(), []

    def block(new: Any) -> None:
        running.append(1)
        assert len(running) == 1, "one callback at a time"
        entered.put(new["metadata"]["name"])
        may_go_on.wait(DEADLINE)
        running.clear()

    handler = reflector.add_handler(block)
    reflector.start()
    assert entered.get(timeout=DEADLINE) == "first"
    reflector.close(timeout=0.1)
    reflector.start()
    server.create(config_map("second"))
    wait_until(lambda: len(reflector.store) == 2)
    assert entered.empty()
    may_go_on.set()
    assert entered.get(timeout=DEADLINE) == "second"
    assert handler.errors == 0


def test_too_much_for_one_is_a_resync(server: FakeApiServer, reflector: Reflector) -> None:
    told, blocked, may_go_on = Told(), threading.Event(), threading.Event()
    add = told.callbacks["on_add"]

    def block_once(new: Any) -> None:
        blocked.set()
        may_go_on.wait(DEADLINE)
        add(new)

    handler = reflector.add_handler(**{**told.callbacks, "on_add": block_once}, buffer_size=2,
                                    overflow="resync")
    with reflector:
        assert blocked.wait(DEADLINE)
        for name in "abc":
            server.create(config_map(name))
        wait_until(lambda: len(reflector.store) == 4 and handler.dropped >= 3)
        may_go_on.set()
        assert [told.next(), told.next()] == [("add", "first"), ("resync",)]
        assert {told.next() for _ in range(4)} == {("add", name) for name in ("first", *"abc")}


@pytest.mark.parametrize(("callbacks", "error"), [
    ({}, ValueError), ({"on_add": "print"}, TypeError), ({"on_resync": 1}, TypeError),
])
def test_mistakes_are_said_at_once(reflector: Reflector, callbacks: Any,
                                   error: type[Exception]) -> None:
    with pytest.raises(error, match="on_add|on_resync"):
        reflector.add_handler(**callbacks)
