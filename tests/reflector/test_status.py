"""kube_reflect.status"""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest
from kubernetes import client

from kube_reflect.backoff import Backoff
from kube_reflect.dispatcher import Applied
from kube_reflect.errors import InitialListFailed, StaleCache, WatchFailed
from kube_reflect.reflector import Reflector
from kube_reflect.status import Health, Phase
from kube_reflect.testing import FakeApiServer

from tests.support.cache_helpers import DEADLINE, wait_until
from tests.support.reflector_helpers import LIST_WATCH, pod, server, threads_of, v1

__all__ = ["server", "v1"]

FORBIDDEN = InitialListFailed("cannot list: HTTP 403", code=403)
REFUSED = InitialListFailed("cannot list: refused")


class Time:
    """A clock, and a timer, that move when they are told to."""

    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def health(clock: Time, caplog: pytest.LogCaptureFixture) -> Health:
    caplog.set_level(logging.INFO, "kube_reflect")
    return Health("name", clock=clock, timer=clock)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.levelname for record in caplog.records]


@pytest.mark.parametrize(("state", "phase"), [
    ("Empty", Phase.LISTING), ("InitPage", Phase.LISTING), ("InitialWatch", Phase.LISTING),
    ("InitListed", Phase.CONNECTING), ("Watching", Phase.WATCHING),
])
def test_each_state_of_the_watcher_is_a_phase(health: Health, state: str, phase: Phase) -> None:
    assert health.moment.phase is Phase.STOPPED
    health.entered_state(state)
    assert health.moment.phase is phase


def test_a_phase_knows_since_when(health: Health, clock: Time) -> None:
    health.enter(Phase.LISTING)
    clock.now += 5
    health.entered_state("InitPage")
    assert health.moment.since == 5000
    health.entered_state("InitListed")
    assert health.moment.since == 5005


def test_each_kind_of_failure_is_said_once(
        health: Health, caplog: pytest.LogCaptureFixture) -> None:
    for error in (FORBIDDEN, FORBIDDEN, REFUSED, REFUSED, FORBIDDEN):
        health.failed(error)
        health.waiting(1.0)
    assert said(caplog) == ["WARNING"] * 2
    assert health.moment.error is FORBIDDEN and health.moment.phase is Phase.BACKING_OFF


def test_a_failure_is_over_after_some_time_of_work(
        health: Health, clock: Time, caplog: pytest.LogCaptureFixture) -> None:
    health.worked()
    assert said(caplog) == []
    health.failed(FORBIDDEN)
    health.waiting(3.0)
    clock.now += 12.9
    health.worked()
    health.failed(FORBIDDEN)
    assert said(caplog) == ["WARNING"]
    clock.now += 10
    health.worked()
    health.worked()
    assert said(caplog) == ["WARNING", "INFO"]
    health.failed(FORBIDDEN)
    assert said(caplog) == ["WARNING", "INFO", "WARNING"]
    assert health.moment.error is FORBIDDEN


def test_a_thread_that_died_is_said_aloud(
        health: Health, caplog: pytest.LogCaptureFixture) -> None:
    death = MemoryError("no more")
    health.died(death)
    assert health.moment.phase is Phase.DEAD and health.moment.error is death
    assert said(caplog) == ["ERROR"] and "no more" in caplog.text


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


def test_a_dead_thread_of_one_namespace_is_no_less_silent(
        server: FakeApiServer, v1: client.CoreV1Api, caplog: pytest.LogCaptureFixture) -> None:
    deadly = ["other"]

    def transform(obj: dict[str, Any]) -> dict[str, Any]:
        if obj["metadata"]["namespace"] in deadly:
            raise SystemExit("enough")
        return obj

    with Reflector(v1.list_namespaced_pod, namespaces=["ns", "other"],
                   transform=transform) as reflector:
        reflector.store.wait_until_ready(timeout=DEADLINE)
        subscription = reflector.subscribe()
        server.create(pod("c", "other"))
        wait_until(lambda: {name: one.phase for name, one in reflector.status.namespaces.items()}
                   == {"ns": Phase.WATCHING, "other": Phase.DEAD}, "the death")
        assert [change.ref.name for change in subscription if isinstance(change, Applied)] == [
            "a", "b"]
        status = reflector.status
        assert status.phase is Phase.DEAD and not status.live and not status.thread_alive
        server.create(pod("d"))
        wait_until(lambda: reflector.store.get("d", "ns") is not None, "the other namespace")
        deadly.clear()
        reflector.start()
        wait_until(lambda: reflector.store.get("c", "other") is not None and reflector.status.live,
                   "its return")
        assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_dead_thread_is_never_silent(
        server: FakeApiServer, v1: client.CoreV1Api, caplog: pytest.LogCaptureFixture) -> None:
    class Death(BaseException):
        pass

    def transform(obj: dict[str, Any]) -> dict[str, Any]:
        raise Death("the end")

    with Reflector(v1.list_namespaced_pod, "ns", transform=transform, name="dies") as reflector:
        wait_until(lambda: not threads_of("dies"), "the end of the thread")
        status = reflector.status
        assert status.phase is Phase.DEAD and not status.live and not status.thread_alive
        assert isinstance(status.last_error, Death) and "the end" in caplog.text
