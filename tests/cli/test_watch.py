"""``watch``: the table on a terminal, and lines elsewhere."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
from typing import Any

import pytest

from kube_reflect import Applied, Deleted, Phase, Reflector
from kube_reflect.cli import main
from kube_reflect.errors import WatchFailed
from kube_reflect.testing import FakeApiServer
from kube_reflect.testing.columns import columns_of

from ._running import DEADLINE, MODULE, WITHOUT_RICH, Terminal, followed, pod

Capture = pytest.CaptureFixture[str]


def plain(shown: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)


def test_without_a_terminal_it_prints_lines(at_hand: str, capsys: Capture) -> None:
    lines = followed(capsys, "watch", "pods", "-n", "here", lines=21).splitlines()
    assert lines[0].split() == ["EVENT", "NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert len(lines) == 21 and lines[1].split()[0] == "ADDED"


@pytest.mark.parametrize("output", ["json", "yaml", "name"])
def test_documents(output: str, at_hand: str, capsys: Capture) -> None:
    out = followed(capsys, "watch", "pods", "-n", "here", "--field-selector",
                   "metadata.name=pod-1", "-o", output)
    assert {"json": '"name": "pod-1"', "yaml": "---\n", "name": "pod/pod-1\n"}[output] in out


def test_the_shards_of_a_resource(at_hand: str, capsys: Capture) -> None:
    found: list[str] = []
    for shard in ("0/2", "1/2"):
        found += followed(capsys, "watch", "pods", "-n", "here", "--shard", shard,
                          "-o", "name").split()
    assert sorted(found) == sorted(f"pod/pod-{number}" for number in range(20))


@pytest.mark.parametrize("shard", ["2/2", "1", "a/b", "0/0", "-1/2"])
def test_what_is_no_shard(shard: str, at_hand: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["events", "pods", f"--shard={shard}"])
    assert "shard" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("command", [MODULE, WITHOUT_RICH], ids=["with rich", "without rich"])
def test_on_a_terminal_it_follows_the_cluster(command: tuple[str, ...], server: FakeApiServer,
                                              kubeconfig: str) -> None:
    if command is MODULE:
        pytest.importorskip("rich")
    terminal = Terminal(*command, "watch", "pods", "-n", "here", KUBECONFIG=kubeconfig)
    try:
        terminal.read_until(lambda shown: "pod-19" in shown)
        server.create(pod("new"))
        terminal.read_until(lambda shown: "new " in shown)
        terminal.process.send_signal(signal.SIGINT)
        terminal.read_until(lambda shown: False)
        assert terminal.process.wait(DEADLINE) == 130
        assert terminal.process.stderr is not None
        assert terminal.process.stderr.read() == b""
        assert ("watching · 21 objects" in plain(terminal.shown)) == (command is MODULE)
        assert ("ADDED" in terminal.shown) == (command is WITHOUT_RICH)
        # The cursor is there again.
        assert terminal.shown.count("\x1b[?25l") == terminal.shown.count("\x1b[?25h")
    finally:
        terminal.close()


def status(**changes: Any) -> Any:
    given = {"phase": Phase.WATCHING, "live": True, "staleness": 0.5, "objects": 300, **changes}
    return dataclasses.replace(Reflector(lambda **kwargs: None).status, **given)


def drawn(width: int, height: int, objects: int, *changes: Any, **more: Any) -> list[str]:
    """Draw a board, and return its lines."""
    console_module = pytest.importorskip("rich.console")
    from kube_reflect.cli._board import Board
    console = console_module.Console(width=width, height=height, record=True,
                                     file=open(os.devnull, "w"))
    with console.file:
        board = Board("pods of somewhere", list(columns_of("", "pods")), None, console)
        for number in range(objects):
            board.changed(Applied(pod(f"pod-{number:03}")))
        board.all_listed()
        for change in changes:
            board.changed(change)
        console.print(board.render(status(**more)))
        found: list[str] = console.export_text().splitlines()
    return found


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 10), (200, 60)], ids=str)
@pytest.mark.parametrize("objects", [0, 6, 300])
def test_the_board_fits(width: int, height: int, objects: int) -> None:
    lines = drawn(width, height, objects, last_error=WatchFailed("cut " * 99), live=False,
                  phase=Phase.BACKING_OFF, reconnects=3, relists=1)
    assert max(map(len, lines)) <= width
    assert len(lines) < height
    assert any("backing off" in one for one in lines)
    assert any("last error: cut" in one for one in lines)


def test_a_narrow_board_has_fewer_columns_and_all_of_these_whole() -> None:
    lines = drawn(40, 24, 3, Applied(pod("x")))
    assert lines[1].split() == ["NAME", "READY", "STATUS"]
    assert not any("…" in line for line in lines[1:6])
    assert [line[0] for line in lines[2:6]] == [" ", " ", " ", "+"]


def test_changes_are_marked() -> None:
    lines = drawn(80, 24, 3, Applied(pod("pod-001"), pod("pod-001")), Applied(pod("x")),
                  Deleted(pod("pod-002")))
    assert [line[:12].rstrip() for line in lines[2:6]] == [
        "   pod-000", "~  pod-001", "-  pod-002", "+  x"]


def test_of_many_the_last_changed_come_first() -> None:
    lines = drawn(80, 12, 300, Applied(pod("pod-150"), pod("pod-150")))
    assert lines[2].startswith("~  pod-150") and lines[3].startswith("   pod-000")
    assert any("7 shown, last changed first" in one for one in lines)


def test_progress_of_the_first_list() -> None:
    console_module = pytest.importorskip("rich.console")
    from kube_reflect.cli._board import Board
    with open(os.devnull, "w") as nowhere:
        console = console_module.Console(width=80, record=True, file=nowhere)
        board = Board("pods", list(columns_of("", "pods")), 500, console)
        for _ in range(200):
            board.count(None)
        console.print(board.render(status(objects=0, staleness=None, phase=Phase.LISTING)))
        assert "200/500" in console.export_text()
