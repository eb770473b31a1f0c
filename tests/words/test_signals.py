"""Stopping on signals: at once where a program waits, and hard the second time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from kube_reflect import stop_on_signals
from kube_reflect.signals import Stop

SOON = 5.0


@pytest.fixture(autouse=True)
def handlers_are_restored() -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
    before = [signal.getsignal(number) for number in numbers]
    yield
    assert [signal.getsignal(number) for number in numbers] == before


def kill(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def soon(action: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(0.05, action)
    timer.start()
    return timer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("timeout", [None, 30.0])
def test_a_signal_ends_a_wait_at_once(number: signal.Signals, timeout: float | None) -> None:
    with stop_on_signals() as stop:
        assert not stop.wait(0) and stop.signal is None
        timer = soon(kill(number))
        began = time.monotonic()
        assert stop.wait(timeout) and stop.is_set()
        assert time.monotonic() - began < SOON
        assert stop.signal is number
        assert stop.wait()
    timer.join()


def test_a_wait_ends_when_its_time_is_up() -> None:
    with stop_on_signals() as stop:
        began = time.monotonic()
        assert not stop.wait(0.05)
        assert time.monotonic() - began >= 0.05


def test_it_wakes_all_threads_that_wait() -> None:
    with ThreadPoolExecutor(4) as pool, stop_on_signals() as stop:
        waits = [pool.submit(stop.wait, SOON) for _ in range(4)]
        kill(signal.SIGTERM)()
        assert all(wait.result(SOON) for wait in waits)


def test_other_signals_may_be_asked_for() -> None:
    with stop_on_signals(signal.SIGUSR1) as stop:
        kill(signal.SIGUSR1)()
        assert stop.wait(SOON) and stop.signal is signal.SIGUSR1
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_what_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        with stop_on_signals(signal.SIGUSR1) as stop:
            kill(signal.SIGUSR1)()
            assert not stop.wait(0)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_block_may_be_broken_off() -> None:
    reached = []
    with stop_on_signals() as stop:
        timer = soon(kill(signal.SIGTERM))
        with stop.at_once():
            threading.Event().wait(SOON)
            reached.append("the end")
    timer.join()
    assert not reached and stop.is_set()


def test_a_block_after_the_signal_is_not_begun() -> None:
    reached = []
    with stop_on_signals() as stop:
        kill(signal.SIGTERM)()
        reached.append("between")
        with stop.at_once():
            reached.append("within")
    assert reached == ["between"]


def test_what_the_block_raises_comes_out() -> None:
    with pytest.raises(KeyError), stop_on_signals():
        raise KeyError


def test_only_in_the_main_thread() -> None:
    def enter() -> None:
        with stop_on_signals():
            raise AssertionError

    with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="main thread"):
        pool.submit(enter).result(SOON)


def test_it_may_be_set_by_hand() -> None:
    stop = Stop()
    timer = soon(stop.set)
    with stop.at_once():
        assert stop.wait(SOON)
    timer.join()
    assert stop.signal is None


INTERRUPTED_OFTEN = """
import signal, sys
from kube_reflect.signals import Stop
stop = Stop()
heard = 0
def hear(number, frame):
    global heard
    heard += 1
    stop.set()
signal.signal(signal.SIGALRM, hear)
for number in range(1000):
    stop._set = False
    # At any moment of a wait, its begin and its end among them.
    signal.setitimer(signal.ITIMER_REAL, 1e-6 * (number % 50 + 1))
    if not stop.wait(20):
        sys.exit(f"number {number} was not heard")
    signal.setitimer(signal.ITIMER_REAL, 0)
print(heard > 0, len(stop._waiters._waiting))
"""


@pytest.mark.slow
def test_a_signal_is_heard_at_whatever_moment_of_a_wait() -> None:
    ran = subprocess.run([sys.executable, "-c", INTERRUPTED_OFTEN], capture_output=True,
                         text=True, timeout=50)
    assert (ran.stdout.split(), ran.stderr) == (["True", "0"], "")


STUBBORN = """
import ctypes, os
from kube_reflect import stop_on_signals
{before}
with stop_on_signals() as stop:
    print("running", flush=True)
    stop.wait()
    print("stopping", flush=True)
    {hang}
"""


@pytest.mark.parametrize(("before", "hang", "code"), [
    # In C, where no handler of Python's runs.
    ("", "ctypes.PyDLL(None).pause()", -signal.SIGTERM),
    # As if it were the first in a container, which dies of no signal by itself.
    ("os.getpid = lambda: 1", "while True: pass", 128 + signal.SIGTERM),
])
def test_the_second_signal_ends_the_process(before: str, hang: str, code: int) -> None:
    program = STUBBORN.format(before=before, hang=hang)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE,
                          text=True) as process:
        assert process.stdout is not None
        try:
            for said in ("running\n", "stopping\n"):
                assert process.stdout.readline() == said
                process.terminate()
            assert process.wait(20) == code
        finally:
            process.kill()
