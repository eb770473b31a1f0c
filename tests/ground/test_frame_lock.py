"""kube_reflect.ground.frame_lock: whoever is interrupted leaves it to others."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from kube_reflect.ground.frame_lock import FrameLock
from tests.support.cache_helpers import running
from tests.support.interrupts import Run, interrupt_everywhere
from tests.support.waiting import DEADLINE

THREADS = 4
ROUNDS = 500


class Interrupted(BaseException):
    pass


def taken_within(lock: FrameLock, seconds: float = DEADLINE) -> bool:
    """Return whether another thread gets the lock."""
    got = threading.Event()

    def take() -> None:
        with lock:
            got.set()

    threading.Thread(target=take, daemon=True).start()
    return got.wait(seconds)


def test_one_thread_at_a_time_has_it() -> None:
    lock, inside, most, total = FrameLock(), 0, 0, 0

    def work() -> None:
        nonlocal inside, most, total
        for _ in range(ROUNDS):
            with lock:
                inside += 1
                most = max(most, inside)
                total += 1
                inside -= 1

    with running(*[work] * THREADS):
        pass
    assert (most, total, lock.locked()) == (1, THREADS * ROUNDS, False)


def test_a_call_within_the_one_that_holds_it_enters_too() -> None:
    lock = FrameLock()

    def inner() -> bool:
        with lock:
            return lock._is_owned()

    with lock:
        assert inner()
        # It was the outer call's, and still is.
        assert lock.locked() and not taken_within(lock, 0.1)
    assert taken_within(lock)


def left_taken(lock: FrameLock) -> None:
    """Take it and be interrupted before the block begins that would release it."""
    lock.__enter__()
    raise Interrupted


def test_what_an_interrupted_call_has_left_taken_is_taken_back() -> None:
    lock = FrameLock()
    with pytest.raises(Interrupted):
        left_taken(lock)
    assert not lock.locked()
    assert taken_within(lock)
    with pytest.raises(Interrupted):
        left_taken(lock)
    with lock:
        assert lock._is_owned()
    assert not lock.locked() and taken_within(lock)


def test_it_is_taken_back_from_a_thread_that_has_ended() -> None:
    lock = FrameLock()

    def interrupted() -> None:
        try:
            left_taken(lock)
        except Interrupted:
            pass

    with running(interrupted):
        pass
    assert taken_within(lock)


def test_who_is_interrupted_while_taking_it_back_leaves_it_to_others() -> None:
    def abandoned() -> FrameLock:
        lock = FrameLock()
        with pytest.raises(Interrupted):
            left_taken(lock)
        return lock

    def take(lock: FrameLock) -> None:
        with lock:
            pass

    def check(lock: FrameLock, run: Run) -> None:
        # For as long as there is a frame of the interrupted call, too.
        assert taken_within(lock) and not lock.locked()

    assert interrupt_everywhere(abandoned, take, check) > 5


def test_many_who_wait_take_it_back_once() -> None:
    lock, inside = FrameLock(), []

    def take() -> None:
        with lock:
            inside.append(len(inside))

    with pytest.raises(Interrupted):
        left_taken(lock)
    with running(*[take] * THREADS):
        pass
    assert inside == list(range(THREADS)) and not lock.locked()


@pytest.mark.parametrize("call", [FrameLock.acquire, FrameLock.release])
def test_nothing_but_with_takes_it(call: Callable[[FrameLock], object]) -> None:
    with pytest.raises(TypeError, match="by with"):
        call(FrameLock())
