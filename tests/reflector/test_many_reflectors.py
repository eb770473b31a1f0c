"""Reflectors that were left running, and namespaces that are no longer watched."""

from __future__ import annotations

import logging
from queue import SimpleQueue
from typing import Any

import pytest
from kubernetes import client

from kube_reflect import Applied, Deleted, Phase, Reason, Reflector, close_all
from kube_reflect.testing import FakeApiServer

from tests.support.objects import new_pod as pod
from tests.support.reflector_helpers import server, v1
from tests.support.waiting import DEADLINE, wait_until

__all__ = ["server", "v1"]


def test_a_cell_of_a_notebook_that_is_run_again_is_worth_one_warning(
        server: FakeApiServer, v1: client.CoreV1Api, caplog: pytest.LogCaptureFixture) -> None:
    cells = [Reflector(v1.list_namespaced_pod, "ns").start() for _ in range(12)]
    elsewhere = Reflector(v1.list_namespaced_pod, "ns").start()
    other = Reflector(v1.list_namespaced_pod, "other").start()
    wait_until(lambda: all(one.status.live for one in (*cells, elsewhere, other)))
    said = [record.getMessage() for record in caplog.records
            if record.levelno == logging.WARNING]
    assert len(said) == 1 and "close_all" in said[0]
    close_all()
    for one in (*cells, elsewhere, other):
        assert one.status.phase is Phase.STOPPED and not one.status.thread_alive
    wait_until(lambda: server.watches == 0)


def test_what_is_no_longer_watched_lives_on(server: FakeApiServer, v1: client.CoreV1Api) -> None:
    server.create(pod("x", "other"))
    told: SimpleQueue[Any] = SimpleQueue()

    def deleted(obj: Any, reason: Reason) -> None:
        told.put((obj.metadata.name, reason))

    with Reflector(v1.list_namespaced_pod, namespaces=["ns", "other"]) as reflector:
        reflector.add_handler(on_delete=deleted)
        reflector.store.wait_until_live(DEADLINE)
        subscription = reflector.subscribe()
        for _ in range(3):
            assert isinstance(subscription.get(DEADLINE), Applied)
        reflector.remove_namespace("other")
        assert told.get(timeout=DEADLINE) == ("x", Reason.UNWATCHED)
        change = subscription.get(DEADLINE)
        assert isinstance(change, Deleted) and change.reason is Reason.UNWATCHED
        server.delete("pods", "a", "ns")
        assert told.get(timeout=DEADLINE) == ("a", Reason.DELETED)
    assert server.objects("pods") != []
