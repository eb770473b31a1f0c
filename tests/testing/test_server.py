"""The server as a whole: life, connections, access, the record of requests, hooks."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest

import kube_reflect.testing
from kube_reflect.testing import FakeApiServer, Request
from kube_reflect.testing._http import Exchange
from kube_reflect.testing._server import Plan

from ._raw import Connection, ask, names, pod

PODS = "/api/v1/namespaces/default/pods"
WATCH = f"{PODS}?watch=1"


def fake_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()
            if thread.name.startswith("kube-reflect-testing:")]


def test_public_names() -> None:
    assert kube_reflect.testing.__all__ == [
        "ApiStatusError", "Exchange", "FakeApiServer", "FaultServer", "Injection", "Request",
        "RequestLog", "faults", "store_of"]


def test_nothing_runs_before_start_and_after_close() -> None:
    server = FakeApiServer()
    assert fake_threads() == []
    with pytest.raises(RuntimeError, match="start"):
        assert server.url
    server.create(pod("a"))
    assert server.start() is server.start()
    assert len(fake_threads()) == 1
    server.close()
    server.close()
    assert fake_threads() == []
    assert names(server.objects("pods")) == ["a"]


def test_close_before_start_does_nothing() -> None:
    server = FakeApiServer()
    server.close()
    assert fake_threads() == []


@pytest.mark.parametrize("mistake", [
    {"history": -1}, {"bookmark_interval": 0}, {"watch_timeout": -1}])
def test_numbers_out_of_range(mistake: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(mistake))):
        FakeApiServer(**mistake)  # type: ignore[arg-type]


def test_close_is_quick_with_open_connections() -> None:
    with FakeApiServer() as server, Connection(server.url) as idle:
        idle.ask(PODS)
        connections = [Connection(server.url) for _ in range(10)]
        for connection in connections:
            connection.send(WATCH)
            connection.head()
        with Connection(server.url) as half:
            half.sock.sendall(b"GET /api")
            before = time.monotonic()
            server.close()
            assert time.monotonic() - before < 3.0
        assert fake_threads() == []
        for connection in connections:
            assert connection.at_end()
            connection.__exit__(None, None, None)


def test_close_while_a_client_does_not_read() -> None:
    with FakeApiServer() as server:
        big = pod("big")
        big["metadata"]["annotations"] = {"text": "x" * 20_000_000}
        server.create(big)
        with Connection(server.url) as connection:
            connection.send(WATCH)
            connection.head()
            server.close()
            assert fake_threads() == []


def test_restart_keeps_port_and_objects_and_forgets_history(server: FakeApiServer) -> None:
    version = server.resource_version
    server.create(pod("a"))
    url = server.url
    with Connection(url) as watch:
        watch.send(f"{WATCH}&resourceVersion={server.resource_version}")
        watch.head()
        server.restart()
        assert watch.at_end()
    assert server.url == url
    assert names(ask(url, PODS).json()["items"]) == ["a"]
    assert ask(url, f"{WATCH}&resourceVersion={version}").json()["object"]["code"] == 410


def test_a_closed_server_refuses_connections(server: FakeApiServer) -> None:
    server.close()
    with pytest.raises(ConnectionRefusedError):
        ask(server.url, PODS)
    server.start()
    assert ask(server.url, PODS).status == 200


def test_disconnect_cuts_watches_only(server: FakeApiServer) -> None:
    with Connection(server.url) as other, Connection(server.url) as watch:
        other.ask(PODS)
        watch.send(WATCH)
        watch.head()
        assert server.watches == 1
        assert server.disconnect() == 1
        with pytest.raises(ConnectionError):
            watch.chunk()
        assert other.ask(PODS).status == 200


def test_a_client_that_hangs_up_ends_its_watch(server: FakeApiServer) -> None:
    with Connection(server.url) as watch:
        watch.send(WATCH)
        watch.head()
        thread = next(one for one in threading.enumerate()
                      if re.fullmatch(r"kube-reflect-testing:\d+:\d+", one.name))
    thread.join(5)
    assert not thread.is_alive()
    assert server.watches == 0


def test_keep_alive(server: FakeApiServer) -> None:
    with Connection(server.url) as connection:
        assert [connection.ask(PODS).status for _ in range(3)] == [200] * 3
        assert connection.ask("/nope").status == 404
        assert connection.ask(f"{WATCH}&timeoutSeconds=1").complete
        assert connection.ask(PODS, headers={"Connection": "close"}).status == 200
        assert connection.at_end()


def test_requests_sent_ahead_are_answered_in_turn(server: FakeApiServer) -> None:
    with Connection(server.url) as connection:
        connection.send(f"{WATCH}&timeoutSeconds=1&resourceVersion={server.resource_version}")
        connection.send(PODS)
        assert connection.rest(connection.head()).chunks == []
        assert connection.rest(connection.head()).json()["kind"] == "PodList"


def test_a_chunked_request_body(server: FakeApiServer) -> None:
    with Connection(server.url) as connection:
        connection.sock.sendall(
            b"POST %b HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
            b"9\r\n{\"metadat\r\n12\r\na\":{\"name\": \"abc\"}\r\n"
            b"1\r\n}\r\n0\r\n\r\n" % PODS.encode())
        assert connection.head().status == 100
        assert connection.rest(connection.head()).status == 201
    assert names(server.objects("pods")) == ["abc"]


@pytest.mark.parametrize("garbage", [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n", b"GET /\r\n\r\n", b"GET / HTTP/1.1\r\nx\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"])
def test_garbage_ends_the_connection_and_nothing_else(
    server: FakeApiServer, garbage: bytes
) -> None:
    with Connection(server.url) as connection:
        connection.sock.sendall(garbage)
        assert connection.at_end()
    assert ask(server.url, PODS).status == 200


def test_health_and_version(server: FakeApiServer) -> None:
    assert ask(server.url, "/readyz").body == b"ok"
    assert ask(server.url, "/version").json()["major"] == "1"
    groups = [group["name"] for group in ask(server.url, "/apis").json()["groups"]]
    assert "apps" in groups
    kinds = [one["kind"] for one in ask(server.url, "/apis/apps/v1").json()["resources"]]
    assert "Deployment" in kinds
    assert ask(server.url, "/apis/nope").status == 404
    assert ask(server.url, "/apis/apps").json()["preferredVersion"]["version"] == "v1"


def test_requests_are_recorded(server: FakeApiServer) -> None:
    ask(server.url, f"{PODS}/web?pretty=true&x=", headers={"X-Test": "a b"})
    request = server.requests[-1]
    assert (request.method, request.path) == ("GET", f"{PODS}/web")
    assert request.query == {"pretty": "true", "x": ""}
    assert request.headers["x-test"] == request.headers.get("X-TEST") == "a b"
    assert (request.verb, request.resource, request.namespace, request.name) == (
        "get", "pods", "default", "web")
    assert request.time <= time.monotonic()
    assert list(server.requests) == server.requests[:] and len(server.requests) == 1
    server.requests.clear()
    assert not server.requests


def test_wait_for_request(server: FakeApiServer) -> None:
    later = threading.Timer(0.05, ask, (server.url, PODS))
    later.start()
    ask(server.url, PODS)
    request = server.wait_for_request(lambda one: one.verb == "list", count=2)
    later.join()
    assert request is server.requests[1]
    with pytest.raises(TimeoutError, match="list /api/v1"):
        server.wait_for_request(lambda one: one.verb == "watch", timeout=0.01)


def test_tokens(server: FakeApiServer) -> None:
    server.tokens = {"secret": "alice"}
    right, wrong = ({"Authorization": f"Bearer {token}"} for token in ("secret", "other"))
    assert ask(server.url, PODS, headers=right).status == 200
    assert ask(server.url, PODS, headers=wrong).status == 401
    assert ask(server.url, PODS).status == 403
    server.tokens = {}
    assert ask(server.url, PODS, headers=right).status == 401
    server.tokens = None
    assert ask(server.url, PODS).status == 200


def test_forbid_and_allow(server: FakeApiServer) -> None:
    def codes() -> list[int]:
        paths = (PODS, "/api/v1/pods", "/api/v1/namespaces/x/pods", "/apis/apps/v1/deployments")
        return [ask(server.url, path).status for path in paths]

    server.forbid("pods", namespace="x")
    assert codes() == [200, 200, 403, 200]
    server.forbid("pods", verb="watch")
    assert codes() == [200, 200, 403, 200]
    assert ask(server.url, WATCH).status == 403
    server.forbid("/apis")
    assert codes() == [200, 200, 403, 403]
    server.allow("pods", namespace="x")
    assert codes() == [200, 200, 200, 403]
    server.allow()
    assert codes() == [200] * 4
    server.forbid()
    assert codes() == [403] * 4
    message = ask(server.url, "/api/v1/nodes/n").json()["message"]
    assert message == ('nodes "n" is forbidden: User "admin" cannot get resource "nodes" '
                       'in API group "" at the cluster scope')
    assert ask(server.url, "/version").json()["code"] == 403


class Scripted(FakeApiServer):
    """Answers LISTs by a plan, and one with half a line."""

    def intercept(self, request: Request) -> Plan | None:
        if request.verb == "watch":
            return self._half
        return self._teapot if request.verb == "list" else None

    @staticmethod
    def _teapot(exchange: Exchange) -> None:
        exchange.send(418, [("Retry-After", "7")], b"tea")

    @staticmethod
    def _half(exchange: Exchange) -> None:
        exchange.start(200, [])
        exchange.write(b"100\r\nhalf")
        exchange.sock.shutdown(socket.SHUT_RDWR)


def test_intercept_answers_instead() -> None:
    with Scripted() as server:
        server.create(pod("a"))
        answer = ask(server.url, PODS)
        assert (answer.status, answer.body, answer.header("Retry-After")) == (418, b"tea", "7")
        assert ask(server.url, f"{PODS}/a").status == 200
        with Connection(server.url) as watch:
            watch.send(WATCH)
            watch.head()
            assert watch.chunk() == b"half" and watch.at_end()


def test_a_bug_in_the_server_is_a_500_and_logged(
    server: FakeApiServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("kube_reflect.testing._api.discover", lambda *args: 1 / 0)
    assert ask(server.url, "/version").json()["reason"] == "InternalError"
    assert "ZeroDivisionError" in caplog.text


def test_https(tmp_path: Path) -> None:
    kubernetes = pytest.importorskip("kubernetes")
    cert, key = tmp_path / "cert", tmp_path / "key"
    try:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
             "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1",
             "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no certificate could be made with openssl: {error}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with FakeApiServer(ssl_context=context) as server:
        server.create(pod("a"))
        v1 = kubernetes.client.CoreV1Api(server.api_client(ca_cert=str(cert)))
        listed = v1.list_namespaced_pod("default")
        assert server.url.startswith("https:") and listed.items[0].metadata.name == "a"
        events = kubernetes.watch.Watch().stream(v1.list_namespaced_pod, "default")
        assert next(events)["type"] == "ADDED"
        server.create(pod("b"))
        assert next(events)["object"].metadata.name == "b"
        server.close()
        events.close()
