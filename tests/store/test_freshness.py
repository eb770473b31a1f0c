"""What counts as contact, and a reflector that begins again in odd states."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kubernetes import client

from kube_reflect import (
    Backoff, Config, InitialListStrategy, Phase, Reflector, StaleCache, Watcher, Writer,
    WriterDropped, reflect,
)
from kube_reflect.events import Init, InitDone
from kube_reflect.testing import FaultServer, faults

from tests.support.fork_helpers import worker_of
from tests.support.objects import new_pod as pod
from tests.support.reflector_helpers import Deadly
from tests.support.waiting import wait_until

PAGES = Config(initial_list_strategy=InitialListStrategy.LIST_WATCH, page_size=1)


def quick() -> Backoff:
    return Backoff(initial=0.01, maximum=0.02)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        running.create(pod("a"))
        running.create(pod("b"))
        yield running


@pytest.fixture
def v1(server: FaultServer) -> Iterator[client.CoreV1Api]:
    with server.api_client() as api_client:
        yield client.CoreV1Api(api_client)


def test_half_a_list_is_nothing_to_read(server: FaultServer, v1: client.CoreV1Api) -> None:
    server.fault(faults.Status(500), when=lambda request: "continue" in request.query)
    with Reflector(v1.list_namespaced_pod, "ns", config=PAGES, backoff=quick()) as reflector:
        wait_until(lambda: reflector.status.code == 500)
        # Heard of it was; it is said how long the first list takes.
        assert reflector.status.staleness is not None
        with pytest.raises(StaleCache):
            reflector.store.get("a", "ns", max_staleness=60)
        with pytest.raises(StaleCache):
            reflector.store.state(max_staleness=60)


@pytest.mark.parametrize("allowed", [-1, float("nan")])
def test_a_staleness_that_is_none_is_refused(v1: client.CoreV1Api, allowed: float) -> None:
    store = Reflector(v1.list_namespaced_pod, "ns").store
    with pytest.raises(ValueError, match="max_staleness"):
        store.state(max_staleness=allowed)
    with pytest.raises(TypeError, match="max_staleness"):
        store.get("a", "ns", max_staleness="5")  # type: ignore[arg-type]


def test_a_complete_list_is_as_old_as_its_first_request(server: FaultServer,
                                                        v1: client.CoreV1Api) -> None:
    with Reflector(v1.list_namespaced_pod, "ns", config=PAGES) as reflector:
        reflector.store.wait_until_ready(10)
        first = next(one for one in server.requests if one.verb == "list")
        worker = worker_of(reflector)
        assert worker.contact is not None
        wait_until(lambda: server.watches == 1)
        assert worker.contact <= first.time


def test_after_its_thread_died_it_starts_whole(server: FaultServer,
                                               v1: client.CoreV1Api) -> None:
    server.fault(faults.Status(500), times=1)
    backoff = Deadly(initial=0.01, maximum=0.02)
    with Reflector(v1.list_namespaced_pod, "ns", backoff=backoff) as reflector:
        wait_until(lambda: reflector.status.phase is Phase.DEAD)
        # What the thread does last is to say that it has ended.
        wait_until(lambda: not reflector.status.thread_alive)
        assert not reflector.status.live
        with pytest.raises(WriterDropped, match="as if"):
            reflector.store.wait_until_ready(10)
        reflector.start()
        reflector.store.wait_until_ready(10)
        with reflector.subscribe() as subscription:
            assert subscription.get(10) is not None


def test_no_namespaces_are_complete_at_once(v1: client.CoreV1Api) -> None:
    with Reflector(v1.list_namespaced_pod, namespaces=[]) as reflector:
        reflector.store.wait_until_ready(10)
        reflector.add_namespace("ns")
        reflector.store.wait_until_ready(10)
        assert len(reflector.store) == 2


def test_a_stream_that_raises_is_why_the_writer_ended() -> None:
    failure = RuntimeError("from the stream")

    def stream() -> Iterator[Init | InitDone]:
        yield Init()
        raise failure

    writer = Writer()
    with pytest.raises(RuntimeError):
        list(reflect(writer, stream()))
    with pytest.raises(WriterDropped) as caught:
        writer.as_reader().wait_until_ready(10)
    assert caught.value.__cause__ is failure


@pytest.mark.parametrize("list_func", [lambda: 1, print], ids=["without arguments", "print"])
def test_a_function_that_cannot_watch_is_refused(list_func: object) -> None:
    with pytest.raises(TypeError, match="watch"):
        Watcher(list_func)


def test_an_argument_that_is_not_set_is_refused(v1: client.CoreV1Api) -> None:
    with pytest.raises(ValueError, match="namespace"):
        Reflector(v1.list_namespaced_pod, None)
