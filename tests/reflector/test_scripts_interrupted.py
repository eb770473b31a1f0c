"""Ctrl-C and SIGTERM end each example at once, at any moment, with no word but Python's."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client

from kube_reflect import ApiResource
from kube_reflect.testing import FakeApiServer

from tests.support import _examples
from tests.support._examples import ROOT
from tests.test_examples import SCRIPTS

#: Of each example, by each signal.
RUNS = int(os.environ.get("SCRIPT_RUNS", "2"))
#: Seconds after its start in which a script is interrupted, and in which it is to end then. 2 are
#: enough beside two busy loops (SCRIPT_SECONDS=2) where the machine does nothing else.
LATEST, SOON = 3.0, float(os.environ.get("SCRIPT_SECONDS", "10"))
#: Seconds that a script has to end before that is given up.
DEADLINE = 15.0
#: Amid an import, Python itself loses a KeyboardInterrupt now and then, in a callback of a weakref.
LOST = "Exception ignored in: <function _get_module_lock"
BUSY = "while True: pass"
EXAMPLES = {
    **{f"{name}.py": arguments for name, (arguments, _) in SCRIPTS.items()},
    "dashboard": ["--port", "0"],
    "testing_a_program/crash_loops.py": ["here"],
}


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


def test_every_example_is_here() -> None:
    programs = {path.name for path in (ROOT / "examples").glob("*.py")}
    programs |= {path.parent.name for path in (ROOT / "examples").glob("*/__main__.py")}
    assert programs <= set(EXAMPLES)


@pytest.mark.slow
@pytest.mark.timeout(60 + 20 * RUNS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_a_signal_at_a_random_moment(name: str, number: signal.Signals, kubeconfig: Path,
                                     busy: None) -> None:
    rng = random.Random(f"{name} {number}")
    runs = [seconds_to_end(name, number, 0.1 + rng.random() * LATEST, kubeconfig)
            for _ in range(RUNS)]
    took = sorted(one for one in runs if one is not None)
    if not took:
        pytest.skip("Python lost each of the signals, amid imports")
    figures = ", ".join(f"{took[int(part * (len(took) - 1))]:.2f}" for part in (0, 0.5, 0.9, 1))
    print(f"{name}, {len(took)} times {number.name}: ended within (least, median, 90 %, most) "
          f"{figures} s")
    assert took[-1] <= SOON, took


def seconds_to_end(name: str, number: signal.Signals, after: float, kubeconfig: Path
                   ) -> float | None:
    """Run an example, interrupt it, look at what it said; return how long it took to end.

    None, where it never heard of the signal.
    """
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "examples" / name), *EXAMPLES[name]],
        env=os.environ | {"KUBECONFIG": str(kubeconfig), "PYTHONPATH": str(ROOT),
                          "PYTHONFAULTHANDLER": "1"},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        process.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        pass
    else:
        raise AssertionError(f"it ended by itself: {process.returncode}")
    began = time.monotonic()
    process.send_signal(number)
    try:
        _, said = process.communicate(timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        # It says where all its threads are.
        process.send_signal(signal.SIGABRT)
        _, said = process.communicate()
        assert said.startswith(LOST), f"interrupted after {after:.3f} s it goes on:\n{said}"
        return None
    took = time.monotonic() - began
    check_words(said, process.returncode, number, f"interrupted after {after:.3f} s")
    return took


def check_words(said: str, code: int, number: signal.Signals, when: str) -> None:
    """Check that it ended well, or as Python ends a program: by the signal, and with one traceback.

    A script ends well once it asks for signals (`stop_on_signals`); before, and in the last moments
    of the interpreter, it is killed. Python itself, while it starts, ends in ways of its own.
    """
    context = f"{when}, with {code}, it said:\n{said}"
    if number is signal.SIGINT and code == 1 and (
            said == "KeyboardInterrupt\n" or said.startswith("Fatal Python error: init_")):
        return
    assert code in (0, -number), context
    if code and number is signal.SIGINT and said:
        # (It says nothing before Python has a handler for it.)
        # While others' modules are imported one comes amid the handling of another.
        handled, *rest = said.split("During handling of the above exception")
        chained = 0 if str(ROOT / "kube_reflect") in handled else len(rest)
        assert said.count("Traceback (most recent call last)") == 1 + chained, context
        assert said.rstrip().endswith("KeyboardInterrupt"), context
        assert "Exception ignored" not in said and "Exception in" not in said, context
    else:
        # (One example logs what it does.)
        assert all(line.startswith("INFO:") for line in said.splitlines()), context
