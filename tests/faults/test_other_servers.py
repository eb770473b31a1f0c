"""Servers that are no kube-apiserver, or whose streaming lists are of no use, are followed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kube_reflect import Phase
from kube_reflect.testing import FaultServer, faults

from tests.support.waiting import timed, wait_until

from ._common import (
    AUTO, LIST_WATCH, NAMESPACE, check_in_step, check_no_traceback, config, disconnect, lists,
    pod, reflector, said, served, versions,
)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(bookmark_interval=0.2) as running:
        for name in ("a", "b", "c"):
            running.create(pod(name))
        yield running


def edited(change: Callable[[str, dict[str, Any]], object]) -> faults.EditLines:
    """Answer a WATCH with lines whose objects a function has changed, given their type."""
    def edit(line: bytes) -> bytes:
        event = json.loads(line)
        change(event["type"], event["object"])
        return json.dumps(event).encode() + b"\n"

    return faults.EditLines(edit)


def without_version(kind: str, obj: dict[str, Any]) -> None:
    obj["metadata"].pop("resourceVersion", None)


@pytest.mark.parametrize("fault", [
    faults.ErrorEvent(500), faults.ErrorEvent(410), faults.ErrorEvent(None, ""),
    edited(without_version), faults.Status(422), faults.Status(500), faults.EndAtOnce(),
    faults.HalfLine("reset"), faults.Lines(faults.NULL), faults.HangUp(),
], ids=range(10))
def test_a_streaming_list_that_is_of_no_use_is_followed_by_a_list(
        server: FaultServer, fault: faults.Fault) -> None:
    server.fault(fault, when=faults.streaming_list)
    with reflector(server, config(AUTO)) as running:
        assert timed(lambda: running.store.wait_until_ready(timeout=10)) < 5
        check_in_step(running, server)
        server.create(pod("d"))
        check_in_step(running, server)
    assert len([one for one in server.requests if one.flag("sendInitialEvents")]) == 1


def odd_version(kind: str, obj: dict[str, Any]) -> None:
    obj["metadata"]["resourceVersion"] = "odd-" + obj["metadata"]["resourceVersion"]


def old_version_of_what_is_deleted(kind: str, obj: dict[str, Any]) -> None:
    if kind == "DELETED":
        obj["metadata"]["resourceVersion"] = "1"


def no_version_of_bookmarks(kind: str, obj: dict[str, Any]) -> None:
    if kind == "BOOKMARK":
        del obj["metadata"]["resourceVersion"]


@pytest.mark.parametrize("change", [
    odd_version, old_version_of_what_is_deleted, no_version_of_bookmarks, without_version,
], ids=lambda change: change.__name__)
def test_odd_versions_of_events_are_no_reason_to_list_anew(
        server: FaultServer, change: Any, caplog: pytest.LogCaptureFixture) -> None:
    server.fault(edited(change), when="watch")
    with reflector(server, config(LIST_WATCH)) as running:
        check_in_step(running, server)
        for number in range(10):
            server.create(pod(f"p{number}"))
            server.delete("Pod", f"p{number}", NAMESPACE)
        server.create(pod("last"))
        wait_until(lambda: {one["metadata"]["name"] for one in running.store.state()}
                   == set(served(server)))
        assert running.status.live and running.status.relists == 0 and lists(server) == 1
    assert said(caplog.records) == []


def test_lists_without_a_version_are_watched(server: FaultServer) -> None:
    server.fault(faults.EditList(faults.without_resource_version), when="list")
    with reflector(server, config(LIST_WATCH)) as running:
        check_in_step(running, server)
        server.create(pod("d"))
        server.delete("Pod", "a", NAMESPACE)
        check_in_step(running, server)
        listed = lists(server)
        assert listed == 1 and running.status.live
        # There is nothing to resume from.
        disconnect(server)
        server.delete("Pod", "b", NAMESPACE)
        check_in_step(running, server)
        assert lists(server) > listed


@pytest.mark.parametrize("strategy", [AUTO, LIST_WATCH])
@pytest.mark.parametrize("code", [405, 404])
def test_what_cannot_be_watched_is_polled(
        server: FaultServer, code: int, strategy: Any, caplog: pytest.LogCaptureFixture) -> None:
    server.fault(faults.Status(code), when="watch")
    with reflector(server, config(strategy, poll_interval=0.05)) as running:
        wait_until(lambda: running.status.phase is Phase.POLLING)
        server.create(pod("d"))
        server.delete("Pod", "a", NAMESPACE)
        wait_until(lambda: versions(running.store) == served(server))
        with server.fault(faults.Status(500), when="list", times=2) as trouble:
            trouble.wait(2)
        server.create(pod("e"))
        wait_until(lambda: versions(running.store) == served(server))
        assert timed(running.close) < 2
    check_no_traceback(caplog.records)


def test_what_has_no_version_and_cannot_be_watched_is_polled(server: FaultServer) -> None:
    """As metrics.k8s.io."""
    server.fault(faults.Status(405), when="watch")
    server.fault(faults.EditList(faults.without_resource_version), when="list")
    with reflector(server, config(AUTO, poll_interval=0.05)) as running:
        wait_until(lambda: running.status.phase is Phase.POLLING)
        server.create(pod("d"))
        server.delete("Pod", "a", NAMESPACE)
        wait_until(lambda: versions(running.store) == served(server))
        assert running.status.last_error is None and running.status.live


def test_between_two_polls_it_is_closed_at_once(server: FaultServer) -> None:
    server.fault(faults.Status(405), when="watch")
    with reflector(server, config(LIST_WATCH, poll_interval=3600.0)) as running:
        wait_until(lambda: running.status.phase is Phase.POLLING)
        assert timed(running.close) < 2


@pytest.mark.parametrize("then", ["close", "end"])
def test_half_a_line_that_close_cuts_off_is_no_failure(
        server: FaultServer, then: Any, caplog: pytest.LogCaptureFixture) -> None:
    server.fault(faults.BodyUntilClose(), when="list")
    server.fault(faults.Stop(1, half=True), when="watch")
    # Without bookmarks, one of which could be the line that is let through.
    with reflector(server, config(LIST_WATCH, bookmarks=False)) as running:
        running.store.wait_until_ready(timeout=10)
        wait_until(lambda: server.watches)
        server.create(pod("d"))
        server.create(pod("e"))
        wait_until(lambda: "d" in versions(running.store))
    assert said(caplog.records) == []
