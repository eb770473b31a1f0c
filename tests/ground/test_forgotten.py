"""kube_reflect.ground.forgotten"""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from queue import Empty, SimpleQueue

import pytest

from kube_reflect.ground.forgotten import WeakBag, when_forgotten

from tests.support.interrupts import FILES, Run, interrupt_everywhere


class Thing:
    pass


def test_a_bag_holds_what_somebody_holds() -> None:
    bag: WeakBag[Thing] = WeakBag()
    one, other = Thing(), Thing()
    for thing in (one, other, one):
        bag.add(thing)
    assert list(bag) == [one, other]
    del one, thing
    assert list(bag) == [other]
    other.itself = other  # type: ignore[attr-defined]
    del other
    gc.collect()
    assert list(bag) == []


def test_who_is_forgotten_has_it_done_on_another_thread() -> None:
    done: SimpleQueue[threading.Thread] = SimpleQueue()
    thing = Thing()
    when_forgotten(thing, lambda: done.put(threading.current_thread()))
    with pytest.raises(Empty):
        done.get(timeout=0.01)
    del thing
    thread = done.get(timeout=5)
    assert thread.daemon and thread is not threading.current_thread()
    thread.join(5)


def test_it_may_be_called_off() -> None:
    done: SimpleQueue[None] = SimpleQueue()
    thing, other = Thing(), Thing()
    call_off = when_forgotten(thing, lambda: done.put(None))
    when_forgotten(other, lambda: done.put(None))
    call_off()
    call_off()
    del thing, other
    done.get(timeout=5)
    with pytest.raises(Empty):
        done.get(timeout=0.01)


class Subject:
    """What is forgotten by the thread that is interrupted."""

    def __init__(self, is_cyclic: bool) -> None:
        self.done: SimpleQueue[None] = SimpleQueue()
        self.bag: WeakBag[Thing] = WeakBag()
        thing = Thing()
        if is_cyclic:
            thing.itself = thing  # type: ignore[attr-defined]
        self.things = [thing]
        self.bag.add(thing)
        when_forgotten(thing, lambda: self.done.put(None))

    def forget(self) -> None:
        self.things.clear()
        gc.collect()


@pytest.mark.parametrize("is_cyclic", [False, True])
def test_there_is_no_place_to_interrupt_it(is_cyclic: bool) -> None:
    def check(subject: Subject, run: Run) -> None:
        subject.done.get(timeout=5)
        assert not list(subject.bag)

    # Nothing of ours is called there, nor of weakref's.
    files = (*FILES, "weakref.py", "_weakrefset.py")
    assert interrupt_everywhere(lambda: Subject(is_cyclic), Subject.forget, check,
                                files=files) == 0


AT_EXIT = """
import sys, threading
from kube_reflect.ground.forgotten import when_forgotten
class Thing: pass
things = [Thing(), Thing()]
for thing in things:
    when_forgotten(thing, lambda: print("forgotten", flush=True))
sys.modules["things"] = things
"""


def test_nothing_is_done_when_the_interpreter_ends() -> None:
    ran = subprocess.run([sys.executable, "-c", AT_EXIT], capture_output=True, text=True,
                         timeout=50)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
