"""Forks: child and parent both go on, whatever was under way, and whoever forked.

The server runs here, over TLS; the program that forks is a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kube_reflect.testing import Exchange, FaultServer

from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
# Beyond the scenario's own deadline, after which it says where it hangs.
DEADLINE = 50.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * DEADLINE)]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(tls=True) as server:
        for name in ("first", "second"):
            server.create({"apiVersion": "v1", "kind": "Pod", "metadata": {
                "name": name, "namespace": "a", "labels": {"app": name[:4]}}})
        yield server


@contextmanager
def playing(server: FaultServer, name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a scenario during a block; kill what is left of it then."""
    process = subprocess.Popen(
        # Newer Pythons warn of each fork of a program that has threads.
        [sys.executable, "-W", "ignore::DeprecationWarning", "-m",
         "tests.support.fork_scenarios", name,
         server.url, str(server.ca_cert), *arguments],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        try:
            yield process
        finally:
            process.kill()


def check(server: FaultServer, name: str, *arguments: str) -> str:
    """Play a scenario to its end, in silence; return what it printed."""
    with playing(server, name, *arguments) as process:
        try:
            printed, complaints = process.communicate(timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"it hangs; {process.communicate()[1]}") from None
    assert process.returncode == 0 and not complaints, complaints
    return printed


# Without our hook, as in a host that runs none. A fork in C, without Python's own hooks either, is
# not played: with other threads about, the interpreter itself may hang in such a child.
HOWS = pytest.mark.parametrize("how", [("os",), ("os", "unhooked")],
                               ids=["hooks", "no-hook-of-ours"])


@HOWS
def test_locks_that_are_held_at_the_fork(server: FaultServer, how: tuple[str, ...]) -> None:
    check(server, "locks", *how)


@HOWS
def test_any_use_starts_the_thread_again(server: FaultServer, how: tuple[str, ...]) -> None:
    check(server, "first_use", *how)


def test_a_table_that_is_half_changed(server: FaultServer) -> None:
    check(server, "half_changed")


def test_the_connection_ends_with_the_parent_though_the_child_lives(server: FaultServer) -> None:
    with playing(server, "orphan") as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "forked\n"
        wait_until(lambda: server.watches == 1)
        process.kill()
        process.wait(DEADLINE)
        wait_until(lambda: server.watches == 0, "the end of the watch")
        # The child holds the other ends of these pipes, and waits.
        assert process.stdout.readable() and not process.stdout.closed
        process.stdin.close()
        assert process.stdout.read() == ""


@pytest.mark.parametrize("how", ["_exit", "sys.exit", "end"])
def test_a_child_that_only_exits_says_nothing(server: FaultServer, how: str) -> None:
    assert check(server, "exits", how) == "the parent went on\n"


@pytest.mark.parametrize("name", ["in_handler", "subscribers", "closed"])
def test_what_the_child_inherits(server: FaultServer, name: str) -> None:
    check(server, name)


def test_a_fork_while_listing(server: FaultServer) -> None:
    go_on = threading.Event()

    def late(exchange: Exchange) -> None:
        go_on.wait(DEADLINE)
        exchange.proceed()

    listing = server.fault(late, times=1)
    with playing(server, "while_listing") as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "listing\n"
        listing.wait()
        process.stdin.write("fork\n")
        process.stdin.flush()
        said = process.stdout.readline()
        go_on.set()
        rest, complaints = process.communicate(timeout=DEADLINE)
    assert (said, rest, complaints, process.returncode) == ("forked\n", "", "", 0)


def test_twenty_forks_in_a_row_under_churn(server: FaultServer) -> None:
    check(server, "churn")


@HOWS
@pytest.mark.parametrize("name", ["generations", "namespaces"])
def test_children_of_children_and_of_several_threads(
        server: FaultServer, name: str, how: tuple[str, ...]) -> None:
    check(server, name, *how)


@pytest.mark.parametrize("start", ["os", "fork", "spawn"])
@pytest.mark.parametrize("model", ["gunicorn", "uwsgi", "celery"])
def test_servers_that_load_the_application_before_they_fork(
        server: FaultServer, model: str, start: str) -> None:
    check(server, "server", model, start, *(["unhooked"] if model == "uwsgi" else []))
