"""kube_reflect.client.requests: whatever the client went through, and whatever comes back."""

from __future__ import annotations

import functools
import gc
import http.client
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
import urllib3
from kubernetes import client

from kube_reflect.client import Closed, ListFunction, RequestError, Requests
from kube_reflect.config import Config
from kube_reflect.testing import FakeApiServer
from kube_reflect.testing._certificates import Certificate

from tests.client._talking import (
    EMPTY, OK, QUERY, Talking, answering, api_client, silent, talking,
)
from tests.support.waiting import DEADLINE, wait_until

KEPT = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(EMPTY), EMPTY)
WATCH = {**QUERY, "watch": True}
CONFIG = Config(connect_timeout=DEADLINE, idle_timeout=DEADLINE)


def requests_of(url: str, config: Config = CONFIG, **more: Any) -> Requests:
    return Requests(ListFunction(client.CoreV1Api(api_client(url)).list_node), config, **more)


def body_of(requests: Requests, query: Any = QUERY) -> bytes:
    response = requests.open(query)
    with closing(response):
        return b"".join(response.chunks())


@contextmanager
def certified() -> Iterator[tuple[FakeApiServer, Certificate]]:
    try:
        certificate = Certificate()
    except RuntimeError as error:
        pytest.skip(str(error))
    with FakeApiServer(ssl_context=certificate.server_context()) as server:
        yield server, certificate


