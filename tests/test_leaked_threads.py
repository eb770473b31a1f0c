"""The fixture that fails a test that leaks a thread."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = "pytester"

LEAKY = """
import threading

def leak():
    threading.Event().wait()

def test_leaks():
    threading.Thread(target=leak, name="leaky", daemon=True).start()

def test_after_it():
    assert threading.active_count() > 1

def test_ends_late():
    event = threading.Event()
    threading.Thread(target=event.wait, args=(0.2,)).start()
    assert not event.is_set()
"""


def test_a_leaked_thread_fails_its_test_alone(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text())
    pytester.makepyfile(LEAKY)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*the test leaked 1 thread(s): 'leaky'", "*in leak",
                                 "*ERROR*::test_leaks*"])
