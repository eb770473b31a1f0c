"""A server, or whoever can create objects, that means harm: it ends, and the memory is bounded."""

from __future__ import annotations

import itertools
import json
import logging
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kube_reflect import InitialListFailed, NotReady, Watcher, WatcherError
from kube_reflect.testing import FaultServer, faults

from tests.support.waiting import wait_until

from ._common import (
    AUTO, LIST_WATCH, NAMESPACE, api, check_in_step, check_no_traceback, config, pod, reflector,
)

MIB = 2**20
GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = GOOD + b"Transfer-Encoding: chunked\r\n\r\n"
HEAD = b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":['


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(bookmark_interval=0.2) as running:
        running.create(pod("a"))
        yield running


def first_error(server: FaultServer, strategy: Any = LIST_WATCH, **settings: Any) -> WatcherError:
    """Follow a server until something fails."""
    watcher = Watcher(api(server).list_namespaced_pod, NAMESPACE,
                      config=config(strategy, **settings))
    for item in watcher:
        if isinstance(item, WatcherError):
            watcher.close()
            return item
    raise AssertionError("it ended by itself")


def endless(begin: bytes, piece: Callable[[int], bytes]) -> faults.Fault:
    """Begin an answer, and go on with chunks for ever."""
    def play(exchange: Any) -> None:
        exchange.write(CHUNKED)
        for number in itertools.count():
            data = piece(number) if number else begin
            exchange.write(b"%x\r\n%s\r\n" % (len(data), data))
    return play


def item(number: int) -> bytes:
    return b'{"metadata":{"name":"made-up-%d","namespace":"ns","resourceVersion":"%d"}}' % (
        number, number)


def pages(per_page: int) -> faults.Fault:
    """Answer each request with a page, and say that there is another."""
    numbers = itertools.count(1)

    def play(exchange: Any) -> None:
        number = next(numbers)
        exchange.send(200, [("Content-Type", "application/json")], json.dumps({
            "kind": "PodList", "apiVersion": "v1",
            "metadata": {"resourceVersion": "5", "continue": f"token-{number}"},
            "items": [json.loads(item(number * per_page + one)) for one in range(per_page)],
        }).encode())
    return play


@pytest.mark.parametrize("per_page", [0, 5])
def test_pages_without_end(server: FaultServer, per_page: int,
                           caplog: pytest.LogCaptureFixture) -> None:
    with server.fault(pages(per_page), when="list"):
        with reflector(server, config(LIST_WATCH, max_objects=100, page_size=5)) as running:
            wait_until(lambda: "max_objects=100" in str(running.status.last_error))
            assert type(running.status.last_error) is InitialListFailed
            with pytest.raises(NotReady, match="max_objects"):
                running.store.wait_until_ready(0.01)
            assert running.store.is_empty() and not running.status.ready
    check_no_traceback(caplog.records)


def test_a_page_without_end(server: FaultServer) -> None:
    server.fault(endless(HEAD + item(0), lambda number: b"," + item(number)), when="list")
    error = first_error(server, max_objects=1000)
    assert type(error) is InitialListFailed and "max_objects=1000" in str(error)
    # Nobody listens any more.
    wait_until(lambda: not server.watches)


def test_a_streaming_list_without_end(server: FaultServer) -> None:
    def line(number: int) -> bytes:
        return b'{"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1",%s}\n' % item(number)[1:]

    with server.fault(endless(line(0), line), when=faults.streaming_list, times=1):
        error = first_error(server, AUTO, max_objects=1000)
        assert type(error) is InitialListFailed and "max_objects=1000" in str(error)
    with reflector(server, config(AUTO, max_objects=1000)) as running:
        check_in_step(running, server)


def test_a_list_of_as_many_as_may_be(server: FaultServer) -> None:
    for number in range(9):
        server.create(pod(f"p{number}"))
    with reflector(server, config(LIST_WATCH, max_objects=10, page_size=20)) as running:
        check_in_step(running, server)
        assert len(running.store) == 10 and running.status.last_error is None


