"""A cache that is worked on, and a look whether all of it is as it should be."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from kube_reflect import Apply, Delete, NotReady, ObjectRef, Store
from kube_reflect.conditions import is_created

from tests.support.cache_helpers import feed, listed
from tests.support.follower import Follower, versions
from tests.support.interrupts import Run
from tests.support.objects import pod

__all__ = ["READS", "SNAPSHOTS", "WAITS", "Model", "Scene", "by_app", "by_name", "check_reads",
           "refused"]


class Model:
    """A model in Python, of several statements, that reads like the mapping it is made of."""

    def __init__(self, mapping: dict[str, Any]) -> None:
        self.mapping = dict(mapping)
        self.name = str(mapping["metadata"]["name"])

    def __getitem__(self, key: str) -> Any:
        return self.mapping[key]

    def __eq__(self, other: object) -> bool:
        return self.mapping == getattr(other, "mapping", other)

    __hash__ = None  # type: ignore[assignment]


def by_app(obj: Any) -> list[str]:
    return sorted([obj["metadata"].get("labels", {}).get("app", "none")])


def by_name(obj: Any) -> list[str]:
    return [str(obj["metadata"]["name"])]


def is_a(obj: Any) -> bool:
    return str(obj["metadata"]["name"]) == "a"


def refused(*kinds: type[BaseException]) -> Callable[[Callable[[], Any]], Callable[[], None]]:
    """Run what ends with one of these errors, and let all others through."""
    def wrap(body: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            try:
                body()
            except kinds:
                return
            raise AssertionError("it was not refused")
        return run
    return wrap


Read = Callable[[Any], Any]

#: What a Store and a Snapshot have in common.
SNAPSHOTS: dict[str, Read] = {
    "get by name": lambda s: s.get("a", "ns"),
    "get by ref": lambda s: s.get(ObjectRef("a", "ns")),
    "get what is not there": lambda s: s.get("never", "ns"),
    "state": lambda s: s.state(),
    "state of a namespace": lambda s: s.state(namespace="ns"),
    "state by labels": lambda s: s.state(labels="app in (web, db),!never"),
    "state where": lambda s: s.state(where=is_a),
    "state by all": lambda s: s.state(namespace="ns", labels={"app": "web"}, where=is_a),
    "find": lambda s: s.find(is_a),
    "by_index": lambda s: s.by_index("app", "web"),
    "index_values": lambda s: s.index_values("app"),
    "keys": lambda s: s.keys(),
    "len": lambda s: len(s),
    "in": lambda s: (ObjectRef("a", "ns") in s, "a" in s),
    "iter": lambda s: list(s),
    "is_empty": lambda s: s.is_empty(),
    "resource_version": lambda s: s.resource_version,
    "repr": lambda s: repr(s),
}
READS: dict[str, Read] = {
    **SNAPSHOTS,
    "snapshot": lambda s: s.snapshot().state(namespace="ns"),
    "memory": lambda s: s.memory(),
    "ready": lambda s: s.ready,
}
WAITS: dict[str, Read] = {
    "wait_until_ready": lambda s: s.wait_until_ready(1),
    "wait_until_live": lambda s: refused(NotReady)(lambda: s.wait_until_live(0.001))(),
    "wait_for": lambda s: s.wait_for("a", is_created, 1, namespace="ns"),
    "wait_for in vain": lambda s: refused(TimeoutError)(
        lambda: s.wait_for("never", is_created, 0.001, namespace="ns"))(),
    "wait_for_version": lambda s: s.wait_for_version("50", 1),
    "wait_for_version in vain": lambda s: refused(TimeoutError)(
        lambda: s.wait_for_version("1000000", 0.001))(),
}


class Scene:
    """A writer that has listed, its store, and a subscriber who has taken nothing yet."""

    def __init__(self, model: Any = dict, **settings: Any) -> None:
        self.writer, self.store = listed(
            pod("a", labels={"app": "web"}), pod("b", labels={"app": "db"}), pod("c", "other"),
            model=model, indexers={"app": by_app}, **settings)
        self.numbers = itertools.count(1000)
        self.subscription = self.writer.subscribe()
        self.follower = Follower(self.subscription)
        #: What there must be, if it is known.
        self.snapshot = self.store.snapshot()
        self.before = versions(self.store)
        self.counters = self.writer._cache.counters

    def read(self) -> Scene:
        """Read everything, so that it is decoded."""
        self.store.state()
        self.snapshot.state()
        return self

    def unread(self) -> Scene:
        """Change everything, so that nothing is decoded."""
        for name in "ab":
            self.apply(name)
        self.before = versions(self.snapshot)
        self.snapshot = self.store.snapshot()
        self.counters = self.writer._cache.counters
        return self

    def apply(self, name: str, **more: Any) -> None:
        feed(self.writer, Apply(pod(name, version=str(next(self.numbers)),
                                    labels={"app": "web"}, **more)))

    def drained(self) -> Scene:
        self.follower.drain()
        return self

    def is_whole(self, run: Run) -> None:
        """Look from another thread: it writes, reads in each way, subscribes, asks, and closes."""
        cache = self.writer._cache
        before = cache.counters
        self.apply("z")
        # What was interrupted counts once, or not at all.
        assert cache.counters.events - before.events in (1, 2)
        feed(self.writer, Delete(pod("z", version=str(next(self.numbers)))))
        self.apply("y")
        check_reads(self.store)
        check_reads(self.store.snapshot())
        self.follower.drain()
        assert self.follower.versions() == versions(self.store)
        other = Follower(self.writer.subscribe())
        other.drain()
        assert other.versions() == versions(self.store)
        entries = list(cache.table.entries.values())
        assert cache.counters.bytes_at_rest == sum(len(entry.packed) for entry in entries)
        assert cache.bad_objects.count == 0
        decoded = [entry for entry in entries if entry.decoded is not None]
        assert set(decoded) <= set(cache.decoder._decoded)
        self.writer.close()
        assert self.subscription.get() is None and self.subscription.is_over

    def is_as_before(self, run: Run) -> None:
        """Look, after a read: what there is, is as it was."""
        assert versions(self.store) == versions(self.snapshot)
        assert self.writer._cache.counters == self.counters
        assert not self.writer._cache.waiters._waiting
        self.is_whole(run)


def check_reads(store: Any) -> None:
    """Check that all reads of a store or a snapshot agree, and give no mapping for a model."""
    objects = store.state()
    kinds = {type(one) for one in objects}
    assert len(kinds) == 1, kinds
    expected = versions(objects)
    assert expected == versions(store) == versions(
        one for namespace in ("ns", "other") for one in store.state(namespace=namespace))
    assert {(ref.namespace, ref.name) for ref in store.keys()} == expected.keys()
    assert len(store) == len(expected) and not store.is_empty()
    indexed = [one for value in store.index_values("app") for one in store.by_index("app", value)]
    assert versions(indexed) == expected and len(indexed) == len(expected)
    for namespace, name in expected:
        one = store.get(name, namespace)
        assert one["metadata"]["name"] == name and ObjectRef(name, namespace) in store
    assert versions(store.state(labels="app=web")).keys() <= expected.keys()
    assert store.find(lambda one: one["metadata"]["name"] == "y") is not None
    if isinstance(store, Store):
        assert store.memory().objects == len(expected)
        assert store.ready and store.resource_version
        store.wait_until_ready(0)
        assert store.wait_for("y", is_created, 0, namespace="ns") is not None
