"""`close()` from every phase: under a second, without a word, and `start()` works again."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kube_reflect import Backoff, InitialListStrategy, Phase, Reflector, WriterDropped
from kube_reflect.testing import Exchange, FaultServer, faults

from tests.support.cache_helpers import running as running_threads
from tests.support.reflector_helpers import api_of
from tests.support.waiting import DEADLINE, timed, wait_until

from ._common import (
    AUTO, LIST_WATCH, NAMESPACE, STRATEGIES, api, check_in_step, config, pod, reflector, said,
)

ALLOWED = 1.0
MANY = 2000


@pytest.fixture(scope="module", params=[False, True], ids=["http", "https"])
def many(request: pytest.FixtureRequest) -> Iterator[FaultServer]:
    with FaultServer(tls=request.param) as running:
        for number in range(MANY):
            running.create(pod(f"p{number:05}", filler="x" * 200))
        yield running


@pytest.fixture
def server(many: FaultServer) -> Iterator[FaultServer]:
    yield many
    many.heal()


def check_closes(r: Reflector, caplog: pytest.LogCaptureFixture, allowed: float = ALLOWED) -> None:
    caplog.clear()
    assert r.status.thread_alive
    took = timed(r.close)
    assert took < allowed
    status = r.status
    assert not status.thread_alive and not status.live and status.phase is Phase.STOPPED
    assert said(caplog.records) == []


def check_starts_again(r: Reflector, server: FaultServer) -> None:
    server.heal()
    r.start()
    check_in_step(r, server)
    r.close()


def error_without_end(exchange: Exchange) -> None:
    """Begin an answer that is an error, and never end it."""
    exchange.start(500, [])
    faults.Silent()(exchange)


When = str | Callable[[Any], bool] | None
SILENT, HALF_PAGE = faults.Silent(), faults.Truncate(100_000, then="silence")
#: What the reflector is at when it is closed; and what the server does that it stays at it, with
#: which request (None: with any), and how it lists.
AMID: list[tuple[str, faults.Fault, When, InitialListStrategy]] = [
    ("waiting for the headers of a list", SILENT, None, LIST_WATCH),
    ("waiting for the headers of a streaming list", SILENT, None, AUTO),
    ("waiting for the headers of a watch", SILENT, faults.plain_watch, LIST_WATCH),
    ("headers of a list and nothing", faults.HeadersOnly(), None, LIST_WATCH),
    ("headers of a watch and nothing", faults.HeadersOnly(), "watch", LIST_WATCH),
    ("mid-page", HALF_PAGE, "list", LIST_WATCH),
    ("mid-page, later", HALF_PAGE, faults.next_page, LIST_WATCH),
    ("mid-line of a watch", faults.HalfLine(), "watch", LIST_WATCH),
    ("mid-line of a streaming list", faults.HalfLine(), None, AUTO),
    ("amid a streaming list", HALF_PAGE, None, AUTO),
    ("an error's body that does not end", error_without_end, None, AUTO),
    ("a quiet watch", faults.Stop(), faults.plain_watch, LIST_WATCH),
    ("a slow list", faults.Delay(3600), "list", LIST_WATCH),
]


@pytest.mark.parametrize("what, fault, request_of, strategy", AMID, ids=[one[0] for one in AMID])
def test_while_the_server_is_at_it(
        server: FaultServer, caplog: pytest.LogCaptureFixture, what: str, fault: faults.Fault,
        request_of: When, strategy: InitialListStrategy) -> None:
    injection = server.fault(fault, when=request_of)
    r = reflector(server, config(strategy, page_size=500)).start()
    injection.wait(timeout=DEADLINE)
    check_closes(r, caplog)
    check_starts_again(r, server)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_while_it_lists(server: FaultServer, caplog: pytest.LogCaptureFixture,
                        strategy: InitialListStrategy) -> None:
    going_on = threading.Event()

    def slow(mapping: dict[str, Any]) -> dict[str, Any]:
        going_on.set()
        return mapping

    for _ in range(5):
        going_on.clear()
        r = reflector(server, config(strategy, page_size=100), transform=slow).start()
        assert going_on.wait(DEADLINE)
        check_closes(r, caplog)
        assert len(r.store) in (0, MANY)
    check_starts_again(r, server)


@pytest.mark.parametrize("fault, seconds", [
    (faults.Status(403), 3600.0), (faults.Reset(), 3600.0),
    (faults.Status(429, retry_after=3600), 0.01),
])
def test_while_it_waits_for_the_next_try(
        server: FaultServer, caplog: pytest.LogCaptureFixture, fault: faults.Fault,
        seconds: float) -> None:
    server.fault(fault)
    r = reflector(server, backoff=Backoff(initial=seconds, maximum=seconds)).start()
    wait_until(lambda: r.status.phase is Phase.BACKING_OFF and caplog.records)
    check_closes(r, caplog)
    with pytest.raises(WriterDropped):
        r.store.wait_until_ready(timeout=DEADLINE)
    server.heal()
    r.start()
    wait_until(lambda: len(server.requests) > 0 and r.store.ready)
    assert timed(r.close) < ALLOWED


def test_while_a_name_is_looked_up(
        server: FaultServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, go_on = threading.Event(), threading.Event()
    lookup = socket.getaddrinfo

    def hang(host: str, port: int, family: int = 0, kind: int = 0, proto: int = 0,
             flags: int = 0) -> Any:
        if host == "localhost" and not flags & socket.AI_NUMERICHOST:
            looking.set()
            go_on.wait(DEADLINE)
        return lookup(host, port, socket.AF_INET, kind, proto, flags)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    v1 = api(server)
    v1.api_client.configuration.host = server.url.replace("127.0.0.1", "localhost")
    r = Reflector(v1.list_namespaced_pod, NAMESPACE, model=dict).start()
    assert looking.wait(DEADLINE)
    check_closes(r, caplog)
    go_on.set()
    check_starts_again(r, server)


def test_while_it_connects_to_a_black_hole(caplog: pytest.LogCaptureFixture) -> None:
    with contextlib.ExitStack() as stack:
        # A full queue drops what more would connect, like a host that is not there.
        hole = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(hole.getsockname())
        r = Reflector(api_of("http://127.0.0.1:%d" % hole.getsockname()[1]).list_node).start()
        threading.Event().wait(0.3)
        assert r.status.phase is Phase.LISTING and r.status.last_error is None
        check_closes(r, caplog)


def test_within_a_tls_handshake(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        r = Reflector(api_of("https://127.0.0.1:%d" % mute.getsockname()[1]).list_node).start()
        mute.settimeout(DEADLINE)
        sock, _ = mute.accept()
        with sock:
            assert sock.recv(1)
            check_closes(r, caplog)


def test_in_a_quiet_watch_and_under_churn(
        server: FaultServer, caplog: pytest.LogCaptureFixture) -> None:
    r = reflector(server).start()
    check_in_step(r, server)
    wait_until(lambda: r.status.live)
    check_closes(r, caplog)
    check_starts_again(r, server)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_at_random_moments(server: FaultServer, caplog: pytest.LogCaptureFixture,
                           strategy: InitialListStrategy) -> None:
    r = reflector(server, config(strategy, page_size=100))
    for turn in range(15):
        r.start()
        threading.Event().wait(turn * 0.01)
        assert timed(r.close) < ALLOWED
        assert not r.status.thread_alive
    assert said(caplog.records) == []
    check_starts_again(r, server)


def test_within_callbacks(server: FaultServer, caplog: pytest.LogCaptureFixture) -> None:
    took: list[float] = []
    done = threading.Event()

    def close(*_: Any) -> None:
        if not done.is_set():
            took.append(timed(r.close))
            done.set()

    r = reflector(server, config(LIST_WATCH))
    handler = r.add_handler(on_add=close)
    r.start()
    assert done.wait(DEADLINE)
    wait_until(lambda: not r.status.thread_alive)
    handler.remove()
    r.close()
    assert took[0] < ALLOWED and said(caplog.records) == []
    check_starts_again(r, server)


def test_within_a_transform_on_its_own_thread(
        server: FaultServer, caplog: pytest.LogCaptureFixture) -> None:
    took: list[float] = []

    def close(mapping: dict[str, Any]) -> dict[str, Any]:
        if not took:
            took.append(timed(r.close))
        return mapping

    r = reflector(server, transform=close).start()
    wait_until(lambda: not r.status.thread_alive)
    assert took and took[0] < ALLOWED and said(caplog.records) == []
    check_starts_again(r, server)


def test_a_subscriber_closes_it(server: FaultServer, caplog: pytest.LogCaptureFixture) -> None:
    r = reflector(server)
    subscription = r.subscribe()
    r.start()
    seen, took = 0, 0.0
    for _ in subscription:
        seen += 1
        if seen == 1:
            took = timed(r.close)
    assert seen >= 1 and took < ALLOWED and said(caplog.records) == []
    check_starts_again(r, server)


def test_twice_before_the_start_and_from_eight_threads(
        server: FaultServer, caplog: pytest.LogCaptureFixture) -> None:
    r = reflector(server)
    assert timed(r.close) < ALLOWED and timed(r.close) < ALLOWED
    server.fault(faults.Silent())
    r.start()
    took: list[float] = []
    with running_threads(*[lambda: took.append(timed(r.close))] * 8):
        pass
    assert len(took) == 8 and max(took) < ALLOWED and not r.status.thread_alive
    assert timed(r.close) < ALLOWED and said(caplog.records) == []
    check_starts_again(r, server)


def test_eight_threads_start_and_close_at_once(server: FaultServer) -> None:
    r = reflector(server, config(LIST_WATCH))

    def some() -> None:
        for _ in range(15):
            r.start()
            r.close()

    with running_threads(*[some] * 8):
        pass
    assert timed(r.close) < ALLOWED
    assert not [one for one in threading.enumerate() if one.name == f"kube-reflect:{r.name}"]
    check_starts_again(r, server)


@pytest.mark.parametrize("fault", [None, faults.Silent(), faults.HalfLine(),
                                   faults.Status(429, retry_after=3600)], ids=repr)
def test_within_a_signal_handler(server: FaultServer, caplog: pytest.LogCaptureFixture,
                                 fault: faults.Fault | None) -> None:
    took: list[float] = []
    r = reflector(server)
    before = signal.signal(signal.SIGUSR1, lambda *_: took.append(timed(r.close)))
    try:
        if fault is not None:
            server.fault(fault)
        r.start()
        server.wait_for_request(lambda request: True)
        os.kill(os.getpid(), signal.SIGUSR1)
        wait_until(lambda: took)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert took[0] < ALLOWED and not r.status.thread_alive
    # The refusal may have come before the close.
    assert not [line for line in said(caplog.records) if "HTTP 429" not in line]
    check_starts_again(r, server)


def test_a_signal_within_start_and_close_and_reads(server: FaultServer) -> None:
    """Wherever the main thread is, a handler that closes does not hang on its locks."""
    r = reflector(server, config(LIST_WATCH))
    before = signal.signal(signal.SIGALRM, lambda *_: r.close())
    try:
        for turn in range(30):
            signal.setitimer(signal.ITIMER_REAL, 0.0005 * (turn + 1))
            end = time.monotonic() + 0.0005 * (turn + 1) + 0.01
            while time.monotonic() < end:
                r.start()
                assert isinstance(r.status.objects, int)
                len(r.store)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        r.close()
    assert not r.status.thread_alive
    check_starts_again(r, server)


def test_within_a_finalizer(server: FaultServer, caplog: pytest.LogCaptureFixture) -> None:
    took: list[float] = []

    class Application:
        def __init__(self) -> None:
            self.reflector = reflector(server).start()

        def __del__(self) -> None:
            took.append(timed(self.reflector.close))

    application = Application()
    r = application.reflector
    check_in_step(r, server)
    del application
    assert len(took) == 1 and took[0] < ALLOWED and said(caplog.records) == []
    check_starts_again(r, server)


SCRIPT = """
    import sys
    from kubernetes import client
    from kube_reflect import Reflector, InitialListStrategy, Config
    url, how, ca_cert = sys.argv[1:]
    configuration = client.Configuration()
    configuration.host, configuration.proxy, configuration.ssl_ca_cert = url, None, ca_cert or None
    v1 = client.CoreV1Api(client.ApiClient(configuration))
    r = Reflector(v1.list_namespaced_pod, "ns").start()
    h = r.add_handler(on_add=lambda pod: None)
    if how == "ready":
        r.store.wait_until_ready(10)
    if how == "raise":
        raise SystemExit(3)
"""


@pytest.mark.slow
@pytest.mark.parametrize("how, fault", [
    ("ready", None), ("at once", None), ("raise", None), ("at once", faults.Silent()),
    ("at once", faults.HalfLine()), ("ready", faults.CutAfter(0.05)),
    ("at once", faults.Status(503, retry_after=3600)),
], ids=repr)
def test_the_interpreter_ends_without_a_close(
        server: FaultServer, how: str, fault: faults.Fault | None) -> None:
    if fault is not None:
        server.fault(fault)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(SCRIPT), server.url, how,
         server.ca_cert or ""],
        capture_output=True, timeout=30, text=True)
    lines = [line for line in done.stderr.splitlines() if "trying again" not in line]
    assert done.returncode == (3 if how == "raise" else 0)
    assert "\n".join(lines) == ""
