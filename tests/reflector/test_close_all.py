"""kube_reflect.close_all, and the warning that leads to it: a notebook's cell that is run again."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes import client

from kube_reflect import Config, Reflector, close_all
from kube_reflect.testing import FakeApiServer

from tests.support.waiting import wait_until
from tests.support.reflector_helpers import server, threads_of, v1

__all__ = ["server", "v1"]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records
            if "made by the same line" in record.getMessage()]


def test_a_cell_that_is_run_again_and_again(
        server: FakeApiServer, v1: client.CoreV1Api, caplog: pytest.LogCaptureFixture) -> None:
    pods: list[Reflector[Any]] = []
    for number in range(12):
        pods.append(Reflector(v1.list_namespaced_pod, "ns", name=f"cell-{number}").start())
    wait_until(lambda: server.watches == 12)
    assert len(warnings(caplog)) == 1 and "kube_reflect.close_all()" in caplog.text
    close_all()
    assert not [thread for number in range(12) for thread in threads_of(f"cell-{number}")]


def test_one_line_may_make_reflectors_that_differ(
        server: FakeApiServer, v1: client.CoreV1Api, caplog: pytest.LogCaptureFixture) -> None:
    differing: list[dict[str, Any]] = [
        {"namespace": "ns"}, {"namespace": "other"}, {"namespace": "ns", "metadata_only": True},
        {"namespace": "ns", "config": Config(label_selector="a=b")},
        {"namespaces": ["ns"]}, {"namespaces": ["ns", "other"]}]
    for arguments in differing:
        Reflector(v1.list_namespaced_pod, **arguments).start()
    assert not warnings(caplog)
    close_all()


def test_one_that_was_closed_is_no_reason_to_warn(
        server: FakeApiServer, v1: client.CoreV1Api, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        with Reflector(v1.list_namespaced_pod, "ns"):
            pass
    assert not warnings(caplog)
