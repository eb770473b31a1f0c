"""Interrupts for real: not where the tests raise, but where Python does, at random moments."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.interrupts import ERRORS

ROOT = Path(__file__).resolve().parents[2]
#: Of each operation.
COUNT = os.environ.get("INTERRUPTS", "700")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("model", ["dict", "python"])
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("way", ["signal", "thread"])
def test_at_random_moments(way: str, error: type[BaseException], model: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.support.interrupted", way, error.__name__, model, COUNT],
        cwd=ROOT, capture_output=True, text=True, timeout=800)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "well\n", "")
