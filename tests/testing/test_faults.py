"""Each fault, byte by byte, as a bare client sees it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from kube_reflect.testing import Exchange, FaultServer, faults

from ._raw import Answer, Connection, names, pod

PODS = "/api/v1/namespaces/default/pods"
WATCH = f"{PODS}?watch=1"
STREAMING = (f"{WATCH}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
             "&allowWatchBookmarks=true")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        running.create(pod("a"))
        running.create(pod("b"))
        yield running


def say_nothing_more(connection: Connection) -> bool:
    connection.sock.settimeout(0.1)
    try:
        return connection.sock.recv(1) is None
    except TimeoutError:
        return True


def answer_to(server: FaultServer, path: str, fault: faults.Fault) -> Answer:
    with server.fault(fault), Connection(server.url) as connection:
        return connection.ask(path)


@pytest.mark.parametrize("fault, begun", [
    (faults.Silent(), b""),
    (faults.HeadersOnly(), None),
    (faults.HalfLine(), faults.TRUNCATED[:-1]),
    (faults.Stop(lines=1, half=True), None),
    (faults.Truncate(40, then="silence"), b"HTTP/1.1 200 OK\r\n"),
])
def test_silence(server: FaultServer, fault: faults.Fault, begun: bytes | None) -> None:
    server.fault(fault)
    with Connection(server.url) as connection:
        connection.send(WATCH)
        seen = b""
        while begun and begun not in seen:
            data = connection.sock.recv(65536)
            assert data, seen
            seen += data
        connection.sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            while data := connection.sock.recv(65536):
                seen += data
        assert begun is None or (begun in seen if begun else not seen)
        assert not seen.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("fault, error", [
    (faults.HangUp(), None),
    (faults.HalfLine(then="close"), None),
    (faults.Truncate(40), None),
    (faults.CutAfter(0.05), None),
    (faults.Stop(lines=1, then="close"), None),
    (faults.Reset(), ConnectionResetError),
    (faults.HalfLine(then="reset"), ConnectionResetError),
    (faults.Truncate(40, then="reset"), ConnectionResetError),
])
def test_cuts(server: FaultServer, fault: faults.Fault, error: type[OSError] | None) -> None:
    server.fault(fault)
    with Connection(server.url) as connection:
        connection.send(WATCH)
        seen: list[bytes] = []

        def read() -> bytes:
            while data := connection.sock.recv(65536):
                seen.append(data)
            return b"".join(seen)

        if error is None:
            assert not read().endswith(b"0\r\n\r\n")
        else:
            with pytest.raises(error):
                read()
        assert server.requests[0].verb == "watch"


def test_end_at_once_keeps_the_connection(server: FaultServer) -> None:
    server.fault(faults.EndAtOnce(), times=1)
    with Connection(server.url) as connection:
        answer = connection.ask(WATCH)
        assert (answer.status, answer.body, answer.complete) == (200, b"", True)
        assert names(connection.ask(PODS).json()["items"]) == ["a", "b"]


@pytest.mark.parametrize("code, reason", [
    (401, "Unauthorized"), (403, "Forbidden"), (404, "NotFound"), (408, "Timeout"),
    (410, "Expired"), (429, "TooManyRequests"), (500, "InternalError"),
    (503, "ServiceUnavailable")])
def test_statuses(server: FaultServer, code: int, reason: str) -> None:
    answer = answer_to(server, PODS, faults.Status(code))
    status = answer.json()
    assert answer.status == code and answer.header("Retry-After") is None
    assert (status["kind"], status["code"], status["reason"]) == ("Status", code, reason)


def test_retry_after(server: FaultServer) -> None:
    answer = answer_to(server, PODS, faults.Status(429, retry_after=3))
    assert answer.header("Retry-After") == "3"
    assert answer.json()["details"] == {"retryAfterSeconds": 3}
    date = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(hours=1)
    said = answer_to(server, PODS, faults.Status(503, retry_after=date)).header("Retry-After")
    assert said is not None and parsedate_to_datetime(said) == date


def test_html(server: FaultServer) -> None:
    answer = answer_to(server, PODS, faults.Html())
    assert answer.status == 502 and answer.header("Content-Type") == "text/html"
    assert answer.body.startswith(b"<html>")


def test_error_events(server: FaultServer) -> None:
    expired = answer_to(server, WATCH, faults.ErrorEvent()).json()
    assert (expired["type"], expired["object"]["code"], expired["object"]["reason"]) == (
        "ERROR", 410, "Expired")
    bare = answer_to(server, WATCH, faults.ErrorEvent(None)).json()
    assert bare["object"]["kind"] == "Status"
    assert not {"code", "reason"} & bare["object"].keys()


def test_lines_of_ones_own_and_then_as_usual(server: FaultServer) -> None:
    lines = (faults.BLANK, faults.NULL, faults.TRUNCATED, faults.INVALID_UTF8,
             faults.UNKNOWN_TYPE, faults.NO_OBJECT)
    with server.fault(faults.Lines(*lines)), Connection(server.url) as connection:
        connection.send(WATCH)
        connection.head()
        assert [connection.chunk() for _ in lines] == list(lines)
        assert connection.event()["object"]["metadata"]["name"] == "a"
    answer = answer_to(server, WATCH, faults.Lines(faults.NULL, then="end"))
    assert answer.chunks == [faults.NULL]


def test_edited_lines(server: FaultServer) -> None:
    def edit(line: bytes) -> bytes | None:
        return None if b'"a"' in line else line.replace(b'"name":"b"', b'"name":"\xff"')

    with server.fault(faults.EditLines(edit)), Connection(server.url) as connection:
        connection.send(WATCH)
        connection.head()
        assert b'"name":"\xff"' in (connection.chunk() or b"")


def test_a_streaming_list_that_does_not_end(server: FaultServer) -> None:
    server.fault(faults.NoEndBookmark(), when=faults.streaming_list)
    with Connection(server.url) as connection:
        connection.send(STREAMING)
        connection.head()
        assert [connection.event()["object"]["metadata"]["name"] for _ in "ab"] == ["a", "b"]
        assert say_nothing_more(connection)
    with Connection(server.url) as connection:
        connection.send(WATCH)
        connection.head()
        assert connection.event()["type"] == "ADDED"


def test_many_lines_in_one_chunk(server: FaultServer) -> None:
    server.fault(faults.OneChunk(lines=1002))
    with Connection(server.url) as connection:
        connection.send(WATCH)
        connection.head()
        for number in range(1000):
            server.create(pod(f"p{number}"))
        chunk = connection.chunk()
        assert chunk is not None and chunk.count(b"\n") == 1002


def test_stop_after_some_lines(server: FaultServer) -> None:
    server.fault(faults.Stop(lines=3, half=True, then="close"))
    with Connection(server.url) as connection:
        connection.send(WATCH)
        connection.head()
        server.create(pod("c"))
        assert [connection.event()["object"]["metadata"]["name"] for _ in "abc"] == [*"abc"]
        server.create(pod("d"))
        half = connection.chunk()
        assert half is not None and half.startswith(b'{"type":"ADDED"') and b"\n" not in half
        assert connection.at_end()


def test_connection_close(server: FaultServer) -> None:
    with server.fault(faults.ConnectionClose()), Connection(server.url) as connection:
        answer = connection.ask(PODS)
        assert answer.header("Connection") == "close" and len(answer.json()["items"]) == 2
        assert connection.at_end()


@pytest.mark.parametrize("path", [PODS, f"{WATCH}&timeoutSeconds=1"])
def test_a_body_until_the_connection_closes(server: FaultServer, path: str) -> None:
    with server.fault(faults.BodyUntilClose()), Connection(server.url) as connection:
        connection.send(path)
        answer = connection.head()
        assert answer.header("Content-Length") is answer.header("Transfer-Encoding") is None
        body = b""
        while data := connection._stream.read1(65536):
            body += data
        assert body.startswith(b"{") and body.endswith(b"}\n")


@pytest.mark.parametrize("edit, check", [
    (faults.without_resource_version, lambda it: it["metadata"] == {} and len(it["items"]) == 2),
    (faults.null_items, lambda it: it["items"] is None and it["metadata"]["resourceVersion"]),
    (faults.duplicate_items, lambda it: names(it["items"]) == ["a", "b", "a", "b"]),
    (faults.nameless_item, lambda it: "name" not in it["items"][0]["metadata"]
     and it["items"][1]["metadata"]["name"] == "b"),
])
@pytest.mark.parametrize("more", [0, 300])
def test_edited_lists(server: FaultServer, edit: Any, check: Any, more: int) -> None:
    if more:
        server.create({**pod("a2"), "metadata": {"name": "a2", "annotations": {"x": "y" * 200000}}})
        server.delete("Pod", "a2")
    answer = answer_to(server, PODS, faults.EditList(edit))
    assert answer.status == 200 and check(answer.json())


def test_an_edited_list_that_was_compressed(server: FaultServer) -> None:
    big = pod("c")
    big["metadata"]["annotations"] = {"x": "y" * 200_000}
    server.create(big)
    with server.fault(faults.EditList(faults.duplicate_items)), \
            Connection(server.url) as connection:
        answer = connection.ask(PODS, headers={"Accept-Encoding": "gzip"})
    assert len(answer.json()["items"]) == 6 and answer.header("Content-Encoding") is None


def test_a_refusal_goes_through_an_edited_list(server: FaultServer) -> None:
    server.forbid("Pod")
    answer = answer_to(server, PODS, faults.EditList(faults.null_items))
    assert answer.status == 403 and answer.json()["reason"] == "Forbidden"


def test_a_replica_that_is_behind(server: FaultServer) -> None:
    before = server.resource_version
    server.create(pod("c"))
    answer = answer_to(server, PODS, faults.Behind(before)).json()
    assert names(answer["items"]) == ["a", "b"]
    assert answer["metadata"]["resourceVersion"] == before
    with server.fault(faults.Behind(before)), Connection(server.url) as connection:
        connection.send(f"{WATCH}&resourceVersion={server.resource_version}")
        connection.head()
        assert connection.event()["object"]["metadata"]["name"] == "c"


def test_delays(server: FaultServer) -> None:
    began = time.monotonic()
    assert answer_to(server, PODS, faults.Delay(0.1)).status == 200
    assert answer_to(server, PODS, faults.Delay(0.1, faults.Status(503))).status == 503
    assert time.monotonic() - began >= 0.2


def test_a_fault_of_ones_own(server: FaultServer) -> None:
    def teapot(exchange: Exchange) -> None:
        exchange.send(418, [("X-Path", exchange.request.path)], b"{}")

    answer = answer_to(server, PODS, teapot)
    assert (answer.status, answer.header("X-Path"), answer.json()) == (418, PODS, {})


def test_faults_have_a_readable_repr() -> None:
    assert repr(faults.Status(503, retry_after=2)).startswith("Status(code=503, retry_after=2")
    assert repr(faults.Lines(b"x")) == "Lines(lines=(b'x',), then=None)"
    assert faults.Silent() == faults.Silent() and len({faults.Silent(), faults.Silent()}) == 1


def test_what_is_no_line_is_none() -> None:
    for line in (faults.BLANK, faults.TRUNCATED, faults.INVALID_UTF8):
        with pytest.raises(ValueError):
            json.loads(line)
    assert json.loads(faults.NULL) is None