def test_a_watch_that_makes_up_objects(server: FaultServer,
                                       caplog: pytest.LogCaptureFixture) -> None:
    lines = [b'{"type":"MODIFIED","object":{"kind":"Pod","apiVersion":"v1",%s}\n'
             % item(number)[1:] for number in range(5000, 5300)]
    server.fault(faults.Lines(*lines, then="silence"), when="watch", times=1)
    with reflector(server, config(LIST_WATCH, max_objects=50)) as running:
        wait_until(lambda: running.status.resource_version == "5299")
        assert running.status.poisoned >= 251 and len(running.store) == 50
        # What is there is kept up all the same.
        assert running.store.get("made-up-5000", NAMESPACE) is not None
    said = [record for record in caplog.records if "max_objects=50" in record.getMessage()]
    assert 20 <= len(said) <= 25
    check_no_traceback(caplog.records)


def compressed(layers: int, size: int) -> bytes:
    """Compress a list with one long string in it, several times."""
    parts = [HEAD + b'{"metadata":{"name":"', *[b"x" * MIB] * (size // MIB)]
    for _ in range(layers):
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        parts = [*map(packer.compress, parts), packer.flush()]
    return b"".join(parts)


def unasked(layers: int, body: bytes, code: int = 200) -> faults.Fault:
    """Answer with what is compressed, though nobody has asked for that."""
    def play(exchange: Any) -> None:
        encodings = b", ".join([b"gzip"] * layers)
        exchange.write(b"HTTP/1.1 %d Well\r\nContent-Type: application/json\r\n"
                       b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (
                           code, encodings, len(body)))
        exchange.write(body)
    return play


@pytest.mark.parametrize("code", [200, 500])
def test_what_is_compressed_twice_is_refused_unopened(server: FaultServer, code: int) -> None:
    server.fault(unasked(2, compressed(2, 256 * MIB), code), when="list")
    tracemalloc.start()
    error = first_error(server)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "compressed more than once" in str(error)
    assert peak < 8 * MIB


def test_what_is_compressed_once_is_read_up_to_a_bound(
        server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kube_reflect.wire.pages._MOST_HELD", 16 * MIB)
    server.fault(unasked(1, compressed(1, 512 * MIB)), when="list")
    tracemalloc.start()
    error = first_error(server)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "no end of an item" in str(error)
    # (Up to urllib3 2.5, 64 KiB are unpacked at once, and may be a thousand times as much.)
    assert peak < 256 * MIB


def headers(data: Iterator[bytes]) -> faults.Fault:
    def play(exchange: Any) -> None:
        exchange.write(GOOD)
        for piece in data:
            exchange.write(piece)
    return play


@pytest.mark.parametrize("data", [
    lambda: (b"X-%d: y\r\n" % number for number in itertools.count()),
    lambda: itertools.chain([b"X: "], itertools.repeat(b"y" * 1024)),
], ids=["many", "long"])
def test_headers_without_end(server: FaultServer, data: Callable[[], Iterator[bytes]]) -> None:
    server.fault(headers(data()), when="list")
    assert type(first_error(server)) is InitialListFailed


def test_bookmarks_for_ever_keep_nothing(server: FaultServer) -> None:
    line = (b'{"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1",'
            b'"metadata":{"resourceVersion":"%d"}}}\n')
    lines = [line % number for number in range(5_000, 25_000)]
    server.fault(faults.Lines(*lines, then="silence"), when="watch", times=1)
    with reflector(server, config(LIST_WATCH)) as running:
        wait_until(lambda: running.status.resource_version == "24999")
        assert len(running.store) == 1 and running.status.bytes_at_rest < 10_000


def test_an_object_with_a_hundred_thousand_labels(server: FaultServer) -> None:
    hostile = pod("b")
    hostile["metadata"]["labels"] = {f"label-{number}": "x" * 20 for number in range(100_000)}
    server.create(hostile)
    with reflector(server, config(LIST_WATCH)) as running:
        check_in_step(running, server)
        assert len(running.store.state(labels="label-99999")) == 1
        assert len(running.store.state(labels="app!=x")) == 2


def test_a_refusal_of_a_gigabyte_is_not_read(server: FaultServer,
                                             caplog: pytest.LogCaptureFixture) -> None:
    def play(exchange: Any) -> None:
        exchange.write(b"HTTP/1.1 500 Bad\r\nContent-Length: %d\r\n\r\n" % 2**30)
        while True:
            exchange.write(b"x" * MIB)

    caplog.set_level(logging.WARNING)
    server.fault(play, when="list")
    error = first_error(server)
    assert error.code == 500 and len(str(error)) < 1000
