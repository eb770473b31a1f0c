"""kube_reflect.reflector: what it keeps, and how it lives and ends."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest
from kubernetes import client

from kube_reflect.backoff import Backoff
from kube_reflect.errors import InitialListFailed, NotReady, WatcherError, WriterDropped
from kube_reflect.events import Apply, Init, InitApply, InitDone
from kube_reflect.reflector import Reflector
from kube_reflect.status import Phase
from kube_reflect.store import Writer
from kube_reflect.streams import reflect
from kube_reflect.testing import FakeApiServer
from kube_reflect.watcher import Watcher

from tests.support.cache_helpers import names, running
from tests.support.objects import new_pod as pod
from tests.support.reflector_helpers import LIST_WATCH, api_of, server, threads_of, v1
from tests.support.waiting import DEADLINE, timed, wait_until

__all__ = ["server", "v1"]


def names_of(store: Any) -> list[str]:
    return sorted(one.metadata.name for one in store)


def test_reflect_passes_everything_on_unchanged() -> None:
    items: list[Any] = [InitialListFailed("no"), Init(), InitApply(pod("a")), InitDone("5"),
                        Apply(pod("b")), WatcherError("cut")]
    writer = Writer()
    store = writer.as_reader()
    passed = list(reflect(writer, iter(items)))
    assert all(one is other for one, other in zip(passed, items, strict=True))
    assert names(store) == ["a", "b"]


def test_reflect_applies_an_event_before_it_passes_it_on() -> None:
    writer = Writer()
    store, seen = writer.as_reader(), []
    for _ in reflect(writer, [Init(), InitApply(pod("a")), InitDone("5"), Apply(pod("b"))]):
        seen.append(len(store))
    assert seen == [0, 0, 1, 2]


def test_reflect_ends_with_its_stream() -> None:
    writer = Writer()
    assert len(list(reflect(writer, [Init()]))) == 1
    with pytest.raises(WriterDropped):
        writer.as_reader().wait_until_ready()


def test_a_writer_feeds_from_one_stream_only() -> None:
    writer = Writer()
    first = reflect(writer, [])
    with pytest.raises(ValueError, match="another Writer"):
        reflect(writer, [])
    assert list(first) == []
    with pytest.raises(TypeError):
        reflect("no writer", [])  # type: ignore[arg-type]


def test_reflect_over_a_watcher(server: FakeApiServer, v1: client.CoreV1Api) -> None:
    writer, watcher = Writer(), Watcher(v1.list_namespaced_pod, "ns")
    store = writer.as_reader()
    for item in reflect(writer, watcher):
        if isinstance(item, InitDone):
            server.create(pod("c"))
        if isinstance(item, Apply):
            watcher.close()
    assert names(store) == ["a", "b", "c"]


def test_it_keeps_up_with_the_server(server: FakeApiServer, v1: client.CoreV1Api) -> None:
    with Reflector(v1.list_namespaced_pod, "ns") as reflector:
        store = reflector.store
        store.wait_until_ready(timeout=DEADLINE)
        assert names_of(store) == ["a", "b"]
        assert isinstance(store.get("a", "ns"), client.V1Pod)
        server.create(pod("c"))
        server.delete("pods", "a", "ns")
        server.patch("pods", "b", {"metadata": {"labels": {"new": "yes"}}}, "ns")
        wait_until(lambda: names_of(store.state(labels="new=yes")) == ["b"])
        assert names_of(store) == ["b", "c"]
        wait_until(lambda: store.resource_version == server.resource_version)
    assert names_of(store) == ["b", "c"]


def test_nothing_starts_by_itself(server: FakeApiServer, v1: client.CoreV1Api) -> None:
    reflector = Reflector(v1.list_namespaced_pod, "ns", name="idle")
    assert len(reflector.store) == 0 and not reflector.store.ready
    with pytest.raises(NotReady, match="never started$"):
        reflector.store.state()
    assert not threads_of("idle") and len(server.requests) == 0
    reflector.close()
    with pytest.raises(WriterDropped):
        reflector.store.wait_until_ready(timeout=0)


def test_eight_threads_start_one(server: FakeApiServer, v1: client.CoreV1Api) -> None:
    reflector = Reflector(v1.list_namespaced_pod, "ns", name="one", config=LIST_WATCH)
    barrier, started = threading.Barrier(8), []

    def start() -> None:
        barrier.wait(DEADLINE)
        started.append(reflector.start())

    with running(*[start] * 8):
        pass
    assert started == [reflector] * 8 and len(threads_of("one")) == 1
    server.wait_for_request(lambda request: request.verb == "watch")
    assert reflector.start() is reflector
    wait_until(lambda: server.watches == 1)
    reflector.close()
    assert [request.verb for request in server.requests] == ["list", "watch"]
    assert not threads_of("one")


def test_closed_and_started_again_it_goes_on_with_the_same_store(
        server: FakeApiServer, v1: client.CoreV1Api) -> None:
    reflector = Reflector(v1.list_namespaced_pod, "ns")
    store = reflector.store
    for round_number in range(3):
        server.create(pod(f"new-{round_number}"))
        assert reflector.start() is reflector
        wait_until(lambda: len(store) == 3 + round_number)
        wait_until(lambda: reflector.status.live)
        reflector.close()
        assert reflector.status.phase is Phase.STOPPED and not reflector.status.live
    assert reflector.store is store and store.ready


def test_closing_twice_or_before_the_start_is_nothing(v1: client.CoreV1Api) -> None:
    reflector = Reflector(v1.list_namespaced_pod, "ns", name="twice")
    reflector.close()
    with reflector:
        reflector.store.wait_until_ready(timeout=DEADLINE)
        reflector.close()
        reflector.close(timeout=None)
    reflector.close(timeout=0)
    assert reflector.status.phase is Phase.STOPPED and not threads_of("twice")


def test_closed_by_many_threads_at_once(v1: client.CoreV1Api) -> None:
    reflector = Reflector(v1.list_namespaced_pod, "ns", name="many").start()
    with running(*[reflector.close] * 8):
        pass
    assert not threads_of("many")


def test_one_that_was_never_started_says_so(v1: client.CoreV1Api) -> None:
    reflector = Reflector(v1.list_namespaced_pod, "ns")
    for wait in (lambda: reflector.store.wait_until_ready(timeout=0),
                 lambda: reflector.store.wait_for("a", bool, timeout=0)):
        with pytest.raises(NotReady, match="the reflector was never started$"):
            wait()
    with reflector:
        reflector.store.wait_until_ready(timeout=DEADLINE)
    assert names_of(reflector.store) == ["a", "b"]


def test_one_that_was_started_does_not_say_that_it_was_not(
        server: FakeApiServer, v1: client.CoreV1Api) -> None:
    server.close()
    with Reflector(v1.list_namespaced_pod, "ns") as reflector:
        with pytest.raises(NotReady) as caught:
            reflector.store.wait_until_ready(timeout=0)
    assert "never started" not in str(caught.value)


@pytest.mark.parametrize(("arguments", "error", "said"), [
    ({"name": 5}, TypeError, "name must be a string or None: 5"),
    ({"indexers": {1: names}}, TypeError, "name of an index must be a string: 1"),
    ({"namespaces": ["a", "b"], "backoff": Backoff()}, ValueError, "give a function that makes"),
    ({"backoff": 5}, TypeError, "backoff must be a Backoff, or make one: 5"),
])
def test_arguments_that_make_no_sense_are_refused(
        v1: client.CoreV1Api, arguments: dict[str, Any], error: type[Exception],
        said: str) -> None:
    with pytest.raises(error, match=said):
        Reflector(v1.list_namespaced_pod, **{
            **({} if "namespaces" in arguments else {"namespace": "ns"}), **arguments})


def test_each_namespace_has_a_backoff_of_its_own(v1: client.CoreV1Api) -> None:
    made: list[Backoff] = []

    def make() -> Backoff:
        made.append(Backoff())
        return made[-1]

    with Reflector(v1.list_namespaced_pod, namespaces=["a", "b"], backoff=make):
        assert len(made) == 2


@pytest.mark.parametrize(("timeout", "error"), [
    (-1, ValueError), (float("nan"), ValueError), ("5", TypeError), (True, TypeError),
])
def test_close_refuses_what_is_no_timeout(
        v1: client.CoreV1Api, timeout: Any, error: type[Exception]) -> None:
    with Reflector(v1.list_namespaced_pod, "ns") as reflector, pytest.raises(error):
        reflector.close(timeout=timeout)


def test_closed_from_a_callback_it_does_not_wait_for_itself(
        server: FakeApiServer, v1: client.CoreV1Api) -> None:
    took: list[float] = []

    def transform(obj: dict[str, Any]) -> dict[str, Any]:
        if not took:
            took.append(timed(reflector.close))
        return obj

    reflector = Reflector(v1.list_namespaced_pod, "ns", transform=transform, name="self")
    reflector.start()
    wait_until(lambda: took and not threads_of("self"), "the end of the thread")
    assert took[0] < 1 and reflector.status.phase is Phase.STOPPED
    with reflector:
        reflector.store.wait_until_ready(timeout=DEADLINE)
        assert names_of(reflector.store) == ["a", "b"]


def test_a_thread_that_ends_late_does_not_disturb_the_next(
        server: FakeApiServer, v1: client.CoreV1Api) -> None:
    held, go_on = threading.Event(), threading.Event()

    def transform(obj: dict[str, Any]) -> dict[str, Any]:
        if obj["metadata"]["name"] == "held" and not held.is_set():
            held.set()
            assert go_on.wait(DEADLINE)
        return obj

    reflector = Reflector(v1.list_namespaced_pod, "ns", transform=transform, name="late")
    with reflector:
        reflector.store.wait_until_ready(timeout=DEADLINE)
        (late,) = threads_of("late")
        server.create(pod("held"))
        assert held.wait(DEADLINE)
        reflector.close(timeout=0.01)
        server.delete("pods", "held", "ns")
        for _ in range(3):
            reflector.start()
            reflector.close(timeout=0.01)
        reflector.start()
        go_on.set()
        late.join(DEADLINE)
        wait_until(lambda: reflector.status.live)
        server.create(pod("c"))
        wait_until(lambda: "c" in names_of(reflector.store))
        assert names_of(reflector.store) == ["a", "b", "c"]
        assert reflector.status.phase is Phase.WATCHING and reflector.status.live


def test_forgotten_it_ends(v1: client.CoreV1Api) -> None:
    reflector = Reflector(v1.list_namespaced_pod, "ns", name="forgotten").start()
    reflector.store.wait_until_ready(timeout=DEADLINE)
    (thread,) = threads_of("forgotten")
    gone = weakref.ref(reflector)
    del reflector
    assert gone() is None, "only a garbage collection would end it"
    thread.join(DEADLINE)
    assert not thread.is_alive()


@pytest.mark.parametrize("keep", [
    lambda reflector: reflector.store, lambda reflector: reflector.store.get,
])
def test_its_store_keeps_it_going(
        server: FakeApiServer, v1: client.CoreV1Api, keep: Any) -> None:
    reflector = Reflector(v1.list_namespaced_pod, "ns", name="kept").start()
    kept = keep(reflector)
    del reflector
    gc.collect()
    (thread,) = threads_of("kept")
    server.wait_for_request(lambda request: request.verb == "watch")
    server.create(pod("c"))
    wait_until(lambda kept=kept: len(getattr(kept, "__self__", kept)) == 3)
    gc.collect()
    assert thread.is_alive()
    del kept
    thread.join(DEADLINE)
    assert not thread.is_alive()


def test_a_mistake_in_the_block_closes_it_too(v1: client.CoreV1Api) -> None:
    with pytest.raises(KeyError), Reflector(v1.list_namespaced_pod, "ns", name="block"):
        raise KeyError("a mistake")
    assert not threads_of("block")


def test_not_ready_says_403(server: FakeApiServer, v1: client.CoreV1Api) -> None:
    server.forbid("pods")
    with Reflector(v1.list_namespaced_pod, "ns") as reflector:
        wait_until(lambda: reflector.status.code == 403)
        with pytest.raises(NotReady, match="pods is forbidden") as caught:
            reflector.store.wait_until_ready(timeout=0.05)
        assert isinstance(caught.value.__cause__, InitialListFailed)
        assert caught.value.__cause__.code == 403
        assert caught.value.__cause__.status["reason"] == "Forbidden"


def test_who_waits_is_told_of_a_close(server: FakeApiServer, v1: client.CoreV1Api) -> None:
    server.forbid("pods")
    told: list[BaseException] = []

    def wait() -> None:
        try:
            reflector.store.wait_until_ready(timeout=DEADLINE)
        except WriterDropped as error:
            told.append(error)

    with Reflector(v1.list_namespaced_pod, "ns") as reflector, running(wait):
        wait_until(lambda: reflector.status.code == 403)
        reflector.close()
    assert len(told) == 1 and getattr(told[0].__cause__, "code", None) == 403


def test_it_goes_on_when_it_is_allowed_again(
        server: FakeApiServer, v1: client.CoreV1Api) -> None:
    server.forbid("pods")
    with Reflector(v1.list_namespaced_pod, "ns", backoff=Backoff(0.05)) as reflector:
        wait_until(lambda: reflector.status.code == 403)
        server.allow()
        reflector.store.wait_until_ready(timeout=DEADLINE)
        assert len(reflector.store) == 2 and reflector.status.ready


def test_a_server_that_is_not_there_is_not_ready() -> None:
    with Reflector(api_of("http://127.0.0.1:1").list_node) as reflector:
        wait_until(lambda: reflector.status.last_error is not None)
        with pytest.raises(NotReady) as caught:
            reflector.store.wait_until_ready(timeout=0)
        assert isinstance(caught.value.__cause__, InitialListFailed)
        assert caught.value.__cause__.code is None


def test_an_object_that_somebody_keeps_does_not_keep_the_cache(v1: client.CoreV1Api) -> None:
    reflector: Reflector[Any] = Reflector(v1.list_namespaced_pod, "ns")
    with reflector:
        reflector.store.wait_until_ready(DEADLINE)
        kept = reflector.store.get("a", "ns")
    gone = weakref.ref(reflector._engine.cache)
    del reflector
    gc.collect()
    assert gone() is None and kept.metadata.name == "a" and kept.spec.containers[0].name == "main"
