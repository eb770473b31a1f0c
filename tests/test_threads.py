"""kube_reflect._threads"""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import Any

import pytest

from kube_reflect._threads import start_thread

from tests.support.interrupts import ERRORS, Run, interrupt_everywhere


def test_a_thread_runs() -> None:
    ran: SimpleQueue[threading.Thread] = SimpleQueue()
    thread = threading.Thread(target=lambda: ran.put(threading.current_thread()))
    start_thread(thread)
    assert ran.get(timeout=5) is thread
    thread.join(5)


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
