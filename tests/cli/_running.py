"""The command as a user runs it: as a process, and on a terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from kube_reflect.cli import main

from tests.support._examples import ROOT
from tests.support.objects import new_pod

DEADLINE = 55.0
MODULE = ("-m", "kube_reflect")
WITHOUT_RICH = ("-c", """
import sys
sys.modules["rich.console"] = None
from kube_reflect.cli import main
sys.exit(main())
""")


def environment(**more: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    return {**inherited, "PYTHONPATH": str(ROOT), **more}


def run(*args: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *MODULE, *args], env=environment(**more), text=True,
                          capture_output=True, timeout=DEADLINE)


def pod(name: str, namespace: str = "here", **labels: str) -> dict[str, Any]:
    return {**new_pod(name, namespace, **labels), "spec": {"containers": []},
            "status": {"phase": "Running"}}


def followed(capsys: pytest.CaptureFixture[str], *args: str, lines: int = 1,
             whole: str = "") -> str:
    """Return what a command prints that follows the cluster for a moment.

    :param lines: if it has printed fewer, since the machine is busy, it is given longer.
    :param whole: so it is until this pattern matches, where there is one.
    """
    out = ""
    for seconds in ("0.4", "3", "15"):
        assert main([*args, "--seconds", seconds]) == 0
        out = capsys.readouterr().out
        if re.fullmatch(whole, out.strip(), re.S) if whole else out.count("\n") >= lines:
            break
    return out


class Terminal:
    """A process whose output is a terminal."""

    def __init__(self, *command: str, **more: str) -> None:
        pytest.importorskip("termios")
        self._ours, theirs = os.openpty()
        self.process = subprocess.Popen(
            [sys.executable, *command], stdout=theirs, stderr=subprocess.PIPE,
            env=environment(TERM="xterm", COLUMNS="80", LINES="24", **more))
        os.close(theirs)
        self.shown = ""

    def read_until(self, holds: Callable[[str], bool]) -> None:
        """Read until something is shown, or it ends."""
        while not holds(self.shown):
            try:
                data = os.read(self._ours, 65536)
            except OSError:
                return
            if not data:
                return
            self.shown += data.decode("utf-8", "replace")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()
        os.close(self._ours)
