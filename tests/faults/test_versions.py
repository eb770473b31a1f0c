"""Whatever the server says, the store does not go back without a relist."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kube_reflect import InitialListStrategy
from kube_reflect.testing import FaultServer, faults

from tests.support.waiting import wait_until

from ._common import (
    AUTO, LIST_WATCH, NAMESPACE, STRATEGIES, check_in_step, config, disconnect, lists, pod,
    reflector, versions,
)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(bookmark_interval=0.2) as running:
        for name in ("a", "b"):
            running.create(pod(name))
        yield running


@pytest.mark.parametrize("strategy, write_after", [(AUTO, False), (LIST_WATCH, True)])
def test_a_server_restored_from_a_backup(
        server: FaultServer, strategy: InitialListStrategy, write_after: bool) -> None:
    with reflector(server, config(strategy, timeout=1)) as running:
        check_in_step(running, server)
        backup = server.resource_version
        for number in range(5):
            server.patch("Pod", "a", {"metadata": {"annotations": {"n": str(number)}}}, NAMESPACE)
        server.create(pod("new"))
        server.delete("Pod", "b", NAMESPACE)
        check_in_step(running, server)
        listed = lists(server)
        server.restore(backup)
        if write_after:
            server.create(pod("other"))
        check_in_step(running, server)
        assert running.status.relists >= 1 and lists(server) > listed
        wait_until(lambda: running.status.live)
        server.create(pod("later"))
        check_in_step(running, server)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_replica_that_is_behind_rolls_nothing_back(
        server: FaultServer, strategy: InitialListStrategy) -> None:
    seen: list[int] = []
    with reflector(server, config(strategy)) as running:
        check_in_step(running, server)
        before = server.resource_version
        for number in range(5):
            server.patch("Pod", "a", {"metadata": {"annotations": {"n": str(number)}}}, NAMESPACE)
        check_in_step(running, server)
        wait_until(lambda: running.status.live)
        with server.fault(faults.Behind(before), when=faults.plain_watch, times=1) as behind:
            disconnect(server)
            behind.wait()
            for _ in range(200):
                seen.append(int(versions(running.store)["a"]))
        check_in_step(running, server)
    assert seen == sorted(seen)


@pytest.mark.parametrize("version", [b'"x"', b'""', b"null", b"12", b'"-1"', b'"1e3"', b"[]"])
def test_versions_that_are_none(server: FaultServer, version: bytes) -> None:
    """The event is applied, and the watch goes on from the version before."""
    line = (b'{"type":"MODIFIED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a",'
            b'"namespace":"ns","uid":"u","annotations":{"odd":"yes"},"resourceVersion":'
            + version + b"}}}\n")
    with reflector(server, config(LIST_WATCH)) as running:
        check_in_step(running, server)
        listed = lists(server)
        with server.fault(faults.Lines(line), when="watch", times=1) as odd:
            disconnect(server)
            odd.wait()
            wait_until(lambda: any("odd" in one["metadata"].get("annotations", {})
                                   for one in running.store.state()))
        server.patch("Pod", "a", {"metadata": {"annotations": {"n": "1"}}}, NAMESPACE)
        check_in_step(running, server)
        assert lists(server) == listed
