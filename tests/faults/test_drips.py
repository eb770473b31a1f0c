"""A byte now and then keeps the socket from timing out, and is no answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kube_reflect import InitialListFailed, Watcher, WatcherError, WatchFailed, WatchStartFailed
from kube_reflect.testing import FaultServer, faults

from ._common import AUTO, LIST_WATCH, NAMESPACE, api, config, pod

IMPATIENT: dict[str, Any] = {"connect_timeout": 0.3, "idle_timeout": 0.3, "timeout": 1}
DRIP = 0.05
#: Seconds that headers may take, and a body.
HEADERS, BODY = 0.6, 1.3
GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
BAD = b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
LENGTH = b"Content-Length: 1000000\r\n\r\n"
#: What comes at once, before the drops, and how long these may go on.
BEGINNINGS = {
    "status line": (b"HTTP/1.1 2", HEADERS),
    "header": (GOOD + b"X-Endless: ", HEADERS),
    "header of an interim answer": (b"HTTP/1.1 100 Continue\r\nX-Endless: ", HEADERS),
    "body of a refusal": (BAD + LENGTH, HEADERS),
    "size of a chunk": (GOOD + CHUNKED, BODY),
    "chunk": (GOOD + CHUNKED + b"100000\r\n", BODY),
    "body": (GOOD + LENGTH, BODY),
}


@pytest.fixture(params=[False, True], ids=["http", "https"])
def server(request: pytest.FixtureRequest) -> Iterator[FaultServer]:
    with FaultServer(tls=request.param) as running:
        running.create(pod("a"))
        yield running


def dripping(begun: bytes) -> faults.Fault:
    """Begin an answer, and go on with a zero now and then, for ever."""
    def drip(exchange: Any) -> None:
        exchange.write(begun)
        while True:
            exchange.wait(DRIP)
            exchange.write(b"0")
    return drip


def first_error(server: FaultServer, strategy: Any) -> tuple[WatcherError, float]:
    """Follow a server until something fails; return what, and the seconds since the last item."""
    watcher = Watcher(api(server).list_namespaced_pod, NAMESPACE,
                      config=config(strategy, **IMPATIENT))
    began = time.monotonic()
    for item in watcher:
        if isinstance(item, WatcherError):
            watcher.close()
            return item, time.monotonic() - began
        began = time.monotonic()
    raise AssertionError("it ended by itself")


def check_given_up(server: FaultServer, where: str, strategy: Any,
                   when: str | Callable[[Any], bool], expected: type[WatcherError]) -> None:
    begun, allowed = BEGINNINGS[where]
    server.fault(dripping(begun), when=when)
    error, took = first_error(server, strategy)
    assert type(error) is expected
    # A machine may be slow; the drops would go on for hours.
    assert allowed - 0.5 < took < allowed + 4


@pytest.mark.parametrize("where", BEGINNINGS)
def test_a_list_is_given_up(server: FaultServer, where: str) -> None:
    check_given_up(server, where, LIST_WATCH, "list", InitialListFailed)


@pytest.mark.parametrize("where, expected", [("header", WatchStartFailed), ("chunk", WatchFailed)])
def test_a_watch_is_given_up(server: FaultServer, where: str, expected: type[WatcherError]) -> None:
    check_given_up(server, where, LIST_WATCH, faults.plain_watch, expected)


@pytest.mark.parametrize("where", ["header", "chunk"])
def test_a_streaming_list_is_given_up(server: FaultServer, where: str) -> None:
    check_given_up(server, where, AUTO, faults.streaming_list, InitialListFailed)
