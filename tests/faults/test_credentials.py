"""Credentials that end in mid-life: fresh ones are asked for, once per reconnect."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from kube_reflect import Phase, Reflector
from kube_reflect.testing import FaultServer, faults

from tests.support.waiting import DEADLINE, wait_until

from ._common import (
    LIST_WATCH, NAMESPACE, STRATEGIES, api, check_in_step, check_no_traceback, config,
    disconnect, lists, pod, quick, reflector, said,
)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(tokens={"first": "me"}, bookmark_interval=0.2) as running:
        running.create(pod("a"))
        yield running


def refreshed(server: FaultServer, asked: list[str], token: Callable[[], str]) -> Reflector:
    """Make a reflector whose client asks for a token before each request, and notes which."""
    def refresh(configuration: Any) -> None:
        asked.append(token())
        configuration.api_key["authorization"] = f"Bearer {asked[-1]}"

    v1 = api(server)
    v1.api_client.configuration.refresh_api_key_hook = refresh
    return Reflector(v1.list_namespaced_pod, NAMESPACE, config=config(LIST_WATCH), model=dict,
                     backoff=quick())


def test_a_token_file_that_rotates(server: FaultServer, tmp_path: Path) -> None:
    """As in a cluster, where the configuration's hook reads the file before each request."""
    token = tmp_path / "token"
    token.write_text("first")
    asked: list[str] = []
    with refreshed(server, asked, token.read_text) as running:
        check_in_step(running, server)
        wait_until(lambda: running.status.live)
        listed = lists(server)
        token.write_text("second")
        server.tokens = {"second": "me"}
        disconnect(server)
        server.create(pod("b"))
        check_in_step(running, server)
        assert lists(server) == listed and running.status.relists == 0
        assert running.status.last_error is not None and running.status.code is None
    assert asked[-1] == "second" and len(asked) == len(server.requests)


def test_an_exec_plugin_s_token_that_expired(
        server: FaultServer, caplog: pytest.LogCaptureFixture) -> None:
    """A plugin's token is found out to be old only by the 401, and some reconnects later."""
    caplog.set_level(logging.WARNING)
    asked: list[str] = []
    given = iter(["first", "first", "old", "old", *["second"] * 1000])

    with refreshed(server, asked, lambda: next(given)) as running:
        check_in_step(running, server)
        wait_until(lambda: running.status.live)
        server.tokens = {"second": "me"}
        disconnect(server)
        server.create(pod("b"))
        check_in_step(running, server)
        assert running.status.code == 401 and running.status.relists == 0
    assert len(asked) == len(server.requests) == 5
    # Of the 401; that a watch is cut is nothing to warn of.
    assert len(said(caplog.records)) == 1
    check_no_traceback(caplog.records)


def test_a_hook_that_takes_longer_than_an_answer_may(server: FaultServer) -> None:
    impatient = config(LIST_WATCH, connect_timeout=0.1, idle_timeout=0.2)

    def refresh(configuration: Any) -> None:
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > 0.4)
        configuration.api_key["authorization"] = "Bearer first"

    v1 = api(server)
    v1.api_client.configuration.refresh_api_key_hook = refresh
    with Reflector(v1.list_namespaced_pod, NAMESPACE, config=impatient, model=dict,
                   backoff=quick()) as running:
        running.store.wait_until_ready(DEADLINE)
        assert len(running.store) == 1


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_new_client_after_a_401(server: FaultServer, strategy: Any) -> None:
    made: list[client.ApiClient] = []

    def new_client() -> client.ApiClient:
        made.append(server.api_client("second"))
        return made[-1]

    with reflector(server, config(strategy), new_client=new_client) as running:
        check_in_step(running, server)
        wait_until(lambda: running.status.live)
        listed = lists(server)
        assert made == []
        server.tokens = {"second": "me"}
        disconnect(server)
        server.create(pod("b"))
        check_in_step(running, server)
        disconnect(server)
        server.create(pod("c"))
        check_in_step(running, server)
        assert len(made) == 1 and lists(server) == listed


def test_new_clients_are_asked_for_once_per_reconnect_and_may_fail(server: FaultServer) -> None:
    asked: list[int] = []

    def new_client() -> client.ApiClient:
        asked.append(len(server.requests))
        if len(asked) == 2:
            raise OSError("the plugin is gone")
        return server.api_client("wrong" if len(asked) < 4 else "first")

    made = reflector(server, config(LIST_WATCH), new_client=new_client)
    server.tokens = {"other": "me"}
    with made as running:
        wait_until(lambda: len(asked) >= 3)
        server.tokens = {"first": "me"}
        check_in_step(running, server)
    # One that fails makes no request; each other is followed by one.
    assert asked[0] == 1 and asked[1] == asked[2] == 2
    assert len(set(asked)) == len(asked) - 1


def test_a_new_client_that_does_not_come_does_not_hold_up_a_close(server: FaultServer) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def new_client() -> client.ApiClient:
        asked.set()
        go_on.wait(10)
        return server.api_client()

    server.fault(faults.Status(401))
    r = reflector(server, new_client=new_client).start()
    assert asked.wait(10)
    r.close(timeout=5.0)
    assert not r.status.thread_alive and r.status.phase is Phase.STOPPED
    go_on.set()


def test_new_client_is_checked(server: FaultServer) -> None:
    with pytest.raises(TypeError, match="new_client"):
        reflector(server, new_client=server.api_client())
    with pytest.raises(ValueError, match="new_client"):
        Reflector(lambda **kwargs: None, new_client=server.api_client)
