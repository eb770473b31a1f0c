"""Random histories of several namespaces in one store, each with a watch, and faults, of its own.

Each namespace in the store is what it was at the version up to which its watch has come, the
store's version is the lowest of these, and it is ready when all have been listed.
"""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("hypothesis", reason="histories need hypothesis, of the extra [dev]")

from hypothesis import strategies as st  # noqa: E402
from hypothesis.stateful import (  # noqa: E402
    RuleBasedStateMachine, initialize, precondition, rule,
)

from kube_reflect import (  # noqa: E402
    Apply, Bookmark, Config, Delete, Init, InitDone, InitialListStrategy, WatcherError,
)
from kube_reflect.dispatcher import Subscription  # noqa: E402
from kube_reflect.store import Cache, NamespaceWriter, Store, StoreOptions  # noqa: E402
from kube_reflect.store.writing import Forgotten  # noqa: E402
from kube_reflect.watcher import Machine  # noqa: E402

from tests.support.follower import Follower, by_key  # noqa: E402
from tests.support.objects import by_app  # noqa: E402

from ._cluster import Cluster, Key, Source, State  # noqa: E402
from ._settings import histories  # noqa: E402

SPACES = ("x", "y", "z")
KEYS = st.tuples(st.sampled_from(SPACES), st.sampled_from("ab"))
APPS = st.sampled_from(["web", "web", "db"])
REQUEST_FAULTS = st.sampled_from(["refused", "cut", "403", "500", "410", "duplicates", "nameless"])
LINE_FAULTS = st.sampled_from(["cut", "end", "expired", "error", "unknown", "versionless"])
PATIENCE = 500


def within(namespace: str, objects: State) -> State:
    return {key: obj for key, obj in objects.items() if key[0] == namespace}


