"""``events``: lines of JSON, and what interrupts them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from kube_reflect.cli import main
from kube_reflect.testing import FakeApiServer

from ._running import DEADLINE, MODULE, environment, pod


@contextmanager
def running(*args: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, *MODULE, "events", *args]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


def test_what_is_there_and_what_comes(server: FakeApiServer, kubeconfig: str) -> None:
    with running("pods", "-n", "here", "-o", "json", "--kubeconfig", kubeconfig) as process:
        first = [line_of(process) for _ in range(20)]
        assert {one["type"] for one in first} == {"ADDED"}
        assert first[0]["ref"].keys() == {"apiVersion", "kind", "name", "namespace", "uid"}
        assert first[0]["object"]["metadata"]["resourceVersion"] == first[0]["resourceVersion"]
        assert line_of(process) == {"type": "BOOKMARK",
                                    "resourceVersion": server.resource_version}
        server.create(pod("new"))
        assert (line := line_of(process))["type"] == "ADDED" and line["ref"]["name"] == "new"
        server.patch("pods", "new", {"status": {"phase": "Failed"}}, "here")
        line = line_of(process)
        assert (line["type"], line["object"]["status"]["phase"]) == ("MODIFIED", "Failed")
        server.delete("pods", "new", "here")
        line = line_of(process)
        assert (line["type"], line["ref"]["name"], "inferred" in line) == ("DELETED", "new", False)
        # Gone while nobody watched.
        server.close()
        server.delete("pods", "pod-3", "here")
        server.restart()
        line = line_of(process)
        assert (line["type"], line["ref"]["name"], line["inferred"]) == ("DELETED", "pod-3", True)
        for name in ("late", "later"):
            server.create(pod(name))
            assert line_of(process)["ref"]["name"] == name
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE)
        assert (process.returncode, out) == (130, "")
        assert time.monotonic() - began < 10  # Seconds, on a busy machine.
        # What went wrong, and that it is over, each in a line.
        assert "trying again\n" in err
        assert err.endswith("kube-reflect: in touch with the API server again\n")
        assert all(line.startswith("kube-reflect: ") for line in err.splitlines())


def test_a_reader_that_goes_away(server: FakeApiServer, kubeconfig: str) -> None:
    with running("pods", "-A", "--kubeconfig", kubeconfig, "--seconds", "20") as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        # It notices when it has something to tell.
        pause = threading.Event()
        for number in range(400):
            if process.poll() is not None:
                break
            server.create(pod(f"late-{number}"))
            pause.wait(0.05)
        assert process.wait(DEADLINE) == 1
        assert process.stderr.read() == ""


def test_it_ends_by_itself(at_hand: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "configmaps", "--seconds", "0.3"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["type"] == "BOOKMARK"


def test_a_refusal_is_told_at_once(server: FakeApiServer, at_hand: str,
                                   capsys: pytest.CaptureFixture[str]) -> None:
    server.forbid("pods")
    began = time.monotonic()
    assert main(["events", "pods"]) == 1
    assert time.monotonic() - began < 5
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1) and "403" in err
