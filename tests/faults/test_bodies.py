"""Odd answers: what can be read is read, what cannot is said, and one bad object is one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from kube_reflect import Reflector
from kube_reflect.testing import FaultServer, faults

from tests.support.waiting import wait_until

from ._common import (
    LIST_WATCH, NAMESPACE, STRATEGIES, api, check_in_step, check_no_traceback, config,
    disconnect, lists, pod, quick, reflector, said, versions,
)


@pytest.fixture(params=[False, True], ids=["http", "https"])
def server(request: pytest.FixtureRequest) -> Iterator[FaultServer]:
    with FaultServer(tls=request.param, bookmark_interval=0.2, history=50_000) as running:
        for name in ("a", "b", "c"):
            running.create(pod(name))
        yield running


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("fault", [
    faults.ConnectionClose(), faults.BodyUntilClose(), faults.Delay(0.1),
    faults.EditList(faults.duplicate_items), faults.Lines(faults.BLANK, faults.BLANK),
], ids=lambda fault: type(fault).__name__)
def test_what_is_odd_but_good(server: FaultServer, fault: faults.Fault, strategy: Any,
                              caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    when = {faults.EditList: "list", faults.Lines: "watch"}.get(type(fault))
    server.fault(fault, when=when)
    with reflector(server, config(strategy)) as running:
        check_in_step(running, server)
        server.create(pod("d"))
        server.delete("Pod", "a", NAMESPACE)
        check_in_step(running, server)
        assert running.status.relists == running.status.poisoned == 0
    assert said(caplog.records) == []


def test_a_list_whose_items_are_null_is_empty(server: FaultServer) -> None:
    server.fault(faults.EditList(faults.null_items), when="list")
    with reflector(server, config(LIST_WATCH)) as running:
        running.store.wait_until_ready(timeout=10)
        assert running.store.is_empty()
        server.create(pod("d"))
        wait_until(lambda: set(versions(running.store)) == {"d"})


def test_an_item_without_a_name_is_left_out(
        server: FaultServer, caplog: pytest.LogCaptureFixture) -> None:
    server.fault(faults.EditList(faults.nameless_item), when="list")
    with reflector(server, config(LIST_WATCH)) as running:
        running.store.wait_until_ready(timeout=10)
        assert set(versions(running.store)) == {"b", "c"}
        assert running.status.poisoned == 1
    check_no_traceback(caplog.records)


@pytest.mark.parametrize("fault", [
    faults.Lines(faults.NULL), faults.Lines(faults.TRUNCATED), faults.Lines(faults.INVALID_UTF8),
    faults.Lines(faults.UNKNOWN_TYPE), faults.Lines(faults.NO_OBJECT), faults.HalfLine("close"),
    faults.HalfLine("reset"), faults.ErrorEvent(None, ""), faults.ErrorEvent(500),
    faults.HeadersOnly("close"), faults.Reset(), faults.Html(), faults.Status(503, retry_after=0),
], ids=repr)
def test_a_watch_that_breaks_is_resumed(server: FaultServer, fault: faults.Fault,
                                        caplog: pytest.LogCaptureFixture) -> None:
    with reflector(server, config(LIST_WATCH)) as running:
        check_in_step(running, server)
        listed = lists(server)
        with server.fault(fault, when="watch", times=1) as broken:
            disconnect(server)
            server.create(pod("d"))
            broken.wait()
            check_in_step(running, server)
        assert lists(server) == listed and running.status.relists == 0
    check_no_traceback(caplog.records)


@pytest.mark.parametrize("fault", [faults.Status(410), faults.ErrorEvent()], ids=repr)
def test_410_is_one_relist(server: FaultServer, fault: faults.Fault) -> None:
    with reflector(server, config(LIST_WATCH)) as running:
        check_in_step(running, server)
        with server.fault(fault, when="watch", times=1):
            disconnect(server)
            server.delete("Pod", "a", NAMESPACE)
            check_in_step(running, server)
        wait_until(lambda: running.status.live)
        assert running.status.relists == 1 and running.status.code == 410


@pytest.mark.parametrize("fault, times", [(faults.Status(410), 1), (faults.Status(410), None),
                                          (faults.Truncate(200), 1)])
def test_a_page_that_cannot_be_had(server: FaultServer, fault: faults.Fault,
                                   times: int | None) -> None:
    server.fault(fault, when=faults.next_page, times=times)
    with reflector(server, config(LIST_WATCH, page_size=1)) as running:
        check_in_step(running, server)
        assert running.status.relists == 0


@pytest.mark.parametrize("fault", [faults.OneChunk(10_000), faults.CutAfter(0.1)], ids=repr)
def test_ten_thousand_events(server: FaultServer, fault: faults.Fault) -> None:
    with reflector(server, config(LIST_WATCH)) as running:
        check_in_step(running, server)
        with server.fault(fault, when="watch", times=1):
            disconnect(server)
            server.wait_for_request(lambda request: request.verb == "watch", count=2)
            for number in range(10_000):
                server.patch("Pod", "a", {"metadata": {"annotations": {"n": str(number)}}},
                             NAMESPACE)
            check_in_step(running, server)
        assert running.status.relists == 0


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_object_of_five_megabytes(server: FaultServer, strategy: Any) -> None:
    server.create(pod("big", filler="x" * 5_000_000))
    with reflector(server, config(strategy)) as running:
        check_in_step(running, server)
        server.patch("Pod", "big", {"metadata": {"labels": {"x": "y"}}}, NAMESPACE)
        check_in_step(running, server)
        found = running.store.get("big", NAMESPACE)
        assert len(found["metadata"]["annotations"]["filler"]) == 5_000_000


def poison(obj: Any) -> Any:
    if obj["metadata"]["name"] == "b":
        raise ValueError("not this one")
    return obj


@pytest.mark.parametrize("where", ["model", "transform", "indexers"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_poison_object_is_that_object_only(
        server: FaultServer, strategy: Any, where: str, caplog: pytest.LogCaptureFixture) -> None:
    more: dict[str, Any] = {"model": dict}
    if where == "model":
        more["model"] = lambda mapping: (poison(mapping), "decoded")[1]
    elif where == "transform":
        more["transform"] = poison
    else:
        more["indexers"] = {"name": lambda obj: [poison(obj)["metadata"]["name"]]}
    with Reflector(api(server).list_namespaced_pod, NAMESPACE, config=config(strategy),
                   backoff=quick(), **more) as running:
        running.store.wait_until_ready(timeout=10)
        server.patch("Pod", "b", {"metadata": {"labels": {"x": "y"}}}, NAMESPACE)
        server.create(pod("d"))
        wait_until(lambda: running.store.get("d", NAMESPACE) is not None)
        bad, good = running.store.get("b", NAMESPACE), running.store.get("c", NAMESPACE)
        assert good is not None and running.status.poisoned >= 1
        if where == "model":
            assert isinstance(bad, dict) and good == "decoded"
        elif where == "transform":
            assert bad is None
        else:
            assert bad is not None and running.store.by_index("name", "b") == []
            assert len(running.store.by_index("name", "c")) == 1
        wait_until(lambda: running.status.resource_version == server.resource_version)
    check_no_traceback(caplog.records)
