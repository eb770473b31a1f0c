"""The fixtures for pytest, in a project of somebody else's."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support._examples import ROOT

PLUGIN = ROOT / "kube_reflect" / "testing" / "plugin" / "__init__.py"
EXAMPLE = ROOT / "examples" / "testing_a_program"
IMPORTS = """
import importlib.util, sys
import pytest
before = set(sys.modules)
spec = importlib.util.spec_from_file_location("kube_reflect_pytest", sys.argv[1])
spec.loader.exec_module(importlib.util.module_from_spec(spec))
print(sorted({name.split(".")[0] for name in set(sys.modules) - before}))
"""


def pytest_in(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a project that knows nothing of the settings here."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", str(folder), "-q",
               "-p", "kube_reflect.testing.plugin", "-p", "no:cacheprovider", "-W", "error",
               *args, str(folder)]
    return subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True,
                          timeout=150)


@pytest.mark.slow
def test_the_example_runs() -> None:
    ran = pytest_in(EXAMPLE)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "4 passed" in ran.stdout


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.skipif(importlib.util.find_spec("xdist") is None, reason="xdist is not installed")
def test_the_example_runs_in_parallel() -> None:
    ran = pytest_in(EXAMPLE, "-n", "2")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "4 passed" in ran.stdout


def test_it_costs_nothing_until_it_is_used() -> None:
    ran = subprocess.run([sys.executable, "-c", IMPORTS, str(PLUGIN)], text=True,
                         capture_output=True, timeout=50, cwd=ROOT)
    assert (ran.returncode, ran.stdout.strip()) == (0, "[]"), ran.stderr


def test_the_fixtures_are_described(tmp_path: Path) -> None:
    ran = pytest_in(tmp_path, "--fixtures")
    for name in ("kube_api_server", "kube_client", "kube_store"):
        assert f"\n{name}" in ran.stdout
