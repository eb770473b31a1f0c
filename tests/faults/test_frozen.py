"""A connection that falls silent is noticed, and resumed without loss."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest

from kube_reflect import Applied, Deleted, InitialListStrategy, Phase
from kube_reflect.testing import FaultServer, faults

from tests.support.waiting import wait_until

from ._common import (
    AUTO, LIST_WATCH, NAMESPACE, STRATEGIES, check_in_step, check_no_traceback, churning,
    config, disconnect, lists, pod, reflector, said, served, versions,
)


@pytest.fixture(params=[False, True], ids=["http", "https"])
def server(request: pytest.FixtureRequest) -> Iterator[FaultServer]:
    with FaultServer(tls=request.param, bookmark_interval=0.2) as running:
        for name in ("a", "b", "c"):
            running.create(pod(name))
        yield running


class Heard:
    """What a subscriber was told, and what that amounts to."""

    def __init__(self, subscription: Any) -> None:
        self._subscription = subscription
        self.versions: dict[str, str] = {}
        self.told: list[tuple[str, str]] = []

    def catch_up(self) -> None:
        while True:
            try:
                item = self._subscription.get(timeout=0)
            except TimeoutError:
                return
            metadata = item.object["metadata"]
            name, version = metadata["name"], metadata["resourceVersion"]
            if isinstance(item, Applied):
                self.told.append((name, version))
                self.versions[name] = version
            elif isinstance(item, Deleted):
                self.versions.pop(name, None)


@pytest.mark.parametrize("half_line", [False, True])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_it_is_noticed_and_resumed(
        server: FaultServer, strategy: InitialListStrategy, half_line: bool,
        caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with reflector(server, config(strategy, idle_timeout=1.0)) as running:
        check_in_step(running, server)
        server.create(pod("d"))
        check_in_step(running, server)
        wait_until(lambda: running.status.live)
        requests, listed = len(server.requests), lists(server)
        seen = running.status.resource_version
        assert server.freeze("watch", half_line=half_line) == 1
        frozen_at = time.monotonic()
        server.create(pod("e"))
        server.delete("Pod", "a", NAMESPACE)
        server.patch("Pod", "b", {"metadata": {"labels": {"x": "y"}}}, NAMESPACE)
        resumed = server.wait_for_request(
            lambda request: request.time > frozen_at, timeout=10.0)
        assert resumed.time - frozen_at < 1.0 + 1.5
        assert resumed.verb == "watch" and not resumed.flag("sendInitialEvents")
        assert int(resumed.query["resourceVersion"]) >= int(seen)
        check_in_step(running, server)
        assert lists(server) == listed and running.status.relists == 0
        assert running.status.reconnects == 1 and len(server.requests) == requests + 1
    assert [line for line in said(caplog.records, logging.INFO) if "trying again" in line] \
        and not said(caplog.records)
    check_no_traceback(caplog.records)


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_under_churn(server: FaultServer) -> None:
    with reflector(server, config(idle_timeout=1.0)) as running:
        subscription = running.subscribe(buffer_size=100_000)
        heard = Heard(subscription)
        check_in_step(running, server)
        with churning(server):
            for turn in range(2):
                reconnects = running.status.reconnects
                server.freeze("watch", half_line=turn == 1)
                wait_until(lambda: running.status.reconnects > reconnects)
                wait_until(lambda: running.status.live)
        check_in_step(running, server)
        wait_until(lambda: (heard.catch_up(), heard.versions == served(server))[1])
        assert len(set(heard.told)) == len(heard.told)
        assert running.status.relists == 0
        subscription.close()


@pytest.mark.parametrize("fault", [
    faults.NoEndBookmark(), faults.HeadersOnly(), faults.HalfLine(), faults.Stop(lines=2),
    faults.Stop(lines=3, then="end"), faults.Stop(lines=2, half=True, then="close"),
], ids=repr)
def test_a_streaming_list_that_does_not_end_falls_back_to_list(
        server: FaultServer, fault: faults.Fault, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    server.fault(fault, when=faults.streaming_list)
    began = time.monotonic()
    with reflector(server, config(AUTO, idle_timeout=1.0)) as running, churning(server):
        running.store.wait_until_ready(timeout=10)
        took = time.monotonic() - began
        wait_until(lambda: running.status.live)
        disconnect(server)
        wait_until(lambda: running.status.reconnects > 0 and running.status.live)
    assert took < 1.0 + 2.0
    fallen = [line for line in said(caplog.records, logging.INFO) if "LIST for a while" in line]
    streamed = [one for one in server.requests if one.flag("sendInitialEvents")]
    assert len(fallen) == len(streamed) == 1


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_frozen_for_long_it_does_not_say_that_it_is_live(
        server: FaultServer, strategy: InitialListStrategy) -> None:
    with reflector(server, config(strategy, idle_timeout=0.8)) as running:
        check_in_step(running, server)
        wait_until(lambda: running.status.live)
        server.fault(faults.Silent())
        assert server.freeze() == 1
        wait_until(lambda: not running.status.live)
        wait_until(lambda: (running.status.staleness or 0) > 1.2)
        assert not running.status.live and running.store.ready
        server.heal()
        wait_until(lambda: (now := running.status).live and now.phase is Phase.WATCHING
                   and now.staleness is not None and now.staleness < 0.8)
        check_in_step(running, server)


def test_half_lines_are_no_contact(server: FaultServer) -> None:
    """A byte now and then keeps the socket busy, and tells nothing."""

    def dripping(exchange: Any) -> None:
        exchange.start(200, [("Content-Type", "application/json")])
        for letter in b'{"type":"ADDED","object":{"kind":"Pod","metadata":{' * 100:
            exchange.chunks([bytes([letter])])
            exchange.wait(0.05)

    with reflector(server, config(LIST_WATCH, idle_timeout=0.6)) as running:
        check_in_step(running, server)
        wait_until(lambda: running.status.live)
        dripped = server.fault(dripping, when="watch")
        server.freeze("watch")
        dripped.wait()
        contact = running.status.last_contact
        dripped.wait(2, timeout=10.0)
        assert contact is not None and running.status.last_contact is not None
        assert abs(running.status.last_contact - contact) < 0.1
        server.heal()
        check_in_step(running, server)
        assert versions(running.store) == served(server)
