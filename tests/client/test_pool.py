"""kube_reflect.client.pool: answers come in large pieces, over TLS too, and leave nothing open."""

from __future__ import annotations

import gc
import socket
import time
import weakref
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import urllib3
from kubernetes import client

from kube_reflect import Config, InitialListStrategy, Reflector
from kube_reflect.client.connection import ConnectionHandle
from kube_reflect.client.pool import Answer, Door, attached_manager
from kube_reflect.testing import FakeApiServer
from kube_reflect.testing._certificates import Certificate

from tests.support.objects import new_pod as pod
from tests.support.waiting import DEADLINE, wait_until

LINES = [b'{"type":"ADDED","object":{"metadata":{"name":"pod-%d"}}}\n' % number
         for number in range(1000)]


class Counting(socket.socket):
    """A socket that counts how often something is received."""

    received = 0

    def recv_into(self, *args: Any) -> int:
        self.received += 1
        return super().recv_into(*args)


@pytest.fixture
def pair() -> Iterator[tuple[Counting, socket.socket]]:
    one, other = socket.socketpair()
    with Counting(one.family, one.type, one.proto, fileno=one.detach()) as counting, other:
        counting.settimeout(DEADLINE)
        yield counting, other


def chunked(lines: list[bytes]) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(line), line) for line in lines)


def test_many_lines_are_received_at_once(pair: tuple[Counting, socket.socket]) -> None:
    sock, server = pair
    server.sendall(chunked(LINES))
    with closing(Answer(ConnectionHandle(), sock, method="GET")) as answer:
        answer.begin()
        assert [answer.readline() for _ in LINES] == LINES
        # With the buffer of the standard library it would be eight times as often.
        assert sock.received <= 3
        # What is there is not kept waiting for what is not.
        server.sendall(b"5\r\nlate\n\r\n")
        assert answer.read1(100) == b"late\n"


def test_an_answer_that_ends_leaves_its_socket_to_be_closed(
        pair: tuple[Counting, socket.socket]) -> None:
    sock, server = pair
    server.sendall(chunked(LINES[:2]) + b"0\r\n\r\n")
    with closing(Answer(ConnectionHandle(), sock, method="GET")) as answer:
        answer.begin()
        assert answer.read() == b"".join(LINES[:2])
        # As the connection does when the server is going to close it: the answer has the last hold.
        sock.close()
    assert sock.fileno() == -1
    assert server.recv(1) == b""


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nX-Half: "])
def test_an_answer_has_a_deadline_of_its_own(
        pair: tuple[Counting, socket.socket], begun: bytes) -> None:
    sock, server = pair
    server.sendall(begun)
    handle = ConnectionHandle()
    handle.deadline = time.monotonic() + 0.05
    with closing(Answer(handle, sock, method="GET")) as answer:
        with pytest.raises(TimeoutError):
            answer.begin()
    assert time.monotonic() >= handle.deadline
    assert sock.gettimeout() == DEADLINE


def test_past_its_deadline_nothing_more_is_received(pair: tuple[Counting, socket.socket]) -> None:
    sock, server = pair
    server.sendall(chunked(LINES))
    handle = ConnectionHandle()
    handle.deadline = time.monotonic()
    with closing(Answer(handle, sock, method="GET")) as answer, pytest.raises(TimeoutError):
        answer.begin()
    assert sock.received == 0


def test_time_that_is_enough_leaves_the_timeout_alone(
        pair: tuple[Counting, socket.socket]) -> None:
    sock, server = pair
    server.sendall(chunked(LINES[:1]) + b"0\r\n\r\n")
    handle = ConnectionHandle()
    handle.deadline = time.monotonic() + DEADLINE / 2
    with closing(Answer(handle, sock, method="GET")) as answer:
        answer.begin()
        assert sock.gettimeout() == DEADLINE
        # The body has a time of its own.
        handle.deadline = time.monotonic() + 2 * DEADLINE
        sock.settimeout(DEADLINE / 4)
        assert answer.read() == LINES[0]
    assert sock.gettimeout() == DEADLINE / 4


def test_the_time_of_an_answer_begins_with_the_request() -> None:
    handle = ConnectionHandle()
    handle.deadline = time.monotonic()
    with FakeApiServer() as server, closing(handle):
        manager = attached_manager(urllib3.PoolManager(), handle)
        door = Door(manager, handle, DEADLINE)
        began = time.monotonic()
        assert door.request("GET", server.url + "/api/v1/pods", timeout=DEADLINE).status == 200
        manager.clear()
        assert began + DEADLINE <= handle.deadline <= time.monotonic() + DEADLINE


@pytest.mark.parametrize(("url", "fields"), [
    ("", [("pretty", True), ("x", "a b")]), ("", {"pretty": True, "x": "a b"}),
    ("?pretty=true&x=a+b", None)])
def test_the_query_is_whole_whether_the_client_hands_it_on_or_has_put_it_into_the_url(
        url: str, fields: Any) -> None:
    handle = ConnectionHandle()
    with FakeApiServer() as server, closing(handle):
        manager = attached_manager(urllib3.PoolManager(), handle)
        Door(manager, handle, DEADLINE, {"sendInitialEvents": True}).request(
            "GET", f"{server.url}/api/v1/pods{url}", fields=fields, timeout=DEADLINE)
        manager.clear()
        [request] = server.requests
        assert request.query == {"pretty": "true", "x": "a b", "sendInitialEvents": "true"}


@pytest.mark.parametrize("strategy", [
    InitialListStrategy.LIST_WATCH, InitialListStrategy.STREAMING_LIST])
def test_over_tls_all_is_received_and_nothing_stays_open(strategy: InitialListStrategy) -> None:
    try:
        certificate = Certificate()
    except RuntimeError as error:
        pytest.skip(str(error))
    config = Config(initial_list_strategy=strategy, page_size=20)
    with FakeApiServer(ssl_context=certificate.server_context()) as server:
        for number in range(50):
            # More, all in all, than a buffer holds, and more each than a TLS record.
            server.create({**pod(f"p{number}"), "text": f"{number} " * 10_000})
        v1 = client.CoreV1Api(server.api_client(ca_cert=certificate.path))
        with Reflector(v1.list_namespaced_pod, "ns", config=config, model=dict) as reflector:
            reflector.store.wait_until_ready(DEADLINE)
            for number in range(50, 60):
                server.create({**pod(f"p{number}"), "text": f"{number} " * 10_000})
            wait_until(lambda: len(reflector.store) == 60)
            assert {one["metadata"]["name"]: one["text"] for one in reflector.store} == {
                f"p{number}": f"{number} " * 10_000 for number in range(60)}
            assert server.disconnect()
            server.create(pod("last"))
            wait_until(lambda: len(reflector.store) == 61)
    # A socket that nobody closed is a warning, and so an error, when it is collected.
    gc.collect()
    assert reflector.status.objects == 61


def test_who_lets_go_of_a_closed_pool_runs_nothing() -> None:
    """An exception that arrives in a callback is lost, and urllib3 has one for each pool."""
    manager = attached_manager(urllib3.PoolManager(), ConnectionHandle())
    pool = manager.connection_from_url("http://127.0.0.1:1")

    def callbacks() -> list[Any]:
        return [ref.__callback__ for ref in weakref.getweakrefs(pool) if ref.__callback__]

    assert len(callbacks()) <= 1
    manager.clear()
    assert callbacks() == [] and pool.pool is None
