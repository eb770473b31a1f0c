"""Whatever interrupts a subscriber or its writer, at whatever place: nothing is lost or stuck."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from kube_reflect import Applied, Apply, Delete, Resync, Writer
from kube_reflect.dispatcher import Subscription

from tests.support.cache_helpers import feed, listed, running
from tests.support.follower import Follower, versions
from tests.support.interrupts import Abort, Run, TimeLimit, interrupt_everywhere, ways
from tests.support.objects import pod
from tests.support.waiting import wait_until

OVERFLOWS = ("coalesce", "block", "resync")

pytestmark = pytest.mark.parametrize("how", ways(TimeLimit, Abort))


class Scene:
    """A writer, a store, a subscription, and what was taken from it so far."""

    def __init__(self, overflow: str = "coalesce", buffer_size: int = 100) -> None:
        self.writer, self.store = listed(pod("a"), pod("b"))
        self.subscription: Subscription[Any] = self.writer.subscribe(
            overflow=overflow, buffer_size=buffer_size)
        self.follower = Follower(self.subscription)
        self.versions = itertools.count(10)
        #: What the operation got, in the interrupted thread.
        self.got: list[Any] = []

    def apply(self, name: str) -> None:
        feed(self.writer, Apply(pod(name, version=str(next(self.versions)))))

    def delete(self, name: str) -> None:
        feed(self.writer, Delete(pod(name, version=str(next(self.versions)))))

    def drained(self) -> Scene:
        self.follower.drain()
        return self

    def changed(self) -> Scene:
        """Take what is there, and then let a step of each kind be pending."""
        self.drained()
        self.apply("a")
        self.delete("b")
        self.apply("c")
        return self

    def overrun(self) -> Scene:
        self.drained()
        for name in "abcdef":
            self.apply(name)
        return self

    def is_whole(self, run: Run) -> None:
        """Look, from another thread: with what was got, all is as in the store; nothing twice."""
        # A change for each object: those that the interrupted thread is working on follow later.
        for change in self.got:
            self.follower.take(change)
        self.got.clear()
        for name in "bdc":
            self.apply(name)
        self.delete("c")
        self.follower.drain()
        if run.interrupted:
            left = {key[1] for key, known in versions(self.store).items()
                    if self.follower.versions().get(key) != known}
            left |= {key[1] for key in self.follower.versions()} - {
                one["metadata"]["name"] for one in self.store}
            assert left <= self.processing(), "lost"
        assert repr(self.subscription).startswith("<Subscription changes")
        assert isinstance(self.subscription.pending, int)
        other = Follower(self.writer.subscribe())
        other.drain()
        assert other.versions() == versions(self.store)
        self.subscription.close()
        assert self.subscription.get() is None
        self.writer.close()

    def processing(self) -> set[str]:
        """What the interrupted thread may be working on: the last object it got."""
        return {key[1] for key, taken in self.subscription._processing.items()
                if key is not None and taken.returned}


def test_get(how: Any) -> None:
    for overflow in OVERFLOWS:
        assert interrupt_everywhere(
            lambda: Scene(overflow).changed(), lambda one: one.got.append(one.subscription.get()),
            Scene.is_whole, **how) > 10


def test_get_of_the_replay(how: Any) -> None:
    for overflow in OVERFLOWS:
        assert interrupt_everywhere(lambda: Scene(overflow),
                                    lambda one: one.got.append(one.subscription.get()),
                                    Scene.is_whole, **how) > 10


def test_get_again(how: Any) -> None:
    """What it was working on goes back, and something else is taken."""
    def operate(scene: Scene) -> None:
        for _ in range(3):
            scene.got.append(scene.subscription.get(timeout=1))
            if len(scene.got) == 1:
                scene.apply("a")

    assert interrupt_everywhere(Scene, operate, Scene.is_whole, **how) > 30


def test_get_of_a_resync(how: Any) -> None:
    assert interrupt_everywhere(lambda: Scene("resync", 3).overrun(),
                                lambda one: one.got.append(one.subscription.get()),
                                Scene.is_whole, **how) > 30


def test_get_in_vain(how: Any) -> None:
    assert interrupt_everywhere(lambda: Scene().drained(), _in_vain, Scene.is_whole,
                                **how) > 20


def _in_vain(scene: Scene) -> None:
    try:
        scene.subscription.get(timeout=0.001)
    except TimeoutError as error:
        if "no change" not in str(error):
            raise


def test_iterate(how: Any) -> None:
    def operate(scene: Scene) -> None:
        for change in scene.subscription:
            scene.got.append(change)
            if len(scene.got) == 3:
                break

    assert interrupt_everywhere(lambda: Scene().changed(), operate, Scene.is_whole,
                                **how) > 30


def test_iterate_to_the_end(how: Any) -> None:
    """After the end of the writer, what is pending is given once, to whoever takes it."""
    def make() -> Scene:
        scene = Scene().changed()
        scene.writer.close()
        return scene

    def operate(scene: Scene) -> None:
        for change in scene.subscription:
            scene.got.append(change)

    def check(scene: Scene, run: Run) -> None:
        for change in [*scene.got, *scene.subscription]:
            scene.follower.take(change)
        assert scene.follower.versions() == versions(scene.store)
        assert scene.subscription.get() is None

    interrupt_everywhere(make, operate, check, **how)


def test_objects(how: Any) -> None:
    def operate(scene: Scene) -> None:
        for obj in scene.subscription.objects():
            scene.got.append(obj)
            if len(scene.got) == 2:
                break

    def check(scene: Scene, run: Run) -> None:
        taken = list(scene.got)
        for change in scene.subscription:
            if isinstance(change, Applied):
                taken.append(change.object)
        assert sorted(one["metadata"]["name"] for one in taken) == ["a", "b", "c", "d"]

    def make() -> Scene:
        scene = Scene()
        scene.apply("c")
        scene.apply("d")
        scene.writer.close()
        return scene

    interrupt_everywhere(make, operate, check, **how)


def test_the_same_thread_goes_on(how: Any) -> None:
    """It gets what it was interrupted in, and then the rest."""
    for overflow in OVERFLOWS:
        def then(scene: Scene, run: Run) -> None:
            scene.got.append(scene.subscription.get(timeout=1))
            try:
                while True:
                    scene.got.append(scene.subscription.get(timeout=0))
            except TimeoutError:
                pass
            names = [change.ref.name for change in scene.got]
            assert sorted(names) == ["a", "b", "c"], names

        interrupt_everywhere(lambda: Scene(overflow).changed(),
                             lambda one: one.got.append(one.subscription.get()),
                             Scene.is_whole, then=then, **how)


def test_close(how: Any) -> None:
    def check(scene: Scene, run: Run) -> None:
        scene.apply("d")
        scene.subscription.close()
        assert scene.subscription.get() is None and scene.subscription.is_over
        scene.apply("e")
        assert scene.store.get("e", "ns") is not None

    interrupt_everywhere(lambda: Scene().changed(), lambda one: one.subscription.close(), check,
                         **how)


def test_close_lets_go_of_a_writer_that_waits(how: Any) -> None:
    def make() -> Any:
        scene = Scene("block", 1)
        body = running(lambda: [scene.apply("a") for _ in range(4)])
        body.__enter__()
        wait_until(lambda: scene.subscription._pending._room._waiting, "the writer waits")
        return scene, body

    def check(made: Any, run: Run) -> None:
        scene, body = made
        if not scene.subscription.is_over:
            scene.subscription.close()
        body.__exit__(None, None, None)

    assert interrupt_everywhere(make, lambda one: one[0].subscription.close(), check,
                                **how) > 5


def test_subscribe(how: Any) -> None:
    def check(scene: Scene, run: Run) -> None:
        if isinstance(run.value, Subscription):
            other = Follower(run.value)
            other.drain()
            assert other.versions() == versions(scene.store)
        scene.is_whole(run)

    interrupt_everywhere(lambda: Scene().changed(), lambda one: one.writer.subscribe(), check,
                         **how)


@pytest.mark.parametrize("overflow", OVERFLOWS)
def test_a_writer_that_tells(how: Any, overflow: str) -> None:
    """It tells of the same change again, and nobody hears of it twice."""
    def check(scene: Scene, run: Run) -> None:
        # The next event completes what was interrupted.
        scene.apply("z")
        scene.follower.drain()
        assert scene.follower.versions() == versions(scene.store)
        assert scene.follower.resyncs == 0

    def make() -> Scene:
        scene = Scene(overflow).drained()
        scene.apply("a")
        return scene

    for operate in _writes():
        interrupt_everywhere(make, operate, check, **how)


def _writes() -> list[Callable[[Scene], None]]:
    return [lambda scene: scene.apply("a"), lambda scene: scene.apply("x"),
            lambda scene: scene.delete("a"), lambda scene: scene.delete("b"),
            lambda scene: feed(scene.writer, Apply(pod("b", version="50", uid="another")))]


def test_a_writer_that_overruns(how: Any) -> None:
    def make() -> Scene:
        scene = Scene("resync", 3).drained()
        for name in "xyz":
            scene.apply(name)
        return scene

    def check(scene: Scene, run: Run) -> None:
        for name in "stuvw":
            scene.apply(name)
        changes = [scene.subscription.get(timeout=0)]
        assert changes == [Resync()]
        scene.follower.take(changes[0])
        scene.follower.drain()
        assert scene.follower.versions() == versions(scene.store)

    interrupt_everywhere(make, lambda one: one.apply("w"), check, **how)


def test_a_writer_that_waits_for_its_subscriber(how: Any) -> None:
    """Interrupted while it waits, it tells of the change with its next event."""
    def make() -> Any:
        scene = Scene("block", 1).drained()
        scene.apply("a")

        def take() -> None:
            wait_until(lambda: scene.subscription._pending._room._waiting or scene.got)
            scene.follower.drain(1)

        body = running(take)
        body.__enter__()
        return scene, body

    def operate(made: Any) -> None:
        try:
            made[0].apply("b")
        finally:
            made[0].got.append("it does not wait any more")

    def check(made: Any, run: Run) -> None:
        scene, body = made
        body.__exit__(None, None, None)
        scene.follower.drain()
        with running(lambda: [scene.apply("c"), scene.apply("d")]):
            wait_until(lambda: scene.follower.drain()
                       and len(scene.follower.objects) == 4)
        scene.follower.drain()
        assert scene.follower.versions() == versions(scene.store)

    interrupt_everywhere(make, operate, check, **how)


def test_the_end_of_a_writer(how: Any) -> None:
    def check(scene: Scene, run: Run) -> None:
        scene.writer.close()
        for change in scene.subscription:
            scene.follower.take(change)
        assert scene.follower.versions() == versions(scene.store)

    def close(scene: Scene) -> None:
        writer: Writer = scene.writer
        writer.close()

    interrupt_everywhere(lambda: Scene().changed(), close, check, **how)
