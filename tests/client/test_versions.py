"""kube_reflect.client.versions: what we lean on is there, and what differs makes no difference."""

from __future__ import annotations

import logging
import socket
from typing import Any

import pytest
from kubernetes import client
from urllib3 import exceptions
from urllib3.connection import HTTPConnection

from kube_reflect.client import ListFunction, Requests
from kube_reflect.client.versions import (
    INTERFACES, Interface, name_resolution_error, read_some, warn_if_untried,
)
from kube_reflect.config import Config


@pytest.mark.parametrize("interface", INTERFACES, ids=lambda one: one.what)
def test_what_we_lean_on_is_there(interface: Interface) -> None:
    try:
        there = interface.is_there()
    except Exception as error:
        pytest.fail(f"{interface.what}: not so with this version, {error!r}; "
                    f"kube_reflect.client.{interface.used_by} leans on it")
    assert there, (f"{interface.what}: not so with this version; "
                   f"kube_reflect.client.{interface.used_by} leans on it")


@pytest.mark.parametrize("version", ["26.1.0", "38.0.0", "40.1.0b1", "unknown"])
def test_of_a_version_that_was_never_tried_a_warning_is_logged_once(
        version: str, caplog: pytest.LogCaptureFixture) -> None:
    warn_if_untried.cache_clear()
    for _ in range(3):
        warn_if_untried(version)
    [record] = caplog.records
    assert record.levelno == logging.WARNING and version in record.getMessage()


@pytest.mark.parametrize("version", ["27.2.0", "30.1.0", "36.0.3", "37.0.2", "37.9.0+snapshot"])
def test_of_the_others_none(version: str, caplog: pytest.LogCaptureFixture) -> None:
    warn_if_untried.cache_clear()
    warn_if_untried(version)
    assert caplog.records == []


def test_an_unknown_argument_is_refused_at_once() -> None:
    api = client.CoreV1Api(client.ApiClient(client.Configuration(host="http://127.0.0.1:1")))
    for method in (api.list_node, api.list_node_with_http_info):
        with pytest.raises(TypeError, match="label_selectr"):
            Requests(ListFunction(method, (), {"label_selectr": "a=b"}), Config())
        Requests(ListFunction(method, (), {"label_selector": "a=b", "pretty": "true"}), Config())


@pytest.mark.parametrize("older", [False, True], ids=["installed", "1.26"])
def test_a_name_that_is_not_known_is_an_error_of_urllib3(
        older: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if older:
        monkeypatch.delattr(exceptions, "NameResolutionError", raising=False)
    unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    error = name_resolution_error(HTTPConnection("nowhere.example", 80), unknown)
    assert isinstance(error, exceptions.NewConnectionError)
    assert "nowhere.example" in str(error) and "Name or service not known" in str(error)


class Plain:
    """A response of somebody's own, which can be read and no more."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def read(self, amount: int) -> bytes:
        read, self._body = self._body[:amount], self._body[amount:]
        return read


class WithRead1(Plain):
    read1 = Plain.read


class Older(Plain):
    """A response of urllib3 as it was: only what is within can read some."""

    def __init__(self, body: bytes) -> None:
        self._fp = WithRead1(body)


@pytest.mark.parametrize(("response", "first"), [
    (Plain(b"abc"), b"a"), (Older(b"abc"), b"abc"), (WithRead1(b"abc"), b"abc")])
def test_some_is_read_of_any_response(response: Any, first: bytes) -> None:
    assert read_some(response, 100) == first
