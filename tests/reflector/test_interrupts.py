"""Whatever interrupts who starts, asks or closes a reflector: it lives, and loses no thread."""

from __future__ import annotations

import gc
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes import client

from kube_reflect import Applied, Phase, Reflector, Shared, shared
from kube_reflect.testing import FakeApiServer

from tests.support.cache_helpers import names
from tests.support.follower import Follower, versions
from tests.support.interrupts import Abort, Run, TimeLimit, interrupt_everywhere, ways
from tests.support.objects import new_pod as pod
from tests.support.reflector_helpers import LIST_WATCH
from tests.support.waiting import DEADLINE, wait_until

# Another thread closes it within a second; this much on a busy machine.
SOON = 3.0

numbers = itertools.count()
everywhere = pytest.mark.parametrize("how", ways(Abort, TimeLimit))


@pytest.fixture(scope="module")
def server() -> Iterator[FakeApiServer]:
    with FakeApiServer() as running:
        for namespace in ("ns", "other"):
            running.create(pod("a", namespace))
        yield running


@pytest.fixture(scope="module")
def v1(server: FakeApiServer) -> client.CoreV1Api:
    return client.CoreV1Api(server.api_client())


class Scene:
    """A reflector of its own, and what was done to it."""

    def __init__(self, server: FakeApiServer, v1: client.CoreV1Api, *namespaces: str) -> None:
        self.server = server
        self.name = f"interrupted-{next(numbers)}"
        self.reflector: Reflector[Any] = Reflector(
            v1.list_namespaced_pod, **({"namespaces": namespaces} if namespaces else
                                       {"namespace": "ns"}),
            name=self.name, model=dict, config=LIST_WATCH, indexers={"n": lambda obj: ["all"]})
        self.told: list[str] = []

    def started(self) -> Scene:
        self.reflector.start().store.wait_until_ready(DEADLINE)
        return self

    def handled(self) -> Scene:
        self.reflector.add_handler(on_add=self.added)
        return self.started()

    def added(self, obj: Any) -> None:
        self.told.append(obj["metadata"]["namespace"])

    def threads(self) -> list[threading.Thread]:
        return [thread for thread in threading.enumerate()
                if f"{thread.name}:".startswith(f"kube-reflect:{self.name}:")]

    def goes_on(self, run: Run) -> None:
        """Look, from another thread: it starts, reads, asks, subscribes, follows, and closes."""
        reflector = self.reflector
        assert reflector.status.phase is not Phase.DEAD and repr(reflector)
        reflector.start()
        store = reflector.store
        store.wait_until_ready(DEADLINE)
        store.wait_until_live(DEADLINE)
        written = self.server.update({**pod("a"), "number": run.number})
        wait_until(lambda: store.get("a", "ns") == written, "the object as it was written")
        assert versions(store.by_index("n", "all")) == versions(store)
        with reflector.subscribe() as subscription:
            other = Follower(subscription)
            other.drain()
            assert other.versions() == versions(store)
        status = reflector.status
        assert status.live and status.ready and status.thread_alive and not status.relists
        # That of a namespace which an interrupted call has removed ends by itself.
        wait_until(lambda: len([one for one in self.threads() if ":handler-" not in one.name])
                   == max(1, len(status.namespaces)), "no thread too many")
        assert not reflector.status.poisoned
        self.ends()

    def ends(self) -> None:
        """Close it, from another thread than was interrupted."""
        began = time.monotonic()
        self.reflector.close(SOON)
        assert time.monotonic() - began < SOON
        wait_until(lambda: not self.threads(), "the end of its threads", SOON)
        status = self.reflector.status
        assert status.phase is Phase.STOPPED and not status.live and not status.thread_alive
        assert names(self.reflector.store)


def interrupt(make: Callable[[], Scene], operate: Callable[[Scene], Any], how: Any,
              check: Callable[[Scene, Run], object] = Scene.goes_on) -> None:
    # Whoever is interrupted has it closed, as a `with` would.
    assert interrupt_everywhere(make, operate, check, **how, deadline=2 * DEADLINE,
                                dispose=lambda scene: scene.reflector.close()) > 0


@pytest.fixture
def new(server: FakeApiServer, v1: client.CoreV1Api) -> Callable[..., Scene]:
    return lambda *namespaces: Scene(server, v1, *namespaces)


@everywhere
def test_start(new: Callable[..., Scene], how: Any) -> None:
    interrupt(new, lambda scene: scene.reflector.start(), how)