class Part:
    """One namespace of a cluster, for those who ask for no other."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)

    def is_selected(self, obj: dict[str, Any] | None) -> bool:
        return (obj is not None and obj["metadata"]["namespace"] == self._namespace
                and self._cluster.is_selected(obj))

    def view(self, objects: State | None = None) -> State:
        return within(self._namespace, self._cluster.view(objects))


class Watched:
    """A namespace as it is watched: where its events come from, and where they go."""

    def __init__(self, cluster: Cluster, cache: Cache, namespace: str, config: Config) -> None:
        self.source = Source(Part(cluster, namespace))  # type: ignore[arg-type]
        self.items = Machine(self.source, config).run()
        self.writer = NamespaceWriter(cache, namespace)
        self.listing = False
        self.listed = False

    def step(self) -> Any:
        self.source.patience = 20
        item = next(self.items)
        if not isinstance(item, WatcherError):
            self.writer.apply(item)
        if isinstance(item, Init):
            self.listing = True
        elif isinstance(item, InitDone):
            self.listing, self.listed = False, True
        return item


class Histories(RuleBasedStateMachine):
    """A cluster, a cache of some of its namespaces, and the cache's subscribers."""

    @initialize(selects=st.booleans(), streams=st.booleans(),
                page_size=st.sampled_from([1, 2, 500]))
    def begin(self, selects: bool, streams: bool, page_size: int) -> None:
        self.cluster = Cluster(selects, streams)
        self.config = Config(page_size=page_size, initial_list_strategy=InitialListStrategy.AUTO,
                             label_selector="app=web" if selects else None)
        self.cache = Cache(None, StoreOptions(indexers={"app": by_app}))
        self.store: Store[Any] = Store(self.cache)
        self.watched: dict[str, Watched] = {}
        self.followers: list[Follower] = []
        for namespace in "xy":
            self.toggle(namespace)

    # What happens to the cluster, and on the way.

    @rule(key=KEYS, app=APPS, anew=st.booleans())
    def put(self, key: Key, app: str, anew: bool) -> None:
        if anew:
            self.delete(key)
        self.cluster.put(key, app)

    @rule(key=KEYS)
    def delete(self, key: Key) -> None:
        if key in self.cluster.objects:
            self.cluster.remove(key)

    @rule()
    def compact(self) -> None:
        self.cluster.compact()

    @rule()
    def restart(self) -> None:
        self.cluster.restart()

    @rule(requests=st.lists(REQUEST_FAULTS, max_size=3),
          lines=st.lists(st.tuples(st.integers(0, 4), LINE_FAULTS), max_size=3))
    def spoil(self, requests: list[str], lines: list[tuple[int, str]]) -> None:
        self.cluster.request_faults.extend(requests)
        self.cluster.line_faults.extend(lines)

    # What the client does.

    @rule(namespace=st.sampled_from(SPACES))
    def toggle(self, namespace: str) -> None:
        """Begin to watch a namespace, or cease to."""
        if namespace in self.watched:
            writer = self.watched.pop(namespace).writer
            writer.remove()
            # A thread that has not ended yet brings nothing back.
            late = {"apiVersion": "v1", "kind": "Pod", "metadata": {
                "name": "late", "namespace": namespace, "labels": {"app": "web"}}}
            for event in Apply(late), Delete(late), Bookmark("1"):
                with pytest.raises(Forgotten):
                    writer.apply(event)
        else:
            self.watched[namespace] = Watched(self.cluster, self.cache, namespace, self.config)
        self.check()

    @precondition(lambda self: self.watched)
    @rule(data=st.data(), count=st.sampled_from([1, 2, 3, 5, 10]))
    def follow(self, data: st.DataObject, count: int) -> None:
        watched = self.watched[data.draw(st.sampled_from(sorted(self.watched)))]
        for _ in range(count):
            watched.step()
            self.check()

    @precondition(lambda self: len(self.followers) < 4)
    @rule(size=st.sampled_from([1, 2, 1024]), overflow=st.sampled_from(["coalesce", "resync"]))
    def subscribe(self, size: int, overflow: str) -> None:
        self.followers.append(Follower(Subscription(self.cache, self.store, buffer_size=size,
                                                    overflow=overflow)))

    @rule()
    def take_changes(self) -> None:
        for follower in self.followers:
            follower.drain()
            assert follower.objects == by_key(self.store.state())

    @rule()
    def come_to_rest(self) -> None:
        """Follow all until there is nothing more to hear, and compare."""
        for watched in self.watched.values():
            for _ in range(PATIENCE):
                item = watched.step()
                self.check()
                if not watched.listing and item == Bookmark(str(self.cluster.version)):
                    break
            else:
                raise AssertionError(f"never in step; {item!r}")
        assert by_key(self.store.state()) == {
            key: obj for key, obj in self.cluster.view().items() if key[0] in self.watched}
        if self.watched:
            assert self.store.ready and self.store.resource_version == str(self.cluster.version)
        self.take_changes()

    def check(self) -> None:
        """Check what holds after every event."""
        snapshot, versions = self.store.snapshot(), self.cache.versions
        held = by_key(snapshot.state())
        for namespace in SPACES:
            there = within(namespace, held)
            assert by_key(snapshot.state(namespace=namespace)) == there
            watched = self.watched.get(namespace)
            if watched is None or not watched.listed:
                assert there == {}
            else:
                assert there in [within(namespace, view)
                                 for view in self.cluster.views[int(versions[namespace])]]
        for app in "web", "db":
            assert by_key(snapshot.by_index("app", app)) == {
                key: obj for key, obj in held.items() if by_app(obj) == [app]}
        listed = {namespace for namespace, one in self.watched.items() if one.listed}
        assert versions.keys() == listed
        if listed:
            assert snapshot.resource_version == str(min(map(int, versions.values())))
        if self.watched:
            assert self.store.ready == (listed == self.watched.keys())

    def teardown(self) -> None:
        if hasattr(self, "cluster"):
            self.cluster.request_faults.clear()
            self.cluster.line_faults.clear()
            self.come_to_rest()
            self.cache.end()


class TestHistories(Histories.TestCase):  # type: ignore[name-defined,misc]
    settings = histories(0.5, steps=30)
