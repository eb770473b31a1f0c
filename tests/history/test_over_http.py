"""Random histories over real connections: fewer of them, with threads that read all the time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("hypothesis", reason="histories need hypothesis, of the extra [dev]")

from hypothesis import strategies as st  # noqa: E402
from hypothesis.stateful import (  # noqa: E402
    RuleBasedStateMachine, initialize, precondition, rule,
)
from kubernetes import client  # noqa: E402

from kube_reflect import Backoff, Config, InitialListStrategy, Reflector  # noqa: E402
from kube_reflect.testing import FaultServer, faults  # noqa: E402

from tests.support.follower import Follower  # noqa: E402
from tests.support.objects import by_app  # noqa: E402
from tests.support.waiting import wait_until  # noqa: E402
from ._settings import histories  # noqa: E402

NAMES = st.sampled_from("abcde")
APPS = st.sampled_from(["web", "web", "db"])
FAULTS: dict[str, Callable[[], Any]] = {
    "reset": faults.Reset, "hang up": faults.HangUp, "500": lambda: faults.Status(500),
    "403": lambda: faults.Status(403), "410": lambda: faults.Status(410),
    "429": lambda: faults.Status(429, retry_after=0), "html": faults.Html,
    "half a line": lambda: faults.HalfLine(then="close"), "at once": faults.EndAtOnce,
    "silence": faults.Silent, "only headers": faults.HeadersOnly,
    "garbage": lambda: faults.Lines(faults.TRUNCATED),
    "a null": lambda: faults.Lines(faults.NULL),
    "expired": lambda: faults.ErrorEvent(410),
}


def versions(objects: Any) -> dict[str, str]:
    return {obj["metadata"]["name"]: obj["metadata"]["resourceVersion"] for obj in objects}


class Observer:
    """A thread that reads all the time; what it saw is compared with what there was later."""

    def __init__(self, reflector: Reflector) -> None:
        self._store = reflector.store
        self._stop = threading.Event()
        self.seen: list[tuple[int, dict[str, str]]] = []
        self.errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, name="observer")
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stop.wait(0.001):
                self._look()
        except BaseException as error:
            self.errors.append(error)

    def _look(self) -> None:
        snapshot = self._store.snapshot()
        objects = snapshot.state()
        for app in "web", "db":
            assert versions(snapshot.by_index("app", app)) == versions(
                obj for obj in objects if by_app(obj) == [app])
        if snapshot.resource_version is not None:
            seen = int(snapshot.resource_version), versions(objects)
            if not self.seen or self.seen[-1] != seen:
                self.seen.append(seen)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


class Histories(RuleBasedStateMachine):
    """A server, a reflector of it, its subscribers, and a reader."""

    @initialize(selects=st.booleans(), streams=st.booleans(),
                page_size=st.sampled_from([1, 2, 500]),
                strategy=st.sampled_from([InitialListStrategy.AUTO,
                                          InitialListStrategy.LIST_WATCH]))
    def begin(self, selects: bool, streams: bool, page_size: int,
              strategy: InitialListStrategy) -> None:
        self.selects = selects
        self.server = FaultServer(streaming_list=streams, bookmark_interval=0.03).start()
        self.views: dict[int, list[dict[str, str]]] = {}
        self.there: set[str] = set()
        self.past: dict[int, set[str]] = {}
        self.remember()
        config = Config(initial_list_strategy=strategy, page_size=page_size, idle_timeout=0.3,
                        label_selector="app=web" if selects else None)
        self.reflector = Reflector(
            client.CoreV1Api(self.server.api_client()).list_namespaced_pod, "ns", config=config,
            backoff=Backoff(initial=0.01, maximum=0.05), model=dict, indexers={"app": by_app},
        ).start()
        self.observer = Observer(self.reflector)
        self.followers: list[Follower] = []
        self.verified = 0
        self.restored = False
        #: Whether that was since the client was last in step: then the store's version may go
        #: back, and the client is to find out before anything is written.
        self.client_is_ahead = False

    def remember(self) -> None:
        version = int(self.server.resource_version)
        self.past[version] = set(self.there)
        self.views.setdefault(version, []).append(versions(self.expected()))

    def expected(self) -> list[Any]:
        return [obj for obj in self.server.objects("Pod", "ns")
                if not self.selects or by_app(obj) == ["web"]]

    def before_a_write(self) -> None:
        if self.client_is_ahead:
            # No client can tell a history that has gone on past what it knows from its own.
            self.come_to_rest()

    def write(self, name: str, app: str | None) -> None:
        self.before_a_write()
        if app is None:
            self.server.delete("Pod", name, "ns")
            self.there.discard(name)
        else:
            pod = {"apiVersion": "v1", "kind": "Pod",
                   "metadata": {"name": name, "namespace": "ns", "labels": {"app": app}}}
            (self.server.update if name in self.there else self.server.create)(pod)
            self.there.add(name)
        self.remember()

    @rule(name=NAMES, app=APPS)
    def put(self, name: str, app: str) -> None:
        self.write(name, app)

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        if name in self.there:
            self.write(name, None)

    @rule(name=NAMES, app=APPS)
    def make_anew(self, name: str, app: str) -> None:
        if name in self.there:
            self.write(name, None)
        self.write(name, app)

    @rule()
    def compact(self) -> None:
        self.before_a_write()
        self.server.compact()
        self.past.clear()
        self.remember()

    @rule()
    def disconnect(self) -> None:
        self.server.disconnect()

    @rule()
    def restart(self) -> None:
        self.server.restart()
        self.past = {int(self.server.resource_version): set(self.there)}

    @precondition(lambda self: not self.restored and len(self.past) > 1)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        version = data.draw(st.sampled_from(sorted(self.past)))
        self.server.restore(str(version))
        self.there = set(self.past[version])
        self.past = {known: there for known, there in self.past.items() if known <= version}
        # Once in each history: it takes a client its time to find out.
        self.restored = self.client_is_ahead = True

    @rule(fault=st.sampled_from(sorted(FAULTS)), times=st.integers(1, 3),
          verb=st.sampled_from([None, "list", "watch"]), cut=st.booleans())
    def spoil(self, fault: str, times: int, verb: str | None, cut: bool) -> None:
        self.server.fault(FAULTS[fault](), when=verb, times=times)
        if cut:
            self.server.disconnect()

    @rule()
    def freeze(self) -> None:
        self.server.freeze("watch", half_line=True)

    @precondition(lambda self: len(self.followers) < 3)
    @rule(size=st.sampled_from([1, 2, 1024]), overflow=st.sampled_from(["coalesce", "resync"]))
    def subscribe(self, size: int, overflow: str) -> None:
        subscription = self.reflector.subscribe(buffer_size=size, overflow=overflow)
        self.followers.append(Follower(subscription))

    @precondition(lambda self: self.followers)
    @rule(data=st.data())
    def take_changes(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.followers)).drain()

    @rule()
    def come_to_rest(self) -> None:
        """Let all faults end; then the store is the server, and subscribers know the store."""
        self.server.heal()
        expected = versions(self.expected())
        version = self.server.resource_version
        store = self.reflector.store
        wait_until(lambda: store.resource_version == version
                   and versions(store.state()) == expected and self.reflector.status.live,
                   "in step with the server")
        assert {obj["metadata"]["uid"] for obj in store.state()} == {
            obj["metadata"]["uid"] for obj in self.expected()}
        for follower in self.followers:
            # What is in the store was told to the subscribers before the bookmark after it.
            follower.drain()
            wait_until(lambda: follower.drain() or versions(follower.objects.values()) == expected)
        self.check_observed()
        self.client_is_ahead = False

    def check_observed(self) -> None:
        """Everything that was ever read was there at that version, which never went back."""
        assert not self.observer.errors, self.observer.errors
        count = len(self.observer.seen)
        seen = self.observer.seen[self.verified:count]
        for version, objects in seen:
            assert objects in self.views[version], (version, objects)
        if not self.client_is_ahead:
            assert [version for version, _ in seen] == sorted(version for version, _ in seen)
        self.verified = count

    def teardown(self) -> None:
        if not hasattr(self, "observer"):
            return
        try:
            self.come_to_rest()
        finally:
            self.observer.close()
            self.reflector.close()
            self.server.close()
        assert not self.reflector.status.thread_alive


class TestHistories(Histories.TestCase):  # type: ignore[name-defined,misc]
    # A tenth of all, for it takes a thousand times as long.
    settings = histories(0.1, steps=15)


pytestmark = pytest.mark.timeout(3600)