@everywhere
def test_start_with_a_handler(new: Callable[..., Scene], how: Any) -> None:
    def make() -> Scene:
        scene = new()
        scene.reflector.add_handler(on_add=scene.added)
        return scene

    def check(scene: Scene, run: Run) -> None:
        scene.goes_on(run)
        assert scene.told == ["ns"], "once, and no more"

    interrupt(make, lambda scene: scene.reflector.start(), how, check)


@everywhere
def test_start_and_close_by_the_thread_that_was_interrupted(
        new: Callable[..., Scene], how: Any) -> None:
    """As a `with` block does."""
    def operate(scene: Scene) -> None:
        with scene.reflector:
            scene.reflector.store.wait_until_ready(DEADLINE)

    def check(scene: Scene, run: Run) -> None:
        scene.reflector.close(SOON)
        wait_until(lambda: not scene.threads(), "the end of its threads", SOON)

    interrupt(new, operate, how, check)


@everywhere
def test_start_of_one_that_is_then_forgotten(new: Callable[..., Scene], how: Any) -> None:
    """As where a ``with`` statement is interrupted: nobody has it, and so nobody closes it."""
    def check(scene: Scene, run: Run) -> None:
        run.raised = run.value = None
        del scene.reflector
        gc.collect()
        wait_until(lambda: not scene.threads(), "the end of its threads", SOON)

    # Hundreds of collections; what is there already, of all tests so far, need not be gone through.
    gc.collect()
    gc.freeze()
    try:
        assert interrupt_everywhere(new, lambda scene: scene.reflector.start(), check, **how,
                                    deadline=2 * DEADLINE) > 0
    finally:
        gc.unfreeze()


@everywhere
def test_close(new: Callable[..., Scene], how: Any) -> None:
    def check(scene: Scene, run: Run) -> None:
        scene.ends()
        assert scene.reflector.start().store.wait_until_ready(DEADLINE) is None
        scene.ends()

    interrupt(lambda: new().started(), lambda scene: scene.reflector.close(), how, check)


@everywhere
@pytest.mark.parametrize("namespaces", [(), ("ns", "other")], ids=["one list", "namespaces"])
def test_close_and_start_at_once(new: Callable[..., Scene], how: Any,
                                 namespaces: tuple[str, ...]) -> None:
    """What the close has not ended is begun anew too: it is waited for."""
    def check(scene: Scene, run: Run) -> None:
        scene.reflector.start().store.wait_until_ready(DEADLINE)
        scene.reflector.store.wait_until_live(DEADLINE)
        scene.ends()

    interrupt(lambda: new(*namespaces).started(), lambda scene: scene.reflector.close(), how,
              check)


@everywhere
def test_close_with_a_handler(new: Callable[..., Scene], how: Any) -> None:
    def check(scene: Scene, run: Run) -> None:
        scene.ends()
        assert scene.told == ["ns"]

    def make() -> Scene:
        scene = new().handled()
        wait_until(lambda: scene.told)
        return scene

    interrupt(make, lambda scene: scene.reflector.close(), how, check)


@everywhere
@pytest.mark.parametrize("name", ["status", "subscribe", "on_phase", "get", "add_index", "repr"])
def test_what_is_asked(new: Callable[..., Scene], how: Any, name: str) -> None:
    operations: dict[str, Callable[[Scene], Any]] = {
        "status": lambda scene: scene.reflector.status.to_dict(),
        "subscribe": lambda scene: scene.reflector.subscribe().close(),
        "on_phase": lambda scene: scene.reflector.on_phase(lambda status: None)(),
        "get": lambda scene: scene.reflector.store.get("a", "ns", max_staleness=60),
        "add_index": lambda scene: scene.reflector.add_index("more", lambda obj: ["x"]),
        "repr": lambda scene: repr(scene.reflector),
    }
    interrupt(lambda: new().started(), operations[name], how)


@everywhere
def test_add_handler(new: Callable[..., Scene], how: Any) -> None:
    def check(scene: Scene, run: Run) -> None:
        if not run.interrupted:
            wait_until(lambda: scene.told)
        scene.goes_on(run)
        assert scene.told in ([], ["ns"])

    interrupt(lambda: new().started(),
              lambda scene: scene.reflector.add_handler(on_add=scene.added), how, check)


