"""A server in a process of its own, its answers and its output."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Collection
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.e2e._processes import free_port
from tests.support._examples import ROOT
from tests.support.waiting import eventually

__all__ = ["HERE", "Host", "environment", "until"]

HERE = Path(__file__).resolve().parent
#: Seconds for whatever must happen.
DEADLINE = 60.0


def until(condition: Callable[[], Any], what: Callable[[], str],
          deadline: float = DEADLINE) -> Any:
    """Wait until a condition is true, and return what it gave.

    :param what: tells, if it fails, what there is instead.
    :raises AssertionError: if it does not become true.
    """
    found = eventually(condition, deadline)
    assert found, f"not within {deadline} s: {what()}"
    return found


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a process that imports this checkout."""
    return os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | more


class Host:
    """A server and its workers.

    :param command: what to start, ``{port}`` in it for the port that it is to serve.
    :param kubeconfig: leads to the cluster.
    :param code: with which it ends when it is told to.
    :param more: variables of its environment.
    """

    def __init__(self, *command: str, kubeconfig: Path, cwd: Path = ROOT, code: int = 0,
                 **more: str) -> None:
        self._code = code
        self.port = free_port()
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [part.format(port=self.port) for part in command], cwd=cwd, text=True,
            env=environment(KUBECONFIG=str(kubeconfig), HOME=str(kubeconfig.parent), **more),
            start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout:
            for line in self.process.stdout:
                self.lines.append(line.rstrip())

    def output(self) -> str:
        """What it has said so far."""
        return "\n".join(self.lines)

    def says(self, text: str) -> bool:
        """Whether it has said that."""
        assert self.process.poll() is None, self.output()
        return any(text in line for line in self.lines)

    def get(self, path: str, timeout: float = DEADLINE) -> tuple[int, Any]:
        """Ask for a page of JSON, on a new connection; 0 where nobody answers, or not wholly."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}",
                                        timeout=timeout) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except (OSError, ValueError, http.client.HTTPException) as error:
            return 0, str(error)

    def page(self, path: str) -> Any:
        """Ask until there is an answer that is good; return it."""
        def ask() -> Any:
            assert self.process.poll() is None, self.output()
            code, found = self.get(path)
            return found if code == 200 else None

        return until(ask, lambda: f"{path}\n{self.output()}")

    def workers(self, count: int, path: str = "/pid", without: Collection[int] = ()) -> set[int]:
        """Ask until so many workers have answered; return their process ids."""
        found: set[int] = set()

        def ask() -> bool:
            found.add(self.page(path)["pid"])
            return len(found - set(without)) >= count

        until(ask, lambda: f"{count} workers at {path}, found {found}\n{self.output()}")
        return found - set(without)

    def signal(self, number: int) -> None:
        """Send the server a signal."""
        self.process.send_signal(number)

    def __enter__(self) -> Host:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        try:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
                code = self.process.wait(DEADLINE)
                assert kind is not None or code == self._code, f"{code}\n{self.output()}"
        except subprocess.TimeoutExpired:
            assert kind is not None, f"it did not end\n{self.output()}"
        finally:
            # And what it left behind.
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                self.process.poll()
            self.process.wait(DEADLINE)
            self._reader.join(DEADLINE)
            if kind is not None:
                print(self.output(), file=sys.stderr)
