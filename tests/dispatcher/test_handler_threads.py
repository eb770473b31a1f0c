"""kube_reflect.dispatcher.handlers: a handler's thread, its failures, and its several lives."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

import pytest

from kube_reflect import Apply, Delete
from kube_reflect.dispatcher import Handler, Subscription
from kube_reflect.dispatcher import handlers as handlers_module
from kube_reflect.errors import FieldError
from kube_reflect.events import Reason

from tests.support.cache_helpers import feed, listed, relist
from tests.support.interrupts import ERRORS, Abort, Run, interrupt_everywhere
from tests.support.objects import pod
from tests.support.waiting import DEADLINE, wait_until


class Scene:
    """A cache with one handler, as a reflector has it: told, started, ended, begun again."""

    def __init__(self, **callbacks: Callable[..., object] | None) -> None:
        self.writer, self.store = listed(pod("a"))
        self.told: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        self.forgotten: list[Any] = []
        self.callbacks: dict[str, Any] = {
            "on_add": lambda new: self.told.put(("add", new["metadata"]["name"])),
            "on_update": lambda old, new: self.told.put(("update", new["metadata"]["name"])),
            "on_delete": lambda last: self.told.put(("delete", last["metadata"]["name"])),
            "on_resync": lambda: self.told.put(("resync",)),
            **callbacks,
        }
        self.handler: Handler[Any] = Handler(
            "pods:handler-1", **self.callbacks, subscribe=self.subscription,
            forget=self.forgotten.append)

    def subscription(self) -> Any:
        return Subscription(self.writer._cache, self.store, lasting=True)

    def next(self) -> tuple[Any, ...]:
        return self.told.get(timeout=DEADLINE)

    def end(self) -> None:
        """End the writer, as a reflector that is closed."""
        self.writer._cache.end()
        assert self.handler.join(DEADLINE)

    def begin(self) -> None:
        self.writer._cache.begin()
        self.handler.start()


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.handler.remove()
    assert scene.handler.join(DEADLINE)


def test_it_is_told_from_the_start(scene: Scene) -> None:
    assert repr(scene.handler) == "<Handler pods:handler-1 not started, 0 pending, 0 errors>"
    scene.handler.start()
    scene.handler.start()
    feed(scene.writer, Apply(pod("a", version="2")), Delete(pod("a", version="3")))
    first = scene.next()
    assert first in (("add", "a"), ("delete", "a"))
    assert repr(scene.handler).startswith("<Handler pods:handler-1 running, ")
    assert scene.handler.join(0) is False and scene.handler.dropped in range(3)


def test_after_a_restart_it_is_told_of_what_changed_meanwhile(scene: Scene) -> None:
    scene.handler.start()
    assert scene.next() == ("add", "a")
    feed(scene.writer, Apply(pod("same", version="2")))
    assert scene.next() == ("add", "same")
    scene.end()
    assert repr(scene.handler) == "<Handler pods:handler-1 stopped, 0 pending, 0 errors>"
    scene.begin()
    relist(scene.writer, pod("same", version="2"), pod("new", version="3"))
    assert {scene.next(), scene.next()} == {("delete", "a"), ("add", "new")}
    scene.end()
    assert scene.told.empty(), "what is the same is not told anew"


def test_what_was_pending_at_the_end_is_told_before_it(scene: Scene) -> None:
    scene.handler.start()
    feed(scene.writer, *(Apply(pod(name, version="2")) for name in "bcdef"))
    scene.end()
    assert sorted(scene.told.get_nowait()[1] for _ in range(6)) == list("abcdef")


def test_a_restart_amid_a_callback_makes_no_second_thread() -> None:
    entered, go_on = threading.Event(), threading.Event()

    def block(new: Any) -> None:
        entered.set()
        assert go_on.wait(DEADLINE)
        scene.told.put((threading.current_thread(), new["metadata"]["name"]))

    scene = Scene(on_add=block)
    scene.handler.start()
    assert entered.wait(DEADLINE)
    scene.writer._cache.end()
    assert scene.handler.join(0.01) is False
    scene.begin()
    feed(scene.writer, Apply(pod("b", version="2")))
    go_on.set()
    (one, first), (other, second) = scene.next(), scene.next()
    assert (first, second) == ("a", "b") and one is other
    scene.handler.remove()
    assert scene.handler.join(DEADLINE)


def test_one_that_was_removed_is_told_nothing_and_does_not_start(scene: Scene) -> None:
    scene.handler.start()
    assert scene.next() == ("add", "a")
    scene.handler.remove()
    assert scene.handler.join(DEADLINE) and scene.forgotten == [scene.handler]
    feed(scene.writer, Apply(pod("b", version="2")))
    scene.begin()
    assert scene.told.empty() and scene.writer._cache.listeners == ()
    assert repr(scene.handler).startswith("<Handler pods:handler-1 removed")


def test_why_an_object_is_gone_is_told_to_who_asks() -> None:
    reasons: SimpleQueue[tuple[str, Reason]] = SimpleQueue()

    def on_delete(last: Any, *, reason: Reason) -> None:
        reasons.put((last["metadata"]["name"], reason))

    other = Scene(on_delete=on_delete)
    other.handler.start()
    assert other.next() == ("add", "a")
    feed(other.writer, Apply(pod("a", version="2", uid="another")))
    assert reasons.get(timeout=DEADLINE) == ("a", Reason.REPLACED)
    feed(other.writer, Apply(pod("b", version="3")), Delete(pod("a", version="4")))
    assert reasons.get(timeout=DEADLINE) == ("a", Reason.DELETED)
    relist(other.writer)
    assert reasons.get(timeout=DEADLINE) == ("b", Reason.RELISTED)
    other.handler.remove()
    assert other.handler.join(DEADLINE)


@pytest.mark.parametrize("error", [RuntimeError, SystemExit, KeyboardInterrupt, Abort])
def test_whatever_a_callback_raises_the_next_change_comes(
        error: type[BaseException], caplog: pytest.LogCaptureFixture) -> None:
    def fail(new: Any) -> None:
        scene.told.put((new["metadata"]["name"],))
        raise error("not today")

    scene = Scene(on_add=fail)
    scene.handler.start()
    assert scene.next() == ("a",)
    feed(scene.writer, Apply(pod("b", version="2")))
    assert scene.next() == ("b",)
    scene.end()
    assert scene.handler.errors == 2 and scene.told.empty(), "not told twice"
    assert "pods:handler-1: on_add: a callback failed for Applied(Pod.v1./a.ns, new)" in caplog.text
    assert "Traceback" in caplog.text and "not today" in caplog.text


def test_failures_are_logged_once_and_then_now_and_then(
        caplog: pytest.LogCaptureFixture) -> None:
    def fail(old: Any, new: Any) -> None:
        raise KeyError(new["metadata"]["resourceVersion"])

    scene = Scene(on_update=fail)
    scene.handler.start()
    assert scene.next() == ("add", "a")
    with caplog.at_level(logging.DEBUG):
        for number in range(1, 201):
            feed(scene.writer, Apply(pod("a", version=str(number + 1))))
            wait_until(lambda: scene.handler.errors == number)
        scene.end()
    assert len(caplog.records) == 3 and caplog.text.count("Traceback") == 1
    assert [message.rpartition("(")[2] for message in caplog.messages[1:]] == [
        "10 times by now)", "100 times by now)"]


def test_causes_are_told_apart_but_not_without_end(caplog: pytest.LogCaptureFixture) -> None:
    def fail(old: Any, new: Any) -> None:
        number = int(new["metadata"]["resourceVersion"])
        raise type(f"Error{number}", (Exception,), {})

    scene = Scene(on_update=fail)
    scene.handler.start()
    assert scene.next() == ("add", "a")
    for number in range(1, 301):
        feed(scene.writer, Apply(pod("a", version=str(number + 1))))
        wait_until(lambda: scene.handler.errors == number)
    scene.end()
    assert len(caplog.records) == 100 + 3


def test_a_field_that_cannot_be_read_is_the_objects_fault(
        caplog: pytest.LogCaptureFixture) -> None:
    def fail(new: Any) -> None:
        if new["metadata"]["name"] != "good":
            raise FieldError("spec.drivers: should be a list, is null")
        scene.told.put(("good",))

    scene = Scene(on_add=fail)
    scene.handler.start()
    feed(scene.writer, Apply(pod("b", version="2")), Apply(pod("good", version="3")))
    assert scene.next() == ("good",)
    scene.end()
    assert len(caplog.records) == 2 and "Traceback" not in caplog.text
    assert ("pods:handler-1: on_add could not read all of Applied(Pod.v1./b.ns, new): "
            "spec.drivers: should be a list, is null") in caplog.text


def test_a_log_that_fails_ends_nothing(caplog: pytest.LogCaptureFixture,
                                       monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise SystemExit("the log is full")

    monkeypatch.setattr(handlers_module.logger, "error", fail)
    scene = Scene(on_add=lambda new: scene.told.put(("a",)) or 1 / 0)
    scene.handler.start()
    assert scene.next() == ("a",)
    feed(scene.writer, Apply(pod("b", version="2")))
    scene.next()
    scene.end()
    assert scene.handler.errors == 2


# Interrupts, in a thread that calls the handler's methods.

@pytest.mark.parametrize("error", ERRORS)
def test_start_interrupted(error: Any) -> None:
    def check(scene: Scene, run: Run) -> None:
        scene.handler.start()
        feed(scene.writer, Apply(pod("b", version="2")), Delete(pod("a", version="3")))
        feed(scene.writer, Apply(pod("last", version="4")))
        told = []
        while ("add", "last") not in told:
            told.append(scene.next())
        assert ("add", "b") in told and ("delete", "a") in told and len(told) == len(set(told))
        scene.handler.remove()
        assert scene.handler.join(DEADLINE)

    interrupt_everywhere(Scene, lambda one: one.handler.start(), check, error=error)


def started() -> Scene:
    scene = Scene()
    scene.handler.start()
    assert scene.next() == ("add", "a")
    return scene


@pytest.mark.parametrize("error", ERRORS)
def test_remove_interrupted(error: Any) -> None:
    def check(scene: Scene, run: Run) -> None:
        feed(scene.writer, Apply(pod("b", version="2")))
        if not run.interrupted:
            assert scene.handler.join(DEADLINE) and scene.told.empty()
        scene.handler.remove()
        assert scene.handler.join(DEADLINE) and scene.forgotten
        assert scene.writer._cache.ended is False

    interrupt_everywhere(started, lambda one: one.handler.remove(), check, error=error)


@pytest.mark.parametrize("error", ERRORS)
def test_join_and_looks_interrupted(error: Any) -> None:
    def operate(scene: Scene) -> None:
        scene.handler.join(0.01)
        repr(scene.handler)
        assert scene.handler.errors == 0 and scene.handler.pending == 0

    def check(scene: Scene, run: Run) -> None:
        feed(scene.writer, Apply(pod("b", version="2")))
        assert scene.next() == ("add", "b")
        scene.end()

    interrupt_everywhere(started, operate, check, error=error)
