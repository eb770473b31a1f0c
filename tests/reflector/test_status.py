"""Reflector.status, as a user sees it."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import threading
import time
from typing import Any

import pytest
from kubernetes import client

from kube_reflect.backoff import Backoff
from kube_reflect.dispatcher import Applied
from kube_reflect.errors import StaleCache, WatchFailed
from kube_reflect.reflector import Reflector
from kube_reflect.status import Phase
from kube_reflect.testing import FakeApiServer

from tests.support.objects import new_pod as pod
from tests.support.reflector_helpers import Deadly, LIST_WATCH, server, threads_of, v1
from tests.support.waiting import DEADLINE, wait_until

__all__ = ["server", "v1"]


def test_the_status_before_the_start(v1: client.CoreV1Api) -> None:
    status = Reflector(v1.list_namespaced_pod, "ns").status
    assert status.phase is Phase.STOPPED
    assert not (status.ready or status.live or status.thread_alive)
    assert (status.last_contact, status.staleness, status.last_error, status.code,
            status.resource_version) == (None,) * 5
    assert (status.relists, status.reconnects, status.events, status.objects,
            status.poisoned) == (0,) * 5


def test_the_status_while_it_watches(server: FakeApiServer, v1: client.CoreV1Api) -> None:
    before = time.time()
    with Reflector(v1.list_namespaced_pod, "ns", config=LIST_WATCH) as reflector:
        wait_until(lambda: reflector.status.live)
        server.create(pod("c"))
        server.delete("pods", "a", "ns")
        wait_until(lambda: reflector.status.events == 2)
        status = reflector.status
        assert status.phase is Phase.WATCHING and status.ready and status.thread_alive
        assert status.resource_version == server.resource_version
        assert (status.relists, status.reconnects, status.objects, status.poisoned) == (0, 0, 2, 0)
        assert before <= status.since <= time.time()
        assert status.last_contact is not None and status.staleness is not None
        assert before - 1 <= status.last_contact <= time.time() + 1
        assert 0 <= status.staleness < DEADLINE
        assert reflector.store.get("b", "ns", max_staleness=DEADLINE) is not None
        with pytest.raises(StaleCache):
            reflector.store.get("b", "ns", max_staleness=0)
    after = reflector.status
    assert after.phase is Phase.STOPPED and after.ready and not after.live
    assert after.objects == 2 and not after.thread_alive


def test_the_status_counts_reconnects_and_relists(
        server: FakeApiServer, v1: client.CoreV1Api) -> None:
    with Reflector(v1.list_namespaced_pod, "ns", backoff=Backoff(0.01)) as reflector:
        wait_until(lambda: reflector.status.live and server.watches == 1)
        server.disconnect()
        wait_until(lambda: reflector.status.reconnects >= 1 and reflector.status.live
                   and server.watches == 1)
        assert isinstance(reflector.status.last_error, WatchFailed)
        assert reflector.status.code is None and reflector.status.relists == 0
        server.forbid("pods", verb="watch")
        server.disconnect()
        server.create(pod("c"))
        server.compact()
        server.allow()
        wait_until(lambda: reflector.status.relists >= 1 and reflector.status.objects == 3)
        assert reflector.status.ready


def test_the_status_counts_objects_that_are_spoilt(
        server: FakeApiServer, v1: client.CoreV1Api) -> None:
    def transform(obj: dict[str, Any]) -> dict[str, Any]:
        if obj["metadata"]["name"] == "a":
            raise KeyError("a mistake in the transform")
        return obj

    with Reflector(v1.list_namespaced_pod, "ns", transform=transform) as reflector:
        reflector.store.wait_until_ready(timeout=DEADLINE)
        status = reflector.status
        assert (status.objects, status.poisoned, status.last_error) == (1, 1, None)


def test_a_transform_that_exits_spoils_that_object_alone(
        server: FakeApiServer, v1: client.CoreV1Api, caplog: pytest.LogCaptureFixture) -> None:
    def transform(obj: dict[str, Any]) -> dict[str, Any]:
        if obj["metadata"]["name"] == "a":
            raise SystemExit("enough")
        return obj

    with Reflector(v1.list_namespaced_pod, "ns", transform=transform) as reflector:
        reflector.store.wait_until_ready(timeout=DEADLINE)
        server.create(pod("c"))
        wait_until(lambda: reflector.store.get("c", "ns") is not None)
        status = reflector.status
        assert (status.objects, status.poisoned, status.thread_alive) == (2, 1, True)
    assert "SystemExit: enough" in caplog.text and "a.ns" in caplog.text


class Mute(SystemExit):
    def __str__(self) -> str:
        raise ValueError("it cannot be said")


def test_what_ends_a_transform_need_not_say_anything(
        server: FakeApiServer, v1: client.CoreV1Api, caplog: pytest.LogCaptureFixture) -> None:
    def transform(obj: dict[str, Any]) -> dict[str, Any]:
        if obj["metadata"]["name"] == "a":
            raise Mute
        return obj

    with Reflector(v1.list_namespaced_pod, "ns", transform=transform) as reflector:
        reflector.store.wait_until_ready(timeout=DEADLINE)
        assert (reflector.status.objects, reflector.status.poisoned) == (1, 1)
    assert "user code failed (Mute)" in caplog.text


def test_an_index_that_exits_at_the_end_of_a_list_spoils_that_object_alone(
        server: FakeApiServer, v1: client.CoreV1Api) -> None:
    relisting, indexed = threading.Event(), threading.Event()

    def transform(obj: dict[str, Any]) -> dict[str, Any]:
        if obj["metadata"]["labels"].get("state") == "last":
            relisting.set()
            assert indexed.wait(DEADLINE)
        return obj

    def by_state(obj: Any) -> list[str]:
        if obj["metadata"]["labels"].get("state") == "bad":
            raise SystemExit("enough")
        return ["good"]

    with Reflector(v1.list_namespaced_pod, "ns", transform=transform, model=dict,
                   backoff=lambda: Backoff(0.01)) as reflector:
        wait_until(lambda: reflector.status.live)
        server.forbid("pods", verb="watch")
        server.disconnect()
        server.update(pod("a", state="bad"))
        server.update(pod("b", state="last"))
        server.compact()
        server.allow()
        assert relisting.wait(DEADLINE)
        reflector.add_index("state", by_state)
        indexed.set()
        wait_until(lambda: reflector.status.relists >= 1 and reflector.status.live)
        assert [obj["metadata"]["name"] for obj in reflector.store.by_index("state", "good")] == [
            "b"]
        assert reflector.status.thread_alive and reflector.status.poisoned


def test_a_dead_thread_of_one_namespace_is_no_less_silent(
        server: FakeApiServer, v1: client.CoreV1Api, caplog: pytest.LogCaptureFixture) -> None:
    backoffs = [Backoff(0.01, maximum=0.02), Deadly(0.01, maximum=0.02)]
    with Reflector(v1.list_namespaced_pod, namespaces=["ns", "other"],
                   backoff=lambda: backoffs.pop(0) if backoffs else Backoff(0.01)) as reflector:
        reflector.store.wait_until_ready(timeout=DEADLINE)
        wait_until(lambda: server.watches == 2)
        subscription = reflector.subscribe()
        server.disconnect()
        wait_until(lambda: {name: one.phase for name, one in reflector.status.namespaces.items()}
                   == {"ns": Phase.WATCHING, "other": Phase.DEAD}, "the death")
        assert [change.ref.name for change in subscription if isinstance(change, Applied)] == [
            "a", "b"]
        wait_until(lambda: not reflector.status.thread_alive, "the end of its thread")
        status = reflector.status
        assert status.phase is Phase.DEAD and not status.live
        server.create(pod("c", "other"))
        server.create(pod("d"))
        wait_until(lambda: reflector.store.get("d", "ns") is not None, "the other namespace")
        reflector.start()
        wait_until(lambda: reflector.store.get("c", "other") is not None and reflector.status.live,
                   "its return")
        reflector.store.wait_until_ready(DEADLINE)
        assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_dead_thread_is_never_silent(
        server: FakeApiServer, v1: client.CoreV1Api, caplog: pytest.LogCaptureFixture) -> None:
    with Reflector(v1.list_namespaced_pod, "ns", name="dies", backoff=Deadly()) as reflector:
        wait_until(lambda: reflector.status.live)
        server.disconnect()
        wait_until(lambda: not threads_of("dies"), "the end of the thread")
        status = reflector.status
        assert status.phase is Phase.DEAD and not status.live and not status.thread_alive
        assert isinstance(status.last_error, SystemExit) and "as if" in caplog.text
        assert reflector.store.get("a", "ns") is not None


def test_a_status_can_be_taken_anywhere(server: FakeApiServer, v1: client.CoreV1Api) -> None:
    server.forbid("pods")
    with Reflector(v1.list_namespaced_pod, namespaces=["ns"]) as reflector:
        wait_until(lambda: reflector.status.code == 403)
        status = reflector.status
    for other in (pickle.loads(pickle.dumps(status)), copy.deepcopy(status)):
        assert other.phase is status.phase and other.code == 403
        assert type(other.last_error) is type(status.last_error)
        assert str(other.last_error) == str(status.last_error)
    assert dataclasses.asdict(status)["namespaces"]["ns"]["code"] == 403
    assert "403" in json.loads(json.dumps(status.to_dict()))["last_error"]
