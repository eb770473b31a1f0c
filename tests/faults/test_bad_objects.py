"""An object that no parser takes is one bad object, wherever it is met."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from kube_reflect.testing import FaultServer, faults
from kube_reflect.testing._altered import Altered

from tests.support.waiting import wait_until

from ._common import (
    NAMESPACE, STRATEGIES, check_no_traceback, config, lists, pod, reflector, served, versions,
)

BAD = {"deep": b'{"a":' * 40_000 + b"1" + b"}" * 40_000, "flat": b"[" * 40_000 + b"]" * 40_000,
       "long": b"1" * 5000}
MARK = b'"to be bad"'


class Spoiled(Altered):
    """Puts what no parser takes in the place of a mark."""

    def __init__(self, original: Any, bad: bytes) -> None:
        super().__init__(original)
        self._bad = bad

    def send(self, code: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        super().send(code, headers, body.replace(MARK, self._bad))

    def chunks(self, chunks: Iterable[bytes]) -> None:
        super().chunks(chunk.replace(MARK, self._bad) for chunk in chunks)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(bookmark_interval=0.2) as running:
        for name in ("a", "b", "c"):
            running.create(pod(name))
        yield running


def bad_pod(name: str) -> dict[str, Any]:
    made = pod(name)
    made["spec"]["containers"][0]["args"] = ["to be bad"]
    return made


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_it_is_left_out_of_lists_and_of_watches(
        server: FaultServer, bad: bytes, strategy: Any, caplog: pytest.LogCaptureFixture) -> None:
    server.create(bad_pod("bad"))
    server.fault(lambda exchange: Spoiled(exchange, bad).play())
    with reflector(server, config(strategy), indexers={"name": names}) as running:
        running.store.wait_until_ready(timeout=10)
        assert set(versions(running.store)) == {"a", "b", "c"}
        assert running.status.poisoned >= 1
        server.create(bad_pod("worse"))
        server.delete("Pod", "a", NAMESPACE)
        server.create(pod("d"))
        wait_until(lambda: set(versions(running.store)) == {"b", "c", "d"})
        assert running.store.by_index("name", "d") != []
        assert running.status.live and running.status.relists == 0
        assert running.status.resource_version == server.resource_version
        # Made good, it is there.
        server.delete("Pod", "bad", NAMESPACE)
        server.delete("Pod", "worse", NAMESPACE)
        server.create(pod("bad"))
        wait_until(lambda: versions(running.store) == served(server))
        assert lists(server) == 1
    check_no_traceback(caplog.records)


def names(obj: Any) -> list[str]:
    return [obj["metadata"]["name"]]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_that_was_good_and_turns_bad_does_not_stop_the_others(
        server: FaultServer, strategy: Any) -> None:
    with reflector(server, config(strategy)) as running:
        running.store.wait_until_ready(timeout=10)
        with server.fault(faults.EditLines(lambda line: line.replace(MARK, BAD["deep"]))):
            server.disconnect()
            server.patch("Pod", "a", {"spec": {"nodeName": "to be bad"}}, NAMESPACE)
            server.create(pod("d"))
            wait_until(lambda: "d" in versions(running.store))
            assert {"b", "c", "d"} <= set(versions(running.store))
            assert running.status.poisoned >= 1 and running.status.relists == 0
