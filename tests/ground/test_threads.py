"""kube_reflect.ground.threads"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import pytest

from kube_reflect.ground.threads import Wakeup, join_thread, start_thread

from tests.support.interrupts import ERRORS, Run, interrupt_everywhere
from tests.support.waiting import DEADLINE


def test_a_thread_runs() -> None:
    ran: SimpleQueue[threading.Thread] = SimpleQueue()
    thread = threading.Thread(target=lambda: ran.put(threading.current_thread()))
    start_thread(thread)
    assert ran.get(timeout=5) is thread
    thread.join(5)


def test_a_thread_is_waited_for() -> None:
    go_on = threading.Event()
    thread = threading.Thread(target=go_on.wait)
    assert join_thread(thread, None) and join_thread(threading.current_thread(), None)
    start_thread(thread)
    assert not join_thread(thread, 0.001)
    go_on.set()
    assert join_thread(thread, 5)


def test_an_error_of_elsewhere_is_no_end_of_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def join(timeout: float | None) -> None:
        raise RuntimeError("a time limit")

    thread = threading.Thread(target=int)
    monkeypatch.setattr(thread, "join", join)
    with pytest.raises(RuntimeError, match="limit"):
        join_thread(thread, 1)


def test_a_thread_starts_once() -> None:
    thread = threading.Thread(target=int)
    start_thread(thread)
    with pytest.raises(RuntimeError, match="once"):
        start_thread(thread)
    thread.join(5)


@pytest.mark.parametrize("error", ERRORS)
def test_whatever_interrupts_it_a_thread_runs_wholly_or_not_at_all(error: Any) -> None:
    class Subject:
        def __init__(self) -> None:
            self.ran: SimpleQueue[int] = SimpleQueue()
            self.thread = threading.Thread(target=lambda: self.ran.put(1))

    def check(subject: Subject, run: Run) -> None:
        if "after start_new_thread" in run.place or not run.interrupted:
            subject.ran.get(timeout=5)
            subject.thread.join(5)
            assert not subject.thread.is_alive()

    places = interrupt_everywhere(Subject, lambda one: start_thread(one.thread), check, error=error)
    assert places >= 3


def test_a_thread_is_woken_once_for_all_that_woke_it() -> None:
    wakeup = Wakeup()
    wakeup.set()
    wakeup.set()
    assert wakeup.wait(None) and not wakeup.wait(0) and not wakeup.wait(0.001)


def test_many_threads_wake_one() -> None:
    wakeup, over = Wakeup(), threading.Event()

    def wake() -> None:
        while not over.is_set():
            wakeup.set()

    with ThreadPoolExecutor(3) as pool:
        waking = [pool.submit(wake) for _ in range(3)]
        try:
            assert all(wakeup.wait(DEADLINE) for _ in range(50))
        finally:
            over.set()
        assert [one.result(DEADLINE) for one in waking] == [None] * 3


def test_a_wait_ends_in_time_however_short_it_is() -> None:
    woken: list[bool] = []

    def wait() -> None:
        for number in range(3_000):
            woken.append(Wakeup().wait(10.0 ** -(number % 6 + 4)))

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    thread.join(DEADLINE)
    assert woken == [False] * 3_000


@pytest.mark.parametrize("error", [*ERRORS, RuntimeError])
def test_whatever_interrupts_who_wakes_it_is_woken_by_the_next(error: Any) -> None:
    def check(wakeup: Wakeup, run: Run) -> None:
        wakeup.set()
        assert wakeup.wait(DEADLINE)

    assert interrupt_everywhere(Wakeup, Wakeup.set, check, error=error) >= 3
