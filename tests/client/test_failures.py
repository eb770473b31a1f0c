"""kube_reflect.client.failures: what is said of a request that failed."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from typing import Any

import pytest
from kubernetes import client

from kube_reflect.client.failures import failure, refused
from kube_reflect.errors import InitialListFailed
from kube_reflect.testing import FakeApiServer
from kube_reflect.watcher import Watcher

STATUS = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden",
          "message": "pods is forbidden", "code": 403}


@pytest.mark.parametrize("body", [json.dumps(STATUS), json.dumps(STATUS).encode()])
def test_a_status_is_kept_and_its_message_said(body: str | bytes) -> None:
    error = refused(403, None, body)
    assert (str(error), error.code, error.status) == (
        "HTTP 403: pods is forbidden", 403, STATUS)


@pytest.mark.parametrize(("body", "said"), [
    (b"404 page not found\n", ": 404 page not found"),
    ("404 page not found", ": 404 page not found"),
    (b"\r\n  upstream\tconnect error \r\nand more", ": upstream connect error"),
    (b'{"error": "no such route"}', ': {"error": "no such route"}'),
    ("\N{SNOWMAN} zu".encode(), ": \N{SNOWMAN} zu"),
    (b"x" * 1000, f": {'x' * 300}\N{HORIZONTAL ELLIPSIS}"),
    (b"<html>\n<title>Bad Gateway</title>", ""),
    (b"\x1f\x8b\x08\x00\x00", ""), (b"\x1b[2Jclear", ""), (b" \n", ""), (b"", ""), (None, ""),
])
def test_of_what_is_no_status_the_first_line_is_said(body: str | bytes | None, said: str) -> None:
    error = refused(502, None, body)
    assert (str(error), error.status) == (f"HTTP 502{said}", None)


def test_what_a_server_says_of_a_path_that_it_does_not_know_is_said() -> None:
    with FakeApiServer() as server:
        api = client.CustomObjectsApi(server.api_client())
        watcher = Watcher(api.list_cluster_custom_object, "example.com", "v1", "foos")
        error = next(item for item in watcher if isinstance(item, InitialListFailed))
        watcher.close()
    assert str(error) == "cannot list: HTTP 404: 404 page not found"
    assert (error.code, error.status) == (404, None)


@pytest.mark.parametrize(("header", "seconds"), [
    ("7", 7.0), ("0.5", 0.5), ("-3", 0.0), ("", None), ("soon", None), ("inf", None),
    ("nan", None), (formatdate(0, usegmt=True), 0.0),
])
def test_a_retry_after_is_seconds(header: str, seconds: float | None) -> None:
    assert refused(429, {"Retry-After": header}, b"").retry_after == seconds


def test_a_retry_after_may_be_a_date() -> None:
    found = refused(429, {"Retry-After": formatdate(time.time() + 100, usegmt=True)}, b"")
    assert found.retry_after == pytest.approx(100, abs=5)


@pytest.mark.parametrize(("error", "said"), [
    (ValueError("not\n  in one line"), "ValueError: not in one line"),
    (OSError(), "OSError: OSError()"),
    (Exception("<HTTPConnection at 0x7f>: refused"), "Exception: refused"),
    (ValueError("x" * 1000), f"ValueError: {'x' * 300}"),
])
def test_an_exception_is_said_in_one_line(error: Exception, said: str) -> None:
    found = failure(error)
    assert (str(found), found.code) == (said, None)


def test_the_reason_of_an_exception_tells_more_than_that() -> None:
    outer: Any = Exception("around it")
    outer.reason = TimeoutError("within")
    assert str(failure(outer)) == "TimeoutError: within"
