"""tests.support.interrupts finds what it is there to find."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

from tests.support.interrupts import ERRORS, Abort, Run, interrupt_everywhere

HERE = (__file__,)


class Counter:
    """Counts in a lock, in a right way and in wrong ones."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.value = 0

    def count(self) -> None:
        with self.lock:
            self.value += abs(1)

    def count_and_leave_locked(self) -> None:
        self.lock.acquire()
        self.value += abs(1)
        self.lock.release()

    def count_and_swallow(self) -> None:
        try:
            self.count()
        except BaseException:
            # As one must not.
            pass

    def count_twice(self) -> None:
        with self.lock:
            self.value += abs(1)
            self.value += abs(1)


def can_be_locked(counter: Counter, run: Run) -> None:
    assert counter.lock.acquire(timeout=0.2), "the lock is taken"
    counter.lock.release()


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="there with is not right by itself")
@pytest.mark.parametrize("error", ERRORS)
def test_what_is_right_is_right_at_every_place(error: Any) -> None:
    runs: list[Run] = []

    def check(counter: Counter, run: Run) -> None:
        can_be_locked(counter, run)
        runs.append(run)

    # The beginnings of two functions, the end of abs, and of the lock's __exit__.
    assert interrupt_everywhere(Counter, lambda one: one.count(), check, error=error,
                                files=HERE) == 4
    assert [type(run.raised) for run in runs] == [error] * 4 + [type(None)]
    assert runs[2].place.endswith("in count after abs") and not runs[4].interrupted


@pytest.mark.skipif(sys.version_info < (3, 14), reason="there with is one step")
def test_a_lock_that_stays_taken_by_with_is_found() -> None:
    with pytest.raises(AssertionError, match="in count after __enter__: the check raised"):
        interrupt_everywhere(Counter, lambda one: one.count(), can_be_locked, files=HERE)


def test_a_lock_that_stays_taken_is_found() -> None:
    with pytest.raises(AssertionError, match="in count_and_leave_locked after acquire: the check"):
        interrupt_everywhere(Counter, lambda one: one.count_and_leave_locked(), can_be_locked,
                             files=HERE)


def test_an_exception_that_is_swallowed_is_found() -> None:
    with pytest.raises(AssertionError, match=r"Abort\(\) was swallowed"):
        interrupt_everywhere(Counter, lambda one: one.count_and_swallow(), can_be_locked,
                             files=HERE)


def test_what_is_half_done_is_found_by_the_check() -> None:
    def is_even(counter: Counter, run: Run) -> None:
        assert counter.value % 2 == 0

    with pytest.raises(AssertionError, match="in count_twice after abs: the check raised"):
        interrupt_everywhere(Counter, lambda one: one.count_twice(), is_even, files=HERE)


def test_what_does_not_end_is_found() -> None:
    never = threading.Lock()
    with never, pytest.raises(AssertionError, match="the check did not end within 0.1 s"):
        interrupt_everywhere(Counter, lambda one: one.count(), lambda one, run: never.acquire(),
                             files=HERE, deadline=0.1)


def test_of_several_places_one_is_tried_and_all_are_counted() -> None:
    def tried(step: int) -> tuple[int, list[str]]:
        runs: list[Run] = []
        places = interrupt_everywhere(Counter, Counter.count_twice,
                                      lambda one, run: runs.append(run), files=HERE, step=step)
        return places, [run.place for run in runs]

    places, everywhere = tried(1)
    assert len(everywhere) == places + 1 >= 4 and everywhere[-1] == ""
    assert tried(2) == (places, [*everywhere[:places:2], ""])


def test_the_interrupted_thread_goes_on_and_lives_through_the_check() -> None:
    threads: list[threading.Thread] = []

    def check(counter: Counter, run: Run) -> None:
        assert threads[-1].is_alive() and threads[-1] is not threading.current_thread()

    places = interrupt_everywhere(
        Counter, lambda one: one.count(), check, files=HERE, error=Abort,
        then=lambda one, run: threads.append(threading.current_thread()))
    assert len(threads) == places + 1 >= 5
