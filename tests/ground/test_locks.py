"""kube_reflect.ground.locks: what is renewed in a child process, and how it is let go of."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

from kube_reflect.ground import locks
from kube_reflect.ground.frame_lock import FrameLock
from kube_reflect.ground.locks import Deadline, new_lock, register, wait_until_free

from tests.support.waiting import DEADLINE


class Renewed:
    """Something that is renewed, and lets itself be referred to weakly."""


def calls_of_letting_go(held: list[Any]) -> list[str]:
    """Return the functions in Python that run when the last reference is let go of."""
    calls: list[str] = []
    sys.setprofile(lambda frame, event, arg: calls.append(frame.f_code.co_name)
                   if event == "call" else None)
    try:
        held.clear()
    finally:
        sys.setprofile(None)
    return calls


def test_no_exception_can_be_lost_while_a_lock_is_let_go_of() -> None:
    """One that arrives in a function that the garbage collector calls is swallowed by Python."""
    one = Renewed()
    register(one, lambda renewed: None, 1)
    held = [new_lock(), one]
    del one
    before = len(locks._locks), len(locks._registered)
    assert calls_of_letting_go(held) == []
    assert (len(locks._locks), len(locks._registered)) == (before[0] - 1, before[1] - 1)


@pytest.mark.parametrize("new", [threading.RLock, FrameLock])
def test_a_lock_that_another_thread_keeps_is_waited_for_and_not_taken(new: Any) -> None:
    lock, free = new(), new()
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            over.wait(DEADLINE)

    assert wait_until_free(Deadline(0), lock, free)
    with lock:
        # One's own is no hindrance.
        assert wait_until_free(Deadline(0), lock)
    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert held.wait(DEADLINE)
        assert not wait_until_free(Deadline(0), free, lock)
    finally:
        over.set()
    assert wait_until_free(Deadline(DEADLINE), free, lock)
    thread.join(DEADLINE)
