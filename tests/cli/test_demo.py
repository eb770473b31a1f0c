"""The demonstration, as a user runs it: without a terminal, on one, and where it cannot work."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from kube_reflect import Phase, Reflector
from kube_reflect.cli import _demo, main
from kube_reflect.cli._frames import Frame, Rates, line
from kube_reflect.cli._proof import Listing, compare
from kube_reflect.errors import WatchFailed
from kube_reflect.testing import FakeApiServer

from ._running import DEADLINE, MODULE, WITHOUT_RICH, Terminal, environment, pod, run

EQUAL = "the cache equals the server"


@pytest.mark.slow
def test_it_ends_by_itself_without_a_terminal_and_proves_the_cache() -> None:
    began = time.monotonic()
    ran = run("demo")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert time.monotonic() - began < 15 + 15  # Seconds; as many again for a machine that is busy.
    lines = ran.stdout.splitlines()
    assert len([one for one in lines if "reads/s" in one]) >= 7
    assert any("watching" in one for one in lines)
    # The connections were cut, and it recovered.
    assert "1 reconnects" in ran.stdout and "WatchFailed" in ran.stdout
    server, cache, verdict = lines[-3:]
    assert server.startswith("server: ") and cache.startswith("cache: ") and EQUAL in verdict
    assert server.split()[1] == cache.split()[1]
    assert server.split()[-1] == cache.split()[-1]


@pytest.mark.slow
def test_a_real_cluster_is_only_read(server: FakeApiServer, kubeconfig: str) -> None:
    results = []
    thread = threading.Thread(
        target=lambda: results.append(run("demo", "--seconds", "2", KUBECONFIG=kubeconfig)))
    thread.start()
    server.wait_for_request(lambda request: request.verb == "watch", timeout=DEADLINE)
    number = 0
    while thread.is_alive():
        server.create(pod(f"late-{number}"))
        server.delete("pods", f"late-{number}", "here")
        number += 1
        thread.join(0.05)
    (ran,) = results
    assert (ran.returncode, ran.stderr) == (0, "")
    assert EQUAL in ran.stdout and server.url in ran.stdout
    assert {request.verb for request in server.requests} == {"list", "watch"}


@pytest.mark.parametrize(("args", "told"), [
    ((), "required: COMMAND"),
    (("dance",), "invalid choice"),
    (("demo", "--seconds", "0"), "a number of seconds above 0 is needed, not '0'"),
    (("demo", "--seconds", "soon"), "a number of seconds above 0 is needed, not 'soon'"),
    (("demo", "--seconds", "inf"), "a number of seconds above 0 is needed, not 'inf'"),
    (("demo", "here"), "unrecognized arguments: here"),
], ids=str)
def test_wrong_arguments(args: tuple[str, ...], told: str,
                         capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(args)
    assert caught.value.code == 2
    shown = capsys.readouterr()
    assert told in shown.err and shown.out == ""


def test_help_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["demo", "--help"])
    assert caught.value.code == 0
    assert "only read" in capsys.readouterr().out


def expect_failure(told: str, capsys: pytest.CaptureFixture[str], *args: str) -> None:
    assert main(["demo", *args]) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith("kube-reflect: ") and shown.err.count("\n") == 1
    assert told in shown.err


def test_no_kubeconfig(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "nothing")
    expect_failure(f"there is no kubeconfig file {path!r}", capsys, "--kubeconfig", path)


@pytest.mark.parametrize("content", ["", "[", "just words", "kind: Config\n"], ids=repr)
def test_a_broken_kubeconfig(content: str, tmp_path: Path,
                             capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(content)
    expect_failure("cannot be used: ", capsys, "--kubeconfig", str(path))


def test_a_closed_port(server: FakeApiServer, kubeconfig: str,
                       capsys: pytest.CaptureFixture[str]) -> None:
    server.close()
    expect_failure("Connection refused", capsys, "--kubeconfig", kubeconfig, "--seconds", "0.5")


@pytest.mark.parametrize("verb", ["list", "watch"])
def test_no_permission(verb: str, server: FakeApiServer, kubeconfig: str,
                       capsys: pytest.CaptureFixture[str]) -> None:
    server.forbid("pods", verb=verb)
    began = time.monotonic()
    expected = ("needs the verbs list and watch" if verb == "watch" else
                "the pods cannot be listed, to compare")
    expect_failure(expected, capsys, "--kubeconfig", kubeconfig, "--seconds", "1")
    assert time.monotonic() - began < 5


@pytest.mark.slow
def test_a_reader_that_goes_away() -> None:
    command = [sys.executable, *MODULE, "demo", "--seconds", "1.5"]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(DEADLINE) == 1
        assert process.stderr.read() == ""


@pytest.mark.slow
@pytest.mark.parametrize("command", [MODULE, WITHOUT_RICH], ids=["with rich", "without rich"])
def test_on_a_terminal_it_runs_until_it_is_interrupted(command: tuple[str, ...]) -> None:
    if command is MODULE:
        pytest.importorskip("rich")
    terminal = Terminal(*command, "demo")
    try:
        terminal.read_until(lambda shown: shown.count("watching") > 2)
        terminal.process.send_signal(signal.SIGINT)
        terminal.read_until(lambda shown: False)
        assert terminal.process.wait(DEADLINE) == 0
        assert terminal.process.stderr is not None
        assert terminal.process.stderr.read() == b""
        assert EQUAL in terminal.shown
        assert ("╭" in terminal.shown) == (command is MODULE)
        # The cursor is there again.
        assert terminal.shown.count("\x1b[?25l") == terminal.shown.count("\x1b[?25h")
    finally:
        terminal.close()


@pytest.mark.slow
def test_interrupted_before_there_is_anything_to_compare(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = tmp_path / "kubeconfig"
        with FakeApiServer() as server:
            server.kubeconfig(config)
            written = config.read_text().replace(
                server.url, f"http://127.0.0.1:{silent.getsockname()[1]}")
        config.write_text(written)
        command = [sys.executable, *MODULE, "demo", "--kubeconfig", str(config)]
        with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("pods of ")
            assert "listing" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=DEADLINE)
            assert (process.returncode, err) == (130, "")


def listing(version: str, **states: str) -> Listing:
    return Listing(version, {("here", name): ("uid", state) for name, state in states.items()})


def test_the_proof_is_exact_where_nothing_changed() -> None:
    same = listing("9", a="1", b="2")
    assert compare(same, same, same).exact
    assert not compare(same, listing("8", a="1", b="2"), same).exact


@pytest.mark.parametrize(("cached", "told"), [
    (listing("9", a="1"), "here/b: only on the server"),
    (listing("9", a="1", b="3"), "here/b: of another version"),
    (listing("9", a="1", b="2", c="3"), "here/c: only in the cache"),
], ids=["missing", "different", "left over"])
def test_the_proof_finds_what_is_wrong(cached: Listing, told: str,
                                       capsys: pytest.CaptureFixture[str]) -> None:
    server = listing("9", a="1", b="2")
    proof = compare(server, cached, server)
    assert proof.wrong == (told,) and not proof.exact
    target = _demo._Target("pods", "", None, None)  # type: ignore[arg-type]
    assert _demo._report(proof, target) == 1
    assert told in capsys.readouterr().out


@pytest.mark.parametrize("cached", [
    listing("10", a="1", b="2"),
    listing("11", a="1", b="11"),
    listing("11", a="1", b="11", c="10"),
    listing("11", a="1", b="11", d="12"),
], ids=["still old", "new already", "came in between", "came and went"])
def test_the_proof_allows_for_what_changed_in_between(
        cached: Listing, capsys: pytest.CaptureFixture[str]) -> None:
    proof = compare(listing("9", a="1", b="2"), cached, listing("13", a="1", b="11"))
    assert proof.wrong == () and not proof.exact and proof.changed >= 1
    target = _demo._Target("pods", "", None, None)  # type: ignore[arg-type]
    assert _demo._report(proof, target) == 0
    assert EQUAL in capsys.readouterr().out


def test_rates_are_over_the_last_second() -> None:
    now = [0.0]
    rates = Rates(lambda: now[0])
    assert rates.update(0, 0) == (0, 0)
    for step in range(1, 13):
        now[0] = step / 4
        shown = rates.update(step, 100 * step)
    assert shown == (4, 400)
    assert list(rates.events) == [4, 4, 4]


def frame(namespaces: int, error: Exception | None = None, live: bool = True) -> Frame:
    status = dataclasses.replace(
        Reflector(lambda **kwargs: None).status,
        phase=Phase.WATCHING if live else Phase.BACKING_OFF, live=live, staleness=0.5,
        last_error=error, resource_version="123456", objects=12345)
    pods = {f"namespace-{number}": Counter(Running=number + 1, Odd=1)
            for number in range(namespaces)}
    return Frame(61.0, status, 1.0, 61.5, 70000.2, (12345, "123456"), 0.2 if error else None, pods)


def test_a_line_says_an_error_in_full_while_it_matters() -> None:
    assert line(frame(1)).endswith("last error: none")
    told = line(frame(1, WatchFailed("cut"), live=False))
    assert "backing off" in told and told.endswith("last error: WatchFailed 0 s ago: cut")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 10), (200, 60)], ids=str)
@pytest.mark.parametrize("namespaces", [0, 6, 300])
def test_the_view_fits(width: int, height: int, namespaces: int) -> None:
    console_module = pytest.importorskip("rich.console")
    from kube_reflect.cli._view import View
    console = console_module.Console(width=width, height=height, record=True,
                                     file=open(os.devnull, "w"))
    rates = Rates(time.monotonic)
    rates.events.extend(range(60))
    with console.file:
        view = View("pods", "", rates, console)
        console.print(view.render(frame(namespaces, WatchFailed("cut " * 99), live=False)))
        shown = console.export_text().splitlines()
    assert max(map(len, shown)) <= width
    if height >= 24:
        assert len(shown) < height
        assert any("12,345" in one for one in shown)
