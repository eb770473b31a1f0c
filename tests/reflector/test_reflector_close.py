"""kube_reflect.reflector: close() from every phase, within a second."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes import client

from kube_reflect.config import Config, InitialListStrategy
from kube_reflect.reflector import Reflector
from kube_reflect.status import Phase
from kube_reflect.testing import FakeApiServer, Request

from tests.support.cache_helpers import running
from tests.support.objects import new_pod as pod
from tests.support.reflector_helpers import (
    LIST_WATCH, api_of, is_in, seconds_to_close, server, threads_of, v1,
)
from tests.support.waiting import DEADLINE, wait_until

__all__ = ["server", "v1"]

STREAMING = Config(initial_list_strategy=InitialListStrategy.STREAMING_LIST)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that listens, and accepts nobody unless the test does."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        yield listening


def url_of(listener: socket.socket) -> str:
    return "http://127.0.0.1:%d" % listener.getsockname()[1]


def check_closes(reflector: Reflector, caplog: pytest.LogCaptureFixture,
                 allowed: float = 1.0) -> None:
    threads = threads_of(reflector.name)
    assert threads, "it does not run"
    caplog.clear()
    assert seconds_to_close(reflector) < allowed
    assert not any(thread.is_alive() for thread in threads)
    assert reflector.status.phase is Phase.STOPPED
    said = [record for record in caplog.records if record.name.startswith("kube_reflect")]
    assert not said, "a close is no failure"


@pytest.mark.parametrize("answer", [
    b"", b"HTTP/1.1 200 OK\r\nContent-", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"kind":"PodList","items":[{"metada',
    b"HTTP/1.1 500 Oh\r\nContent-Length: 500\r\n\r\n{",
])
@pytest.mark.parametrize("config", [LIST_WATCH, STREAMING])
def test_while_it_waits_for_an_answer(
        listener: socket.socket, caplog: pytest.LogCaptureFixture, answer: bytes,
        config: Config) -> None:
    reflector = Reflector(api_of(url_of(listener)).list_node, config=config).start()
    listener.settimeout(DEADLINE)
    connection, _ = listener.accept()
    with connection:
        assert connection.recv(65536).startswith(b"GET /api/v1/nodes")
        connection.sendall(answer)
        check_closes(reflector, caplog)
        # It hung up, too.
        connection.settimeout(DEADLINE)
        assert connection.recv(1) == b""


def test_while_it_connects(listener: socket.socket, caplog: pytest.LogCaptureFixture) -> None:
    # With the queue of the listener full, the next handshake gets no answer.
    waiting = [socket.socket() for _ in range(4)]
    try:
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        reflector = Reflector(api_of(url_of(listener)).list_node).start()
        (thread,) = threads_of(reflector.name)
        wait_until(lambda: is_in(thread, "select"), "the wait for the connection")
        check_closes(reflector, caplog)
    finally:
        for one in waiting:
            one.close()


def test_while_it_looks_up_a_name(
        monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    asked, go_on = threading.Event(), threading.Event()
    real = socket.getaddrinfo

    def slow(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host != "api.invalid":
            return real(host, *args, **kwargs)
        if kwargs.get("flags") or socket.AI_NUMERICHOST in args:
            raise socket.gaierror(socket.EAI_NONAME, "no number")
        asked.set()
        assert go_on.wait(DEADLINE)
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    reflector = Reflector(api_of("http://api.invalid:1").list_node).start()
    try:
        assert asked.wait(DEADLINE)
        check_closes(reflector, caplog)
    finally:
        go_on.set()


def test_while_it_backs_off(server: FakeApiServer, v1: client.CoreV1Api,
                            caplog: pytest.LogCaptureFixture) -> None:
    server.forbid("pods")
    reflector = Reflector(v1.list_namespaced_pod, "ns").start()
    wait_until(lambda: "trying again" in caplog.text)
    assert reflector.status.phase is Phase.BACKING_OFF
    check_closes(reflector, caplog)


def test_while_nothing_listens(caplog: pytest.LogCaptureFixture) -> None:
    reflector = Reflector(api_of("http://127.0.0.1:1").list_node).start()
    wait_until(lambda: "trying again" in caplog.text)
    check_closes(reflector, caplog)


@pytest.mark.parametrize("config", [LIST_WATCH, STREAMING])
def test_while_it_watches(server: FakeApiServer, v1: client.CoreV1Api,
                          caplog: pytest.LogCaptureFixture, config: Config) -> None:
    reflector = Reflector(v1.list_namespaced_pod, "ns", config=config).start()
    wait_until(lambda: reflector.status.live and server.watches == 1)
    check_closes(reflector, caplog)
    wait_until(lambda: server.watches == 0)


def test_while_events_pour_in(server: FakeApiServer, v1: client.CoreV1Api,
                              caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()

    def pour() -> None:
        number = 0
        while not done.is_set():
            number += 1
            server.patch("pods", "a", {"metadata": {"labels": {"n": str(number)}}}, "ns")

    reflector = Reflector(v1.list_namespaced_pod, "ns").start()
    with running(pour):
        try:
            wait_until(lambda: reflector.status.events > 20)
            check_closes(reflector, caplog)
        finally:
            done.set()


def test_what_was_received_and_not_applied_does_not_hold_it_up(
        server: FakeApiServer, v1: client.CoreV1Api) -> None:
    slow, never = threading.Event(), threading.Event()
    applied: list[Any] = []

    def transform(mapping: dict[str, Any]) -> dict[str, Any]:
        if slow.is_set():
            applied.append(mapping)
            never.wait(0.2)
        return mapping

    with Reflector(v1.list_namespaced_pod, "ns", transform=transform) as reflector:
        reflector.store.wait_until_live(DEADLINE)
        slow.set()
        for number in range(100):
            server.patch("pods", "a", {"metadata": {"labels": {"n": str(number)}}}, "ns")
        wait_until(lambda: applied)
        assert seconds_to_close(reflector, timeout=DEADLINE) < 10
        assert len(applied) < 50


class Retrying(FakeApiServer):
    """Asks for a minute of patience."""

    def intercept(self, request: Request) -> Callable[[Any], None] | None:
        headers = [("Retry-After", "60"), ("Content-Type", "application/json")]
        return lambda exchange: exchange.send(429, headers, b"{}")


def test_while_the_server_asks_for_patience(caplog: pytest.LogCaptureFixture) -> None:
    with Retrying() as server:
        api = client.CoreV1Api(server.api_client())
        reflector = Reflector(api.list_node).start()
        wait_until(lambda: "trying again" in caplog.text)
        assert reflector.status.code == 429
        check_closes(reflector, caplog)
        assert len(server.requests) == 1


def test_while_a_list_function_of_ones_own_hangs(caplog: pytest.LogCaptureFixture) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def hangs(**kwargs: Any) -> Any:
        asked.set()
        assert go_on.wait(DEADLINE)
        raise OSError("too late")

    reflector = Reflector(hangs).start()
    try:
        assert asked.wait(DEADLINE)
        check_closes(reflector, caplog)
    finally:
        go_on.set()


def test_right_after_the_start(server: FakeApiServer, v1: client.CoreV1Api) -> None:
    for _ in range(30):
        reflector = Reflector(v1.list_namespaced_pod, "ns").start()
        assert seconds_to_close(reflector) < 1
        assert not threads_of(reflector.name)


def test_close_says_when_the_thread_did_not_end(
        server: FakeApiServer, v1: client.CoreV1Api, caplog: pytest.LogCaptureFixture) -> None:
    held, go_on = threading.Event(), threading.Event()

    def transform(obj: dict[str, Any]) -> dict[str, Any]:
        held.set()
        assert go_on.wait(DEADLINE)
        return obj

    reflector = Reflector(v1.list_namespaced_pod, "ns", transform=transform).start()
    try:
        assert held.wait(DEADLINE)
        assert seconds_to_close(reflector, timeout=0.05) < 1
        assert "did not end within 0.05 s" in caplog.text
    finally:
        go_on.set()
    wait_until(lambda: not threads_of(reflector.name))


def test_what_is_closed_asks_no_more(server: FakeApiServer, v1: client.CoreV1Api) -> None:
    reflector = Reflector(v1.list_namespaced_pod, "ns").start()
    reflector.store.wait_until_ready(timeout=DEADLINE)
    reflector.close()
    asked = len(server.requests)
    server.create(pod("late"))
    assert reflector.store.get("late", "ns") is None
    assert len(server.requests) == asked and reflector.status.thread_alive is False


@pytest.mark.parametrize("ends", [
    pytest.param(lambda reflector: reflector.remove_namespace("ns", timeout=0), id="removed"),
    pytest.param(lambda reflector: (reflector.close(timeout=0), reflector.start()), id="replaced"),
])
def test_a_thread_that_dies_at_its_end_leaves_the_cache_to_others(
        server: FakeApiServer, v1: client.CoreV1Api, ends: Callable[[Any], object]) -> None:
    begun, go_on = threading.Event(), threading.Event()
    dying: list[threading.Thread] = []

    def refresh(configuration: Any) -> None:
        if threading.current_thread() in dying:
            begun.set()
            assert go_on.wait(DEADLINE)
            raise SystemExit

    v1.api_client.configuration.api_key["authorization"] = "Bearer any"
    v1.api_client.configuration.refresh_api_key_hook = refresh
    with Reflector(v1.list_namespaced_pod, namespaces=["ns", "other"]) as reflector:
        reflector.store.wait_until_ready(DEADLINE)
        dying += threads_of(f"{reflector.name}:ns")
        wait_until(server.disconnect)
        assert begun.wait(DEADLINE)
        ends(reflector)
        go_on.set()
        dying[0].join(DEADLINE)
        assert not dying[0].is_alive()
        server.create(pod("new", "other"))
        assert reflector.store.wait_for("new", bool, DEADLINE, namespace="other")
        assert reflector.status.thread_alive and not reflector.store._cache.ended


def test_a_failure_in_a_namespace_that_is_gone_is_nobodys(
        server: FakeApiServer, v1: client.CoreV1Api) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def transform(mapping: dict[str, Any]) -> dict[str, Any]:
        if mapping["metadata"]["name"] == "late":
            begun.set()
            assert go_on.wait(DEADLINE)
            raise SystemExit
        return mapping

    with Reflector(v1.list_namespaced_pod, namespaces=["ns", "other"],
                   transform=transform) as reflector:
        reflector.store.wait_until_ready(DEADLINE)
        server.create(pod("late", "ns"))
        assert begun.wait(DEADLINE)
        [late] = threads_of(f"{reflector.name}:ns")
        reflector.remove_namespace("ns", timeout=0)
        go_on.set()
        late.join(DEADLINE)
        assert not late.is_alive()
        # The other one goes on, and nothing was counted.
        server.create(pod("new", "other"))
        assert reflector.store.wait_for("new", bool, DEADLINE, namespace="other")
        assert reflector.status.poisoned == 0