def check_closes_at_once(requests: Requests, work: Callable[[], Any],
                         under_way: Callable[[], Any]) -> None:
    """Close while another thread works, and check that its work is Closed at once."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(under_way, "the request being under way")
    began = time.monotonic()
    requests.close()
    thread.join(DEADLINE)
    assert time.monotonic() - began < 5
    [error] = raised
    assert isinstance(error, Closed)


# A client that something was put on.

def put_on(api: client.ApiClient) -> None:
    def patched(*_: Any, **__: Any) -> Any:
        raise AssertionError("what was patched on the instance was called")

    patched_client: Any = api
    patched_client.call_api = patched_client.request = patched_client.param_serialize = patched
    rest: Any = api.rest_client
    rest.request = rest.GET = patched
    rest.pool_manager.request = rest.pool_manager.urlopen = patched


def test_nothing_is_taken_of_what_was_patched_on_the_client() -> None:
    with answering(OK + b"Content-Length: %d\r\n\r\n%s" % (len(EMPTY), EMPTY)) as server:
        api = api_client(server.url)
        put_on(api)
        function = ListFunction(client.CustomObjectsApi(api).list_cluster_custom_object,
                                ("example.com", "v1", "things"))
        with closing(Requests(function, CONFIG, metadata_only=True)) as requests:
            assert body_of(requests) == EMPTY
            body_of(requests, {**WATCH, "send_initial_events": True, "limit": 3})
    assert b"as=PartialObjectMetadataList" in server.requests[0]
    assert b"sendInitialEvents=true" in server.requests[1]
    assert b"watch=true" in server.requests[1] and b"limit=3" in server.requests[1]


def test_what_is_patched_on_the_class_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    real = type(api_client("http://127.0.0.1:1").rest_client).request

    def traced(self: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(args)
        return real(self, *args, **kwargs)

    monkeypatch.setattr(type(api_client("http://127.0.0.1:1").rest_client), "request", traced)
    with answering(OK + b"Content-Length: 2\r\n\r\n{}") as server:
        with closing(requests_of(server.url)) as requests:
            assert body_of(requests) == b"{}"
    assert len(seen) == 1


# Credentials.

def test_a_new_client_is_asked_for_when_tls_has_failed() -> None:
    with certified() as (server, certificate):
        distrusting = client.CoreV1Api(server.api_client())
        distrusting.api_client.configuration.verify_ssl = True
        distrusting = client.CoreV1Api(client.ApiClient(distrusting.api_client.configuration))
        asked: list[int] = []

        def new_client() -> client.ApiClient:
            asked.append(1)
            return server.api_client(ca_cert=certificate.path)

        requests = Requests(ListFunction(distrusting.list_node), CONFIG, new_client=new_client)
        with closing(requests):
            with pytest.raises(RequestError, match="(?i)certificate") as failed:
                requests.open(QUERY)
            assert failed.value.code is None and not asked
            assert b"NodeList" in body_of(requests)
            assert asked == [1]


def test_a_new_client_is_not_asked_for_when_the_connection_has_failed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
    requests = requests_of(url, new_client=lambda: pytest.fail("it was asked for"))
    with closing(requests):
        for _ in range(2):
            with pytest.raises(RequestError, match="refused") as failed:
                requests.open(QUERY)
            assert "0x" not in str(failed.value)


# Answers of all kinds.

def test_a_connection_that_was_cut_while_it_was_idle_is_made_anew() -> None:
    def script(server: Talking, sock: socket.socket) -> None:
        server.head(sock)
        sock.sendall(KEPT)
        # As a load balancer does with a connection that is idle, while the next request comes.
        server.head(sock)

    with talking(script) as server, closing(requests_of(server.url)) as requests:
        assert [body_of(requests) for _ in range(3)] == [EMPTY] * 3
        # The first, then twice one that is not answered and one that is.
        assert len(server.requests) == 5


def test_a_new_connection_that_is_cut_is_a_failure() -> None:
    with talking(lambda server, sock: server.head(sock) and None) as server:
        with closing(requests_of(server.url)) as requests:
            with pytest.raises(RequestError, match="closed connection"):
                requests.open(QUERY)
        assert len(server.requests) == 1


INTERIM = (b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
           b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")


def test_interim_answers_are_skipped() -> None:
    with answering(INTERIM + OK + b"Content-Length: %d\r\n\r\n%s" % (len(EMPTY), EMPTY)) as server:
        with closing(requests_of(server.url)) as requests:
            assert body_of(requests) == EMPTY


def test_a_refusal_need_not_be_utf_8() -> None:
    body = "außer Betrieb".encode("latin-1")
    answer = (b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: %d\r\n\r\n%s"
              % (len(body), body))
    with answering(answer) as server, closing(requests_of(server.url)) as requests:
        with pytest.raises(RequestError, match="HTTP 503") as refused:
            requests.open(QUERY)
    assert refused.value.code == 503 and refused.value.retry_after == 7


@pytest.mark.parametrize("headers", [b"", b"Transfer-Encoding: chunked\r\n"])
def test_a_half_line_cut_by_a_close_is_no_line(headers: bytes) -> None:
    half = b'{"type":"ADDED","obj'
    data = b"%x\r\n%s\r\n" % (len(half), half) if headers else half
    with answering(OK + headers + b"\r\n" + data, silent) as server:
        requests = requests_of(server.url)
        response = requests.open(WATCH)
        chunks = response.chunks()
        assert next(chunks) == half
        check_closes_at_once(requests, lambda: next(chunks), lambda: server.requests)
        response.close()


# What cannot be interrupted, and what can.

def test_closed_while_tls_shakes_hands() -> None:
    with talking(lambda server, sock: silent(sock)) as server:
        requests = requests_of(server.url.replace("http", "https"))
        check_closes_at_once(requests, lambda: requests.open(QUERY), server.connected.is_set)


# With urllib3 1.26, Python 3.10 does not close the answer of a proxy that it could not read.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("target", ["http://api.invalid", "https://api.invalid"])
def test_closed_while_a_proxy_is_asked(target: str) -> None:
    def script(server: Talking, sock: socket.socket) -> None:
        server.head(sock)
        silent(sock)

    with talking(script) as server:
        api = api_client(target, proxy=server.url)
        requests = Requests(ListFunction(client.CoreV1Api(api).list_node), CONFIG)
        check_closes_at_once(requests, lambda: requests.open(QUERY), lambda: server.requests)
    gc.collect()


def test_closed_while_a_socks_proxy_is_asked() -> None:
    pytest.importorskip("socks")
    from urllib3.contrib.socks import SOCKSProxyManager

    with talking(lambda server, sock: silent(sock)) as server:
        api: Any = api_client("http://api.invalid")
        api.rest_client.pool_manager = SOCKSProxyManager(
            f"socks5h://127.0.0.1:{server.address[1]}")
        requests = Requests(ListFunction(client.CoreV1Api(api).list_node), CONFIG)
        check_closes_at_once(requests, lambda: requests.open(QUERY), server.connected.is_set)
        server.hang_up()


class Recording:
    """A response that a recorder of requests puts in the place of urllib3's."""

    def __init__(self, connection: Any, response: http.client.HTTPResponse) -> None:
        self._connection = connection
        self.status, self.reason = response.status, response.reason
        self.headers = self.msg = response.msg
        self.version = 11
        self._body = response.read()
        self.length = self.length_remaining = None
        self.version_string, self.closed = "HTTP/1.1", False

    def read(self, amt: int | None = None, decode_content: bool = False) -> bytes:
        amt = len(self._body) if amt is None else amt
        read, self._body = self._body[:amt], self._body[amt:]
        return read

    def stream(self, amt: int, decode_content: bool) -> Iterator[bytes]:
        while read := self.read(amt):
            yield read

    def get_redirect_location(self) -> bool:
        return False

    def drain_conn(self) -> None:
        """There is nothing to be read."""

    def close(self) -> None:
        self._connection.close()

    release_conn = close


