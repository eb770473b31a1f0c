"""What every test runs under."""

from __future__ import annotations

import contextlib
import gc
import importlib
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .e2e._apiserver import RealServer

try:
    from hypothesis import settings
except ImportError:
    pass
else:
    # A slow machine is no mistake of the code under test.
    settings.register_profile("tests", parent=settings(), deadline=None)
    settings.load_profile("tests")

# A shell ignores it for what runs in the background, and what a test starts would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Share the compiling of a fresh clone's tests among the processes of ``-n``.

    Each compiles some, and finds the rest compiled. All at once would each compile all of them.
    """
    worker = getattr(session.config, "workerinput", None)
    if worker is None:
        return
    files = sorted(path.resolve() for folder in session.config.args
                   for path in Path(folder).rglob("test_*.py"))
    for path in files[int(worker["workerid"][2:])::worker["workercount"]]:
        # What fails or is skipped does so again when it is collected, and is reported then.
        with contextlib.suppress(Exception, pytest.skip.Exception):
            importlib.import_module(
                ".".join(path.relative_to(session.config.rootpath).with_suffix("").parts))


def pytest_collection_finish() -> None:
    """Spare the garbage collector all that is there for good: thousands of tests and models."""
    gc.collect()
    gc.freeze()


# Seconds that threads have to end after their test.
LEAK_DEADLINE = 2.0


def _stack(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)
    stack = "".join(traceback.format_stack(frame)) if frame else "  (no stack)\n"
    return f"{thread!r}\n{stack}"


@pytest.fixture(autouse=True)
def no_leaked_threads() -> Iterator[None]:
    """Fail a test that leaves a thread behind, and show what that thread is doing."""
    before = set(threading.enumerate())
    yield
    leaked = [thread for thread in threading.enumerate() if thread not in before]
    deadline = time.monotonic() + LEAK_DEADLINE
    for thread in leaked:
        # One that is only being started cannot be joined yet.
        thread._started.wait(LEAK_DEADLINE)  # type: ignore[attr-defined]
        thread.join(max(0.0, deadline - time.monotonic()))
    alive = [thread for thread in leaked if thread.is_alive()]
    if alive:
        names = ", ".join(repr(thread.name) for thread in alive)
        pytest.fail(f"the test leaked {len(alive)} thread(s): {names}\n\n"
                    + "\n".join(map(_stack, alive)), pytrace=False)


@pytest.fixture(scope="session")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """A real API server, for the whole session; skips, and says why, where there is none."""
    # Only here: a test of this file runs a copy of it, elsewhere and without the rest.
    from .e2e._apiserver import find_server

    found = find_server(tmp_path_factory.mktemp("apiserver"))
    if isinstance(found, str):
        pytest.skip(found)
    yield found
    found.close()
