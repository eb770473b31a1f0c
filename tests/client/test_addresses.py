"""kube_reflect.client.addresses: whichever address answers, within one time for all of them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from kubernetes import client

from kube_reflect.client import Closed, ListFunction, RequestError, Requests
from kube_reflect.client.addresses import connect, resolve
from kube_reflect.client.connection import ConnectionHandle
from kube_reflect.config import Config

from tests.client._talking import EMPTY, OK, QUERY, answering, api_client
from tests.support.waiting import DEADLINE, wait_until


def entry(address: Any) -> Any:
    return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address


@pytest.fixture
def swallows() -> Iterator[Any]:
    """An address that answers no handshake: the queue of its listener is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(closing(socket.socket()))
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(closing(socket.socket()))
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()


@pytest.fixture
def answers() -> Iterator[Any]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()


@pytest.fixture
def refuses() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    return address


@pytest.fixture
def handle() -> Iterator[ConnectionHandle]:
    with closing(ConnectionHandle()) as handle:
        yield handle


def test_one_that_swallows_does_not_hold_up_the_next(
        swallows: Any, answers: Any, handle: ConnectionHandle) -> None:
    began = time.monotonic()
    with connect(handle, [entry(swallows), entry(swallows), entry(answers)], DEADLINE) as sock:
        assert 0.4 < time.monotonic() - began < 5
        assert sock.getpeername() == answers and sock.gettimeout() == DEADLINE
        assert handle.connected
        # Of the others nothing is left.
        assert len(handle._duplicates) == 1


def test_one_that_refuses_does_not_hold_up_the_next_at_all(
        refuses: Any, answers: Any, handle: ConnectionHandle) -> None:
    began = time.monotonic()
    with connect(handle, [entry(refuses)] * 20 + [entry(answers)], DEADLINE) as sock:
        assert sock.getpeername() == answers
    assert time.monotonic() - began < 2


def test_all_of_them_have_one_time(swallows: Any, handle: ConnectionHandle) -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        connect(handle, [entry(swallows)] * 3, 0.6)
    assert 0.6 <= time.monotonic() - began < 5
    assert not handle.connected


def test_the_last_failure_is_told(refuses: Any, handle: ConnectionHandle) -> None:
    with pytest.raises(ConnectionRefusedError):
        connect(handle, [entry(refuses)] * 2, DEADLINE)
    with pytest.raises(OSError, match="no address"):
        connect(handle, [], DEADLINE)


def test_a_close_ends_all_attempts(swallows: Any, handle: ConnectionHandle) -> None:
    raised: list[BaseException] = []

    def run() -> None:
        try:
            connect(handle, [entry(swallows)] * 2, DEADLINE)
        except Closed as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: len(handle._duplicates) == 2)
    began = time.monotonic()
    handle.close()
    thread.join(DEADLINE)
    assert raised and time.monotonic() - began < 5


def test_families_are_tried_in_turns(
        monkeypatch: pytest.MonkeyPatch, handle: ConnectionHandle) -> None:
    six = [(socket.AF_INET6, 1, 6, "", ("::%d" % number, 1, 0, 0)) for number in range(3)]
    four = [entry(("127.0.0.1", 1))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [*six, *four])
    assert resolve(handle, "name", 1, DEADLINE) == [six[0], four[0], six[1], six[2]]


def test_a_name_with_a_dead_address_is_connected_to(
        monkeypatch: pytest.MonkeyPatch, swallows: Any) -> None:
    with answering(OK + b"Content-Length: %d\r\n\r\n%s" % (len(EMPTY), EMPTY)) as server:
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda *_: [entry(swallows), entry(server.address)])
        api = client.CoreV1Api(api_client("http://api.example"))
        with closing(Requests(ListFunction(api.list_node), Config(connect_timeout=5))) as requests:
            with closing(requests.open(QUERY)) as response:
                assert b"".join(response.chunks()) == EMPTY


def test_what_failed_is_said_without_the_objects_of_the_machinery(
        monkeypatch: pytest.MonkeyPatch, swallows: Any, refuses: Any) -> None:
    api = client.CoreV1Api(api_client("http://api.example"))
    for address, said in ((swallows, "within 0.3 s"), (refuses, "refused")):
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, to=address: [entry(to)])
        function = ListFunction(api.list_node)
        with closing(Requests(function, Config(connect_timeout=0.3))) as requests:
            with pytest.raises(RequestError, match=said) as failed:
                requests.open(QUERY)
        text = str(failed.value)
        assert "0x" not in text and "object" not in text and "api.example" in text
