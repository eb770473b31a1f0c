"""Health that does not lie: phases are told, and an end is an end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from kube_reflect import Phase, StaleCache, Status
from kube_reflect.testing import FaultServer, faults

from tests.support.reflector_helpers import Deadly
from tests.support.waiting import wait_until

from ._common import (
    LIST_WATCH, NAMESPACE, check_in_step, config, disconnect, pod, reflector,
)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(bookmark_interval=0.2) as running:
        running.create(pod("a"))
        yield running


def test_phases_are_told_by_the_thread_in_order(server: FaultServer) -> None:
    told: list[Status] = []
    threads = set()

    def callback(status: Status) -> None:
        told.append(status)
        threads.add(threading.current_thread().name)

    r = reflector(server, config(LIST_WATCH), name="told")
    r.on_phase(callback)
    server.fault(faults.Status(503), times=1)
    with r:
        check_in_step(r, server)
        wait_until(lambda: told and told[-1].phase is Phase.WATCHING)
    assert [status.phase for status in told] == [
        Phase.LISTING, Phase.BACKING_OFF, Phase.LISTING, Phase.CONNECTING, Phase.WATCHING,
        Phase.STOPPED]
    assert told[1].code == 503 and not told[1].live
    assert threads == {"kube-reflect:told"}


def test_a_listener_can_be_removed_raise_and_close(
        server: FaultServer, caplog: pytest.LogCaptureFixture) -> None:
    told: list[Phase] = []

    def raising(status: Status) -> None:
        raise ValueError("oh")

    r = reflector(server, config(LIST_WATCH))
    remove = r.on_phase(lambda status: told.append(status.phase))
    r.on_phase(raising)
    r.on_phase(lambda status: r.close() if status.phase is Phase.WATCHING else None)
    r.start()
    wait_until(lambda: not r.status.thread_alive)
    assert told[-1] is Phase.STOPPED and Phase.WATCHING in told
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * len(told)
    remove()
    remove()
    count = len(told)
    r.start()
    wait_until(lambda: not r.status.thread_alive)
    assert len(told) == count
    with pytest.raises(TypeError):
        r.on_phase(None)  # type: ignore[arg-type]


def test_closed_it_is_not_live_and_no_read_is_fresh(server: FaultServer) -> None:
    r = reflector(server)
    with r:
        check_in_step(r, server)
        wait_until(lambda: r.status.live)
        assert r.store.get("a", NAMESPACE, max_staleness=30) is not None
        assert len(r.store.state(max_staleness=30)) == 1
    assert not r.status.live and r.status.last_contact is not None
    with pytest.raises(StaleCache, match="ended"):
        r.store.get("a", NAMESPACE, max_staleness=3600)
    with pytest.raises(StaleCache):
        r.store.state(max_staleness=3600)
    assert r.store.get("a", NAMESPACE) is not None


def test_dead_it_is_not_live_and_no_read_is_fresh(
        server: FaultServer, caplog: pytest.LogCaptureFixture) -> None:
    with reflector(server, backoff=Deadly()) as r:
        check_in_step(r, server)
        wait_until(lambda: r.status.live)
        server.fault(faults.Status(500), when="watch")
        disconnect(server)
        wait_until(lambda: not r.status.thread_alive)
        assert r.status.phase is Phase.DEAD and not r.status.live
        with pytest.raises(StaleCache, match="ended"):
            r.store.get("a", NAMESPACE, max_staleness=3600)
    assert [record.levelno for record in caplog.records].count(logging.ERROR) == 1