@everywhere
def test_remove_a_handler(new: Callable[..., Scene], how: Any) -> None:
    def make() -> Any:
        scene = new().started()
        return scene, scene.reflector.add_handler(on_add=scene.added)

    def check(made: Any, run: Run) -> None:
        scene, handler = made
        handler.remove()
        wait_until(lambda: not [one for one in scene.threads() if ":handler-" in one.name])
        scene.goes_on(run)

    assert interrupt_everywhere(make, lambda made: made[1].remove(), check, **how,
                                deadline=2 * DEADLINE) > 0


@everywhere
def test_add_namespace(new: Callable[..., Scene], how: Any) -> None:
    def check(scene: Scene, run: Run) -> None:
        scene.reflector.store.wait_until_ready(DEADLINE)
        there = "other" in scene.reflector.status.namespaces
        if not there:
            scene.reflector.add_namespace("other")
            scene.reflector.store.wait_until_ready(DEADLINE)
        assert len(scene.reflector.store.state()) == 2
        scene.goes_on(run)

    interrupt(lambda: new("ns").started(),
              lambda scene: scene.reflector.add_namespace("other"), how, check)


@everywhere
def test_remove_namespace(new: Callable[..., Scene], how: Any) -> None:
    def check(scene: Scene, run: Run) -> None:
        if "other" in scene.reflector.status.namespaces:
            # As if nobody had asked for it.
            scene.reflector.store.wait_until_ready(DEADLINE)
            assert len(scene.reflector.store) == 2
            scene.reflector.remove_namespace("other")
        assert len(scene.reflector.store) == 1 and scene.reflector.store.ready
        scene.goes_on(run)

    interrupt(lambda: new("ns", "other").started(),
              lambda scene: scene.reflector.remove_namespace("other"), how, check)


class SharedScene:
    """What two users share, of whom one is interrupted."""

    def __init__(self, v1: client.CoreV1Api, used: bool) -> None:
        self.arguments = v1.list_namespaced_pod, f"ns-{next(numbers)}"
        self.first: Shared[Any] | None = self.share() if used else None
        self.mine: Shared[Any] | None = None

    def share(self) -> Shared[Any]:
        return shared(*self.arguments, model=dict, config=LIST_WATCH, name=self.arguments[1])

    def operate(self) -> None:
        self.mine = self.share()

    def threads(self) -> list[threading.Thread]:
        return [one for one in threading.enumerate()
                if one.name == f"kube-reflect:{self.arguments[1]}"]


@everywhere
@pytest.mark.parametrize("used", [False, True])
def test_shared(v1: client.CoreV1Api, how: Any, used: bool) -> None:
    def check(scene: SharedScene, run: Run) -> None:
        other = scene.share()
        other.store.wait_until_ready(DEADLINE)
        assert other.status.thread_alive
        handles = [one for one in (scene.mine, other, scene.first) if one is not None]
        scene.mine = scene.first = None
        for handle in handles:
            assert handle.status.thread_alive
            handle.close()
        run.raised = None
        wait_until(lambda: not scene.threads(), "the end of the thread", SOON)

    assert interrupt_everywhere(lambda: SharedScene(v1, used), SharedScene.operate, check,
                                **how, deadline=2 * DEADLINE) > 0


@everywhere
@pytest.mark.parametrize("used", [False, True])
def test_closing_what_is_shared(v1: client.CoreV1Api, how: Any, used: bool) -> None:
    def make() -> SharedScene:
        scene = SharedScene(v1, used)
        scene.operate()
        return scene

    def check(scene: SharedScene, run: Run) -> None:
        assert scene.mine is not None
        scene.mine.close()
        if scene.first is not None:
            scene.first.store.wait_until_ready(DEADLINE)
            assert scene.first.status.thread_alive
            scene.first.close()
        wait_until(lambda: not scene.threads(), "the end of the thread", SOON)

    def operate(scene: SharedScene) -> None:
        assert scene.mine is not None
        scene.mine.close()

    assert interrupt_everywhere(make, operate, check, **how, deadline=2 * DEADLINE) > 0


def test_it_is_no_use_to_interrupt_its_own_thread(new: Callable[..., Scene]) -> None:
    """A callback of the user that exits, on the reflector's thread, ends nothing."""
    scene = new()

    def leave(status: Any) -> None:
        raise SystemExit("from a callback")

    scene.reflector.on_phase(leave)
    subscription = scene.started().reflector.subscribe()
    assert isinstance(subscription.get(DEADLINE), Applied)
    scene.goes_on(Run(1))
