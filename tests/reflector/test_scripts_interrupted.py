"""Ctrl-C ends each example at once, at any moment, on a busy machine, with no word but Python's."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client

from kube_reflect import ApiResource
from kube_reflect.testing import FakeApiServer

from tests.support import _examples
from tests.support._examples import ROOT
from tests.test_examples import SCRIPTS

#: Of each example.
RUNS = int(os.environ.get("SCRIPT_RUNS", "5"))
#: Seconds after its start in which a script is interrupted; and in which it is to end then. On a
#: machine that does nothing else 2 are enough, beside two busy loops.
LATEST, SOON = 4.0, float(os.environ.get("SCRIPT_SECONDS", "10"))
BUSY = "while True: pass"


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with FakeApiServer() as server:
        server.register(ApiResource("stable.example.com", "v1", "CronTab", "crontabs",
                                    namespaced=True))
        with server.api_client() as api_client:
            path = tmp_path_factory.mktemp("kube") / "config"
            _examples.write_kubeconfig(api_client, path)
            labels = {"example.com/mirror-to": "there"}
            client.CoreV1Api(api_client).create_namespaced_config_map(
                "here", {"metadata": {"name": "x", "labels": labels}})
            yield path


@pytest.fixture(scope="module")
def busy() -> Iterator[None]:
    loops = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(2)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@pytest.mark.slow
@pytest.mark.timeout(60 + 10 * RUNS)
@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_ctrl_c_at_a_random_moment(name: str, kubeconfig: Path, busy: None) -> None:
    rng = random.Random(name)
    for _ in range(RUNS):
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "examples" / f"{name}.py"), *SCRIPTS[name][0]],
            env=os.environ | {"KUBECONFIG": str(kubeconfig), "PYTHONPATH": str(ROOT),
                              "PYTHONFAULTHANDLER": "1"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        after = 0.1 + rng.random() * LATEST
        try:
            process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            pass
        else:
            raise AssertionError(f"it ended by itself: {process.returncode}")
        process.send_signal(signal.SIGINT)
        try:
            _, said = process.communicate(timeout=SOON)
        except subprocess.TimeoutExpired:
            # It says where all its threads are.
            process.send_signal(signal.SIGABRT)
            raise AssertionError(f"interrupted after {after:.3f} s it goes on:\n"
                                 f"{process.communicate()[1]}") from None
        check_silence(said, process.returncode, f"interrupted after {after:.3f} s")


def check_silence(said: str, code: int, when: str) -> None:
    """Check that there is the traceback that Python gives, or none, and no other."""
    context = f"{when}, with {code}, it said:\n{said}"
    assert said.count("Traceback (most recent call last)") <= 1, context
    assert "Exception in thread" not in said and "Exception ignored" not in said, context
    if code:
        assert code in (-signal.SIGINT, 1, 130), context
        assert said.rstrip().endswith("KeyboardInterrupt"), context
    else:
        assert "Traceback" not in said, context
