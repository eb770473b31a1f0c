"""What type checkers infer of the public names, and what they refuse."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from kubernetes import client

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# The package brings pyright itself when it is first run, for which it needs Node.js and a registry.
PYRIGHT = [sys.executable, "-m", "pyright"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not hasattr(client.CoreV1Api.list_node, "__annotations__")
                       or "return" not in client.CoreV1Api.list_node.__annotations__,
                       reason="this version of the client has no annotations"),
]


def mypy(name: str) -> str:
    pytest.importorskip("mypy", reason="mypy is of the extra [dev]")
    found = subprocess.run([sys.executable, "-m", "mypy", str(HERE / name)], cwd=ROOT,
                           capture_output=True, text=True)
    return found.stdout


def pyright(name: str) -> str:
    quiet = os.environ | {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    try:
        there = subprocess.run([*PYRIGHT, "--version"], cwd=ROOT, env=quiet, capture_output=True,
                               text=True, timeout=90)
    except subprocess.TimeoutExpired:
        pytest.skip("pyright cannot be had here: no answer from the registry")
    if there.returncode:
        reason = (there.stderr or there.stdout).strip().splitlines()[-1:]
        pytest.skip(f"pyright cannot be had here: {reason}")
    found = subprocess.run([*PYRIGHT, "--pythonpath", sys.executable, str(HERE / name)], cwd=ROOT,
                           env=quiet, capture_output=True, text=True)
    return found.stdout


@pytest.mark.parametrize("check", [mypy, pyright])
def test_what_is_right_is_taken_and_inferred(check: object) -> None:
    output = check("right.py")  # type: ignore[operator]
    assert "error" not in output.replace("0 errors", ""), output


@pytest.mark.parametrize("check", [mypy, pyright])
def test_what_is_wrong_is_refused_and_nothing_else(check: object) -> None:
    output = check("wrong.py")  # type: ignore[operator]
    lines = (HERE / "wrong.py").read_text().splitlines()
    marked = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    found = {int(number) for number in re.findall(r"wrong\.py:(\d+)(?::\d+ -)?:? error", output)}
    assert found == marked, output
