"""What was there before this start, or before the first list: readable or not, and never ready."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import pytest
from kubernetes import client

from kube_reflect import Backoff, NotReady, Phase, Reflector, Writer, WriterDropped
from kube_reflect.conditions import is_created
from kube_reflect.testing import FakeApiServer

from tests.support.cache_helpers import names, relist, running
from tests.support.objects import new_pod as pod
from tests.support.reflector_helpers import server, v1
from tests.support.waiting import DEADLINE, wait_until

__all__ = ["server", "v1"]


def of(v1: client.CoreV1Api, **settings: Any) -> Reflector[Any]:
    return Reflector(v1.list_namespaced_pod, "ns", model=dict,
                     backoff=Backoff(initial=0.01, maximum=0.05), **settings)


def test_started_again_it_is_ready_when_its_own_list_is_complete(
        server: FakeApiServer, v1: client.CoreV1Api) -> None:
    """A lease was lost, and won again; meanwhile a went, and z came, and LIST is forbidden."""
    told: list[tuple[str, str]] = []
    reflector = of(v1)
    reflector.add_handler(on_add=lambda new: told.append(("add", new["metadata"]["name"])),
                          on_delete=lambda old: told.append(("delete", old["metadata"]["name"])))
    with reflector:
        reflector.store.wait_until_ready(DEADLINE)
        wait_until(lambda: len(told) == 2)
    contact = reflector.status.last_contact
    told.clear()
    server.delete("pods", "a", "ns")
    server.create(pod("z"))
    server.forbid("pods")
    with reflector:
        wait_until(lambda: reflector.status.code == 403)
        before = time.time()
        status, store = reflector.status, reflector.store
        after = time.time()
        with pytest.raises(NotReady, match="403"):
            store.wait_until_ready(0.1)
        with pytest.raises(NotReady, match="403"):
            store.wait_for("a", is_created, 0.1, namespace="ns")
        assert not status.ready and not store.ready and not status.live
        # What is there may be read, and it says how old it is.
        assert names(store) == ["a", "b"] and store.get("a", "ns") is not None
        assert contact is not None and status.last_contact == pytest.approx(contact, abs=0.2)
        assert status.staleness is not None
        assert before - contact - 0.2 <= status.staleness <= after - contact + 0.2
        assert not told
        server.allow()
        store.wait_until_ready(DEADLINE)
        assert names(store) == ["b", "z"]
        assert store.wait_for("z", is_created, 0, namespace="ns") is not None
        # Of what has changed meanwhile, and of nothing anew.
        wait_until(lambda: len(told) == 2)
        assert sorted(told) == [("add", "z"), ("delete", "a")]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")
def test_as_after_a_fork_it_is_ready_when_its_own_list_is_complete(
        server: FakeApiServer, v1: client.CoreV1Api) -> None:
    with of(v1) as reflector:
        reflector.store.wait_until_ready(DEADLINE)
        wait_until(lambda: reflector.status.live)
        server.forbid("pods")
        before = reflector.status.last_contact
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                store, status = reflector.store, reflector.status
                try:
                    store.wait_until_ready(0.5)
                except NotReady:
                    said = [status.ready, store.ready, len(store.state()),
                            status.last_contact is not None and before is not None
                            and abs(status.last_contact - before) < 2]
                    os.write(write, repr(said).encode())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        os.close(write)
        with os.fdopen(read) as said_by_child:
            assert said_by_child.read() == "[False, False, 2, True]"
        assert reflector.status.ready


READS: dict[str, Any] = {
    "get": lambda store: store.get("a", "ns"), "state": lambda store: store.state(),
    "find": lambda store: store.find(lambda obj: True), "keys": lambda store: store.keys(),
    "iter": lambda store: list(store), "snapshot": lambda store: store.snapshot().state(),
}
NEVER_WAIT: dict[str, Any] = {
    "len": len, "in": lambda store: "a" in store, "ready": lambda store: store.ready,
    "is_empty": lambda store: store.is_empty(),
    "resource_version": lambda store: store.resource_version,
}


@pytest.mark.parametrize("name", READS)
def test_a_read_waits_for_the_first_list(
        server: FakeApiServer, v1: client.CoreV1Api, name: str) -> None:
    server.forbid("pods")
    found: list[Any] = []
    with of(v1) as reflector:
        wait_until(lambda: reflector.status.code == 403)
        with running(lambda: found.append(READS[name](reflector.store))):
            for read in NEVER_WAIT.values():
                assert not read(reflector.store) or read is NEVER_WAIT["is_empty"]
            wait_until(lambda: reflector.store._cache.waiters._waiting)
            assert not found
            server.allow()
        assert found and found[0]


@pytest.mark.parametrize("name", READS)
def test_a_read_that_waits_in_vain_says_why(
        server: FakeApiServer, v1: client.CoreV1Api, name: str) -> None:
    server.forbid("pods")
    with of(v1, ready_timeout=0.05) as reflector:
        wait_until(lambda: reflector.status.code == 403)
        with pytest.raises(NotReady, match="403") as caught:
            READS[name](reflector.store)
        assert getattr(caught.value.__cause__, "code", None) == 403
    # Nothing is on its way now.
    began = time.monotonic()
    with pytest.raises((NotReady, WriterDropped)):
        READS[name](reflector.store)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("name", READS)
def test_a_read_may_raise_or_find_nothing(
        server: FakeApiServer, v1: client.CoreV1Api, name: str) -> None:
    server.forbid("pods")
    with of(v1, when_not_ready="raise") as raising, of(v1, when_not_ready="empty") as empty:
        with pytest.raises(NotReady):
            READS[name](raising.store)
        assert not READS[name](empty.store)
    assert not READS[name](Writer().as_reader())


def test_it_can_be_waited_for_until_it_is_live(
        server: FakeApiServer, v1: client.CoreV1Api) -> None:
    with of(v1) as reflector:
        reflector.store.wait_until_live(DEADLINE)
        assert reflector.status.live and reflector.store.ready
    writer = Writer()
    relist(writer)
    with pytest.raises(NotReady, match="not live"):
        writer.as_reader().wait_until_live(0.01)


def test_what_is_chosen_for_reads_is_checked(v1: client.CoreV1Api) -> None:
    with pytest.raises(ValueError, match="when_not_ready"):
        of(v1, when_not_ready="perhaps")
    with pytest.raises(ValueError, match="ready_timeout"):
        of(v1, ready_timeout=-1)


def test_a_thread_that_begins_when_another_has_its_place_says_nothing(
        server: FakeApiServer, v1: client.CoreV1Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the start of the first one was interrupted, and its thread is slow to begin."""
    late: list[threading.Thread] = []

    def interrupted(thread: threading.Thread) -> None:
        late.append(thread)
        raise KeyboardInterrupt

    reflector = of(v1)
    with monkeypatch.context() as patched:
        patched.setattr("kube_reflect.reflector.runner.start_thread", interrupted)
        with pytest.raises(KeyboardInterrupt):
            reflector.start()
    with reflector:
        reflector.store.wait_until_live(DEADLINE)
        late[0].start()
        late[0].join(DEADLINE)
        assert not late[0].is_alive()
        assert reflector.status.phase is Phase.WATCHING and reflector.status.live
