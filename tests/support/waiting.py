"""Waiting for what has no event to wait on, and how long things take."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: Seconds after which a test that waits has failed.
DEADLINE = 20.0


def eventually(condition: Callable[[], T], deadline: float = DEADLINE, every: float = 0.005) -> T:
    """Return the first value of a condition that is true, or its last within the deadline.

    :param every: seconds between two looks.
    """
    end = time.monotonic() + deadline
    pause = threading.Event()
    while not (found := condition()) and time.monotonic() < end:
        pause.wait(every)
    return found


def wait_until(condition: Callable[[], object], what: str = "the condition",
               deadline: float = DEADLINE, every: float = 0.005) -> None:
    """Wait until a condition is true.

    :param every: seconds between two looks.
    :raises AssertionError: if it does not become true within so many seconds.
    """
    assert eventually(condition, deadline, every), f"{what} did not become true within {deadline} s"


def timed(action: Callable[[], object]) -> float:
    """Return how long something takes, in seconds, on a machine that has nothing else to do.

    Elsewhere each thread waits for its turn: the time is divided by how many threads there are for
    each processor, by 4 at most.
    """
    began = time.monotonic()
    action()
    took = time.monotonic() - began
    return took / min(4.0, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))
