"""Random histories of a cluster, followed by the state machine and the writer, fault by fault.

After each event the store is what the cluster was at the store's resource version, and while a
list is under way it stays as it was. No sockets, no threads and no time, so there can be
thousands of histories.

What no client can find out is that a cluster was restored from a backup and has written past the
versions that the client knows before the client came back. So it comes back before the first
write.
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
    Bookmark, Config, Init, InitDone, InitialListStrategy, WatcherError, Writer,
)
from kube_reflect.watcher import Machine  # noqa: E402

from tests.support.follower import Follower, by_key  # noqa: E402
from tests.support.objects import by_app  # noqa: E402

from ._cluster import Cluster, Key, Source, State  # noqa: E402
from ._settings import histories  # noqa: E402

KEYS = st.sampled_from([("x", "a"), ("x", "b"), ("y", "a"), ("y", "b"), ("y", "c")])
APPS = st.sampled_from(["web", "web", "db"])
REQUEST_FAULTS = st.sampled_from([
    "refused", "cut", "403", "429", "500", "410", "400", "duplicates", "nameless", "versionless"])
LINE_FAULTS = st.sampled_from([
    "cut", "end", "expired", "error", "blank error", "unknown", "versionless", "behind"])
# Items after which a client that has no more faults to meet must be in step.
PATIENCE = 500


class Histories(RuleBasedStateMachine):
    """A cluster, a cache of it, and its subscribers."""

    @initialize(selects=st.booleans(), streams=st.booleans(),
                strategy=st.sampled_from([InitialListStrategy.AUTO,
                                          InitialListStrategy.LIST_WATCH]),
                page_size=st.sampled_from([1, 2, 500]))
    def begin(self, selects: bool, streams: bool, strategy: InitialListStrategy,
              page_size: int) -> None:
        self.cluster = Cluster(selects, streams)
        self.source = Source(self.cluster)
        config = Config(initial_list_strategy=strategy, page_size=page_size,
                        label_selector="app=web" if selects else None)
        self.machine = Machine(self.source, config)
        self.items = self.machine.run()
        self.writer = Writer(model=dict, indexers={"app": by_app})
        self.store = self.writer.as_reader()
        self.followers: list[Follower] = []
        self.version = 0
        #: While a list is under way, what the store held at its begin, and the version of that.
        self.before_list: tuple[State, str | None] | None = None
        #: Whether the cluster was restored from a backup since the client was last in step: then
        #: the store's version may go back.
        self.restored = False
        #: Whether that backup was older than what the client knows: then the client is to find out
        #: before anything is written, since it could not find out after it.
        self.client_is_ahead = False

    # What happens to the cluster.

    @rule(key=KEYS, app=APPS)
    def put(self, key: Key, app: str) -> None:
        self.before_a_write()
        self.cluster.put(key, app)

    @rule(key=KEYS)
    def delete(self, key: Key) -> None:
        self.before_a_write()
        if key in self.cluster.objects:
            self.cluster.remove(key)

    @rule(key=KEYS, app=APPS)
    def make_anew(self, key: Key, app: str) -> None:
        self.before_a_write()
        if key in self.cluster.objects:
            self.cluster.remove(key)
        self.cluster.put(key, app)

    @rule()
    def compact(self) -> None:
        self.before_a_write()
        self.cluster.compact()

    @rule()
    def restart(self) -> None:
        self.cluster.restart()

    @precondition(lambda self: len(self.cluster.past) > 1)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        version = data.draw(st.sampled_from(sorted(self.cluster.past)))
        self.cluster.restore(version)
        self.restored = True
        if int(self.machine.resource_version or "0") > version:
            self.client_is_ahead = True

    def before_a_write(self) -> None:
        if self.client_is_ahead:
            self.come_to_rest()

    # What happens on the way.

    @rule(faults=st.lists(REQUEST_FAULTS, min_size=1, max_size=4))
    def spoil_requests(self, faults: list[str]) -> None:
        self.cluster.request_faults.extend(faults)

    @rule(faults=st.lists(st.tuples(st.integers(0, 4), LINE_FAULTS), min_size=1, max_size=4))
    def spoil_lines(self, faults: list[tuple[int, str]]) -> None:
        self.cluster.line_faults.extend(faults)

    @rule()
    def cut(self) -> None:
        self.cluster.cuts += 1

    # What the client does.

    @rule(count=st.sampled_from([1, 1, 2, 2, 3, 5, 10]))
    def follow(self, count: int) -> None:
        for _ in range(count):
            self.step()

    @precondition(lambda self: len(self.followers) < 4)
    @rule(size=st.sampled_from([1, 2, 1024]), overflow=st.sampled_from(["coalesce", "resync"]))
    def subscribe(self, size: int, overflow: str) -> None:
        self.followers.append(Follower(self.writer.subscribe(buffer_size=size, overflow=overflow)))

    @precondition(lambda self: self.followers)
    @rule(data=st.data())
    def take_changes(self, data: st.DataObject) -> None:
        follower = data.draw(st.sampled_from(self.followers))
        follower.drain()
        assert follower.objects == self.held()

    @rule()
    def come_to_rest(self) -> None:
        """Follow until there is nothing more to hear, and compare."""
        for _ in range(PATIENCE):
            item = self.step()
            if self.before_list is None and item == Bookmark(str(self.cluster.version)):
                break
        else:
            raise AssertionError(f"never in step; {self.machine.state}, {item!r}")
        self.restored = self.client_is_ahead = False
        assert self.held() == self.cluster.view()
        for follower in self.followers:
            follower.drain()
            assert follower.objects == self.held()

    def step(self) -> Any:
        self.source.patience = 20
        item = next(self.items)
        if isinstance(item, WatcherError):
            self.check()
            return item
        self.writer.apply_watcher_event(item)
        if isinstance(item, Init):
            self.before_list = self.held(), self.store.resource_version
        elif isinstance(item, InitDone):
            self.before_list = None
        self.check()
        return item

    def held(self) -> State:
        return by_key(self.store.state())

    def check(self) -> None:
        """Check what holds after every event."""
        snapshot = self.store.snapshot()
        held, version = self.held(), self.store.resource_version
        assert snapshot.resource_version == version
        assert by_key(snapshot.state()) == held
        for reader in self.store, snapshot:
            for app in "web", "db":
                assert by_key(reader.by_index("app", app)) == {
                    key: obj for key, obj in held.items() if by_app(obj) == [app]}
            for namespace in "x", "y":
                assert by_key(reader.state(namespace=namespace)) == {
                    key: obj for key, obj in held.items() if key[0] == namespace}
        if self.before_list is not None:
            assert (held, version) == self.before_list
        if version is not None:
            assert held in self.cluster.views.get(int(version), ())
            assert int(version) >= self.version or self.restored, "the version went back"
            self.version = int(version)

    def teardown(self) -> None:
        if hasattr(self, "cluster"):
            self.cluster.request_faults.clear()
            self.cluster.line_faults.clear()
            self.come_to_rest()
            self.writer.close()


class TestHistories(Histories.TestCase):  # type: ignore[name-defined,misc]
    settings = histories(1.0, steps=30)
