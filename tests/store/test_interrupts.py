"""Whatever interrupts who reads or writes a cache, at whatever place: it lives, and is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kube_reflect import (
    Apply, Bookmark, Delete, Init, InitApply, InitDone, NotReady, Writer, WriterDropped,
)
from kube_reflect.conditions import is_created

from tests.support import interrupt_scenes
from tests.support.cache_helpers import feed, running
from tests.support.follower import versions
from tests.support.interrupt_scenes import READS, SNAPSHOTS, WAITS, Model, Scene, by_name, refused
from tests.support.interrupts import (
    ERRORS, FILES, Abort, Misread, Run, TimeLimit, interrupt_everywhere, ways,
)
from tests.support.objects import pod
from tests.support.waiting import DEADLINE, wait_until

#: Models, conditions and index functions are interrupted too.
PLACES = (*FILES, interrupt_scenes.__file__)
MODELS = [pytest.param(dict, marks=pytest.mark.slow, id="dict"), pytest.param(Model, id="python")]


def everywhere(test: Callable[..., None]) -> Callable[..., None]:
    how = pytest.mark.parametrize("how", ways(TimeLimit, Abort, Misread))
    return how(pytest.mark.parametrize("model", MODELS)(test))


with_a_dict = pytest.mark.parametrize("how", ways(TimeLimit, Abort))


def interrupt(scene: Callable[[], Any], operate: Callable[[Any], Any],
              check: Callable[[Any, Run], object], how: Any, **more: Any) -> None:
    assert interrupt_everywhere(scene, operate, check, **how, files=PLACES, **more) > 0


@everywhere
@pytest.mark.parametrize("name", [*READS, *WAITS])
def test_reads_of_a_store(name: str, how: Any, model: Any) -> None:
    read = {**READS, **WAITS}[name]
    interrupt(lambda: Scene(model).unread(), lambda scene: read(scene.store),
              Scene.is_as_before, how)


@pytest.mark.slow
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("name", READS)
def test_reads_of_what_was_read(name: str, error: Any) -> None:
    for settings in ({}, {"copies": True}, {"detect_mutations": True}, {"decoded_limit": 1}):
        interrupt(lambda: Scene(**settings).read(), lambda scene: READS[name](scene.store),
                  Scene.is_as_before, {"error": error})


@everywhere
def test_reads_of_a_snapshot(how: Any, model: Any) -> None:
    def check(scene: Scene, run: Run) -> None:
        assert versions(scene.snapshot) == versions(scene.store)
        scene.is_as_before(run)

    for read in SNAPSHOTS.values():
        interrupt(lambda: Scene(model).unread(), lambda scene: read(scene.snapshot), check, how)


class Unready:
    """A cache that has listed nothing yet."""

    def __init__(self, when_not_ready: str = "wait") -> None:
        self.writer = Writer(when_not_ready=when_not_ready, ready_timeout=0.001)
        self.store = self.writer.as_reader()

    def becomes_ready(self, run: Run) -> None:
        assert not self.store.ready and not self.writer._cache.waiters._waiting
        feed(self.writer, Init(), InitApply(pod("a")), InitDone("5"))
        self.store.wait_until_ready(0)
        assert len(self.store.state()) == 1


@with_a_dict
def test_waiting_for_the_first_list(how: Any) -> None:
    for when in ("wait", "raise"):
        for read in (lambda s: s.get("a", "ns"), lambda s: s.state(), lambda s: s.keys(),
                     lambda s: s.wait_until_ready(0.001),
                     lambda s: s.wait_for("a", is_created, 0.001, namespace="ns")):
            interrupt(lambda: Unready(when),
                      lambda one: refused(NotReady)(lambda: read(one.store))(),
                      Unready.becomes_ready, how)


@with_a_dict
def test_waiting_for_what_comes(how: Any) -> None:
    """It waits indeed, and is woken."""
    def make() -> Any:
        scene = Scene().drained()

        def write() -> None:
            wait_until(lambda: len(scene.writer._cache.listeners) == 2 or scene.subscription.pending
                       or done)
            scene.apply("late")

        done: list[bool] = []
        body = running(write)
        body.__enter__()
        return scene, body, done

    def operate(made: Any) -> None:
        try:
            made[0].store.wait_for("late", is_created, DEADLINE, namespace="ns")
        finally:
            made[2].append(True)

    def check(made: Any, run: Run) -> None:
        scene, body, _ = made
        body.__exit__(None, None, None)
        assert len(scene.writer._cache.listeners) <= 2
        scene.is_whole(run)

    interrupt(make, operate, check, how)


EVENTS: dict[str, Callable[[], Any]] = {
    "new": lambda: Apply(pod("new", version="900")),
    "changed": lambda: Apply(pod("a", version="900", labels={"app": "db"})),
    "another of that name": lambda: Apply(pod("a", version="900", uid="another")),
    "deleted": lambda: Delete(pod("a", version="900")),
    "deleted what is not there": lambda: Delete(pod("never", version="900")),
    "bookmark": lambda: Bookmark("900"),
}


def state_of(scene: Scene) -> Any:
    return versions(scene.store), scene.store.resource_version


@everywhere
@pytest.mark.parametrize("name", EVENTS)
def test_an_event(name: str, how: Any, model: Any) -> None:
    """The cache is as before it or as after it; who applies it again has it once."""
    reference = Scene(model)
    before = state_of(reference)
    feed(reference.writer, EVENTS[name]())
    after = state_of(reference)

    def check(scene: Scene, run: Run) -> None:
        # A read completes what was interrupted.
        scene.store.snapshot()
        assert state_of(scene) in ((before, after) if run.interrupted else (after,))
        scene.is_whole(run)

    def again(scene: Scene, run: Run) -> None:
        if run.interrupted:
            feed(scene.writer, EVENTS[name]())

    def check_after(scene: Scene, run: Run) -> None:
        assert state_of(scene) == after
        scene.is_whole(run)

    def operate(scene: Scene) -> None:
        feed(scene.writer, EVENTS[name]())

    interrupt(lambda: Scene(model).drained(), operate, check, how)
    interrupt(lambda: Scene(model), operate, check_after, how, then=again)


LISTED = [Init(), InitApply(pod("a")), InitApply(pod("b", version="2", labels={"app": "x"})),
          InitApply(pod("new")), InitApply(pod("c", "other", uid="another"))]


@everywhere
@pytest.mark.parametrize("settings", [{}, {"transform": lambda obj: obj}], ids=["", "transform"])
def test_the_parts_of_a_list(settings: Any, how: Any, model: Any) -> None:
    """Nothing of a list is there before its end, and then all of it."""
    for part in range(len(LISTED)):
        def operate(scene: Scene) -> None:
            feed(scene.writer, LISTED[part])

        def make() -> Scene:
            scene = Scene(model, **settings).drained()
            feed(scene.writer, *LISTED[:part])
            return scene

        def check(scene: Scene, run: Run) -> None:
            assert versions(scene.store) == scene.before
            feed(scene.writer, *LISTED, InitDone("950"))
            assert len(scene.store) == 4 and scene.store.get("new", "ns") is not None
            scene.is_whole(run)

        interrupt(make, operate, check, how)


@everywhere
def test_the_end_of_a_list(how: Any, model: Any) -> None:
    reference = Scene(model)
    before = state_of(reference)
    feed(reference.writer, *LISTED, InitDone("950"))
    after = state_of(reference)

    def make() -> Scene:
        scene = Scene(model).drained()
        feed(scene.writer, *LISTED)
        return scene

    def check(scene: Scene, run: Run) -> None:
        scene.store.snapshot()
        assert state_of(scene) in ((before, after) if run.interrupted else (after,))
        relists = scene.writer._cache.counters.relists
        assert relists == (1 if state_of(scene) == after else 0)
        scene.is_whole(run)

    interrupt(make, lambda scene: feed(scene.writer, InitDone("950")), check, how)


@everywhere
def test_a_first_list(how: Any, model: Any) -> None:
    def make() -> Any:
        writer = Writer(model=model)
        feed(writer, *LISTED)
        return writer

    def check(writer: Writer, run: Run) -> None:
        store = writer.as_reader()
        store.snapshot()
        assert store.ready == (len(store) == 4) and len(store) in (0, 4)
        feed(writer, *LISTED, InitDone("950"))
        store.wait_until_ready(0)
        assert len(store.state()) == 4

    interrupt(make, lambda writer: feed(writer, InitDone("5")), check, how)


@everywhere
def test_adding_an_index(how: Any, model: Any) -> None:
    def check(scene: Scene, run: Run) -> None:
        scene.apply("after")
        if "name" not in scene.store._index_names():
            # As if nobody had asked for it, or it is completed.
            scene.writer.add_index("name", by_name)
        assert len(scene.store.by_index("name", "after")) == 1
        assert set(scene.store.index_values("name")) == {"a", "b", "c", "after"}
        scene.is_whole(run)

    interrupt(lambda: Scene(model).unread(), lambda scene: scene.writer.add_index("name", by_name),
              check, how)


@everywhere
def test_subscribing(how: Any, model: Any) -> None:
    for overflow in ("coalesce", "block", "resync"):
        interrupt(lambda: Scene(model), lambda scene: scene.writer.subscribe(overflow=overflow),
                  Scene.is_as_before, how)


@with_a_dict
def test_closing(how: Any) -> None:
    def check(scene: Scene, run: Run) -> None:
        scene.writer.close()
        with pytest.raises(WriterDropped):
            scene.store.wait_for("never", is_created, namespace="ns")
        scene.follower.drain()
        assert scene.follower.versions() == versions(scene.store)
        assert scene.subscription.get() is None

    interrupt(Scene, lambda scene: scene.writer.close(), check, how)


def test_what_was_interrupted_is_completed_by_who_reads() -> None:
    """The thread that was interrupted may be gone."""
    seen: set[bool] = set()

    def check(scene: Scene, run: Run) -> None:
        is_there = scene.store.get("new", "ns") is not None
        assert (len(scene.store.state(namespace="ns")) == 3) >= is_there
        assert (len(scene.store.by_index("app", "none")) == 2) >= is_there
        seen.add(is_there)

    interrupt(Scene, lambda scene: feed(scene.writer, EVENTS["new"]()), check, {"error": Abort})
    assert seen == {True, False}
