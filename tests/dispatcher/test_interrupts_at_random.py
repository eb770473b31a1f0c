"""A subscriber's thread that is interrupted at random moments, where Python does it."""

from __future__ import annotations

import gc
import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.dispatcher.test_dispatcher_churn import churn
from tests.support.cache_helpers import listed, running
from tests.support.follower import Follower, versions
from tests.support.interrupts import ERRORS, interruptible, throw_into
from tests.support.waiting import DEADLINE


@pytest.fixture(autouse=True)
def no_garbage_of_others() -> Iterator[None]:
    """What interrupts the end of an object with a callback in Python is lost, in any thread.

    Such are the threads of earlier tests, which are in a `WeakSet` of threading. hypothesis has the
    garbage collector itself call back.
    """
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def interrupt_often(thread: threading.Thread, error: Any, noted: list[None],
                    has_ended: list[bool], over: list[None]) -> None:
    pause = threading.Event()
    rng = random.Random(1)
    try:
        while not has_ended:
            throw_into(thread, error, noted)
            pause.wait(rng.random() / 1000)
    finally:
        # Not before: what comes then would be lost.
        over.append(None)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("overflow", ["coalesce", "block", "resync"])
def test_interrupts_at_any_moment(error: Any, overflow: str) -> None:
    """For real: not where we raise, but where Python does."""
    writer, store = listed()
    subscription = writer.subscribe(overflow=overflow, buffer_size=20)
    got: list[Any] = []
    interrupts: list[None] = []
    has_ended: list[bool] = []
    over: list[None] = []

    def take() -> None:
        # Nothing can come between a change and its being noted.
        for change in subscription:
            got.append(change)
        has_ended.append(True)

    worker = interruptible(take, error, interrupts, lambda: over)
    end = time.monotonic() + DEADLINE
    # On a machine that has much else to do, all is written before the first interrupt comes.
    with running(lambda: churn(writer, 2000, 3,
                               lambda: len(interrupts) >= 5 or time.monotonic() > end),
                 lambda: interrupt_often(worker, error, interrupts, has_ended, over)):
        pass
    worker.join(DEADLINE)
    assert not worker.is_alive() and interrupts
    follower = Follower(subscription)
    for change in got:
        follower.take(change)
    assert follower.versions() == versions(store)