class RecordingConnection(urllib3.connection.HTTPConnection):
    def getresponse(self, *_: Any, **__: Any) -> Any:
        return Recording(self, http.client.HTTPConnection.getresponse(self))


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urllib3.HTTPConnectionPool, "ConnectionCls", RecordingConnection)


@pytest.mark.skipif(urllib3.__version__ < "2", reason="urllib3 1.26 takes an answer apart itself")
def test_through_a_recorder_a_list_comes_the_plain_way(recorded: None) -> None:
    with answering(OK + b"Content-Length: %d\r\n\r\n%s" % (len(EMPTY), EMPTY)) as server:
        with closing(requests_of(server.url, metadata_only=True)) as requests:
            assert not requests.bound and not requests.streams_lists
            assert body_of(requests, {**QUERY, "limit": 500}) == EMPTY
    assert b"limit=500" in server.requests[0]
    assert b"as=PartialObjectMetadataList" in server.requests[0]


def test_through_a_recorder_a_watch_is_closed_at_once(recorded: None) -> None:
    with answering(OK + b"\r\n", lambda sock: silent(sock)) as server:
        requests = requests_of(server.url)
        check_closes_at_once(requests, lambda: requests.open(WATCH), lambda: server.requests)
        # Nobody can wake the thread that reads; the server's end does.
        server.hang_up()


def test_within_a_vcr_cassette(tmp_path: Any) -> None:
    vcr = pytest.importorskip("vcr")
    with answering(OK + b"Content-Length: %d\r\n\r\n%s" % (len(EMPTY), EMPTY)) as server:
        for _ in range(2):
            with vcr.use_cassette(str(tmp_path / "cassette.yaml")):
                with closing(requests_of(server.url)) as requests:
                    assert body_of(requests) == EMPTY
        assert len(server.requests) == 1


# Functions of somebody's own.

def test_a_wrapper_that_hands_on_what_is_not_known_is_like_an_old_server() -> None:
    def mine(**query: Any) -> Any:
        if "send_initial_events" in query:
            raise TypeError("got an unexpected keyword argument 'send_initial_events'")

    with closing(Requests(ListFunction(mine), CONFIG)) as requests:
        assert requests.streams_lists
        with pytest.raises(RequestError) as refused:
            requests.open({**WATCH, "send_initial_events": True})
        assert refused.value.code == 400


def test_asynchronous_methods_are_refused() -> None:
    class CoreV1Api:
        def list_node(self, watch: bool = False) -> Any:
            raise AssertionError("it was called")

    CoreV1Api.__module__ = CoreV1Api.list_node.__module__ = "kubernetes_asyncio.client.api"

    async def mine(watch: bool = False) -> Any:
        raise AssertionError("it was called")

    for list_func in (CoreV1Api().list_node, mine, functools.partial(mine, watch=True)):
        with pytest.raises(TypeError, match="asynchronous"):
            ListFunction(list_func)


def test_a_typed_method_that_does_not_say_what_it_lists_is_warned_of(
        caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kube_reflect.client.versions.item_model", lambda listed: None)
    function = ListFunction(client.CoreV1Api(api_client("http://127.0.0.1:1")).list_node)
    assert function.model is None
    [record] = caplog.records
    assert record.levelno == logging.WARNING and "list_node" in record.getMessage()
