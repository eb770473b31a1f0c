"""A program that is interrupted at random moments; `tests.store.test_interrupts_in_time` runs it.

``python -m tests.support.interrupted WAY ERROR MODEL COUNT`` ends with 0 if all went well: COUNT
interrupts of each operation. WAY is ``signal``, a time limit by `signal.setitimer` in the main
thread, or ``thread``, `PyThreadState_SetAsyncExc` into a thread that reads.
"""

from __future__ import annotations

import faulthandler
import gc
import itertools
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from kube_reflect import Apply, Delete, Init, InitApply, InitDone

from tests.support.cache_helpers import feed, running
from tests.support.follower import Follower, versions
from tests.support.interrupt_scenes import READS, WAITS, Model, Scene, check_reads
from tests.support.interrupts import ERRORS, interruptible, throw_into
from tests.support.objects import pod

#: Seconds until another thread has written and read again; so many, for a machine that does much
#: else. What is stuck is stuck for ever.
SOON = 20.0
#: The longest time, in seconds, until an interrupt comes.
LATE = 0.0004

rng = random.Random(4)


class Others:
    """Threads that write and read meanwhile, for the length of a block, and how far they are."""

    def __init__(self, scene: Scene, write: bool) -> None:
        self._scene = scene
        self._write = write
        self._over = threading.Event()
        self.written = self.read = 0
        self._running = running(self._reader, *([self._writer] if write else []))

    def __enter__(self) -> Others:
        self._running.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._over.set()
        self._running.__exit__(*exception)

    def _writer(self) -> None:
        while not self._over.wait(0.0005):
            name = rng.choice("abcdefg")
            if rng.random() < 0.7:
                self._scene.apply(name)
            else:
                feed(self._scene.writer, Delete(pod(name, version=str(next(
                    self._scene.numbers)))))
            self.written += 1

    def _reader(self) -> None:
        store = self._scene.store
        while not self._over.wait(0.001):
            for one in store.state(namespace="ns"):
                assert one["metadata"]["name"]
            assert len(store.snapshot().by_index("app", "web")) <= len(store) + 7
            self.read += 1

    def go_on(self) -> None:
        """Check that none of them is stuck."""
        before = self.written, self.read
        end = time.monotonic() + SOON
        pause = threading.Event()
        while self.read == before[1] or (self._write and self.written == before[0]):
            assert time.monotonic() < end, "another thread is stuck"
            pause.wait(0.001)


def by_signal(operate: Callable[[], object], error: type[BaseException], count: int) -> None:
    """Run something again and again, each time until a signal handler raises in it."""
    armed = False

    def hear(*_: Any) -> None:
        if armed:
            raise error

    signal.signal(signal.SIGALRM, hear)
    interrupts = 0
    while interrupts < count:
        try:
            armed = True
            signal.setitimer(signal.ITIMER_REAL, 1e-6 + rng.random() * LATE)
            while True:
                operate()
        except error:
            armed = False
            interrupts += 1
    signal.setitimer(signal.ITIMER_REAL, 0)


def in_thread(operate: Callable[[], object], error: type[BaseException], count: int) -> None:
    """Run something in a thread, into which exceptions are thrown."""
    interrupts: list[None] = []
    over: list[None] = []
    thread = interruptible(operate, error, interrupts, lambda: over)
    pause = threading.Event()
    for _ in range(count):
        throw_into(thread, error, interrupts)
        pause.wait(rng.random() * LATE)
    over.append(None)
    thread.join(SOON)
    assert not thread.is_alive(), "the thread is stuck"


def write_of(scene: Scene) -> Callable[[], object]:
    """Return what applies an event, each time another one."""
    kinds: list[Callable[[], Any]] = [
        lambda: [Apply(pod(rng.choice("abcd"), version=str(next(scene.numbers)),
                           labels={"app": rng.choice(["web", "db"])}))],
        lambda: [Apply(pod(rng.choice("abcd"), version=str(next(scene.numbers)),
                           uid=rng.choice("uv")))],
        lambda: [Delete(pod(rng.choice("abcd"), version=str(next(scene.numbers))))],
        lambda: [Init(), *(InitApply(pod(name, version=str(next(scene.numbers))))
                           for name in "abe"), InitDone(str(next(scene.numbers)))],
    ]
    numbers = itertools.count()

    def write() -> None:
        feed(scene.writer, *kinds[next(numbers) % len(kinds)]())

    return write


def check(scene: Scene, name: str) -> None:
    """Check, in this thread, that the cache is right, and its subscriber was told all."""
    scene.apply("y")
    check_reads(scene.store)
    follower = Follower(scene.subscription)
    follower.drain()
    assert follower.versions() == versions(scene.store), name
    assert not scene.writer._cache.waiters._waiting, name
    assert scene.writer._cache.bad_objects.count == 0, name
    scene.writer.close()


def main() -> None:
    way, error_name, model, count = sys.argv[1:]
    interrupt = {"signal": by_signal, "thread": in_thread}[way]
    error = next(one for one in ERRORS if one.__name__ == error_name)
    sys.setswitchinterval(0.0002)
    # What is forgotten is not to be found amid an operation.
    gc.disable()
    for name, read in {**READS, **WAITS}.items():
        faulthandler.dump_traceback_later(60, exit=True)
        gc.collect()
        scene = Scene({"dict": dict, "python": Model}[model])
        with Others(scene, write=True) as others:
            interrupt(lambda: read(scene.store), error, int(count))
            others.go_on()
        check(scene, name)
    scene = Scene()
    with Others(scene, write=False) as others:
        interrupt(write_of(scene), error, int(count))
        others.go_on()
    check(scene, "writing")
    print("well")


if __name__ == "__main__":
    main()
