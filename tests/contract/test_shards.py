"""Shards are the whole and disjoint, whoever filters: the server, or the reflector."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from kubernetes import client

from kube_reflect import (
    Apply, Config, Delete, InitApply, InitDone, InitialListStrategy, Reflector, Shard,
)

from ._churn import Churn, disturbances
from ._objects import CONFIG_MAPS, config_map
from ._servers import ContractServer, by_key
from ._waiting import Following, Requests, eventually, names, reflecting
from .conftest import SERVERS

COUNT = 3

# The same tests with and without a server that filters.
SHARDED = [*SERVERS, "fake-sharding", "fake-sharding-without-streaming-lists"]
everywhere = pytest.mark.parametrize("server", SHARDED, indirect=True)


def key_of(obj: Any, by: str) -> str:
    found: str = obj["metadata"][by]
    return found


class Sharded:
    """A reflector for each shard, and whatever came to one that is another's."""

    def __init__(self, list_func: Any, count: int, by: str = "uid", **config: Any) -> None:
        self.strangers: list[Any] = []
        self._stack = ExitStack()
        self.shards = [Shard(index, count, by=by) for index in range(count)]
        self.reflectors: list[Reflector[Any]] = [
            self._stack.enter_context(reflecting(
                list_func, config=Config(shard=shard, **config), model=dict,
                transform=self._looking(shard))) for shard in self.shards]

    def _looking(self, shard: Shard) -> Callable[[Any], Any]:
        def look(obj: Any) -> Any:
            if not shard.owns(key_of(obj, shard.by)):
                self.strangers.append(obj)
            return obj
        return look

    def __enter__(self) -> Sharded:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def objects(self) -> dict[Any, Any]:
        """All that they have, by name."""
        return by_key([one for reflector in self.reflectors for one in reflector.store.state()])

    def has(self, expected: dict[Any, Any]) -> bool:
        """Whether all together have just that, each object once."""
        return (self.objects() == expected
                and sum(len(one.store) for one in self.reflectors) == len(expected))


@everywhere
@pytest.mark.slow
@pytest.mark.parametrize("by", ["uid", "namespace"])
@pytest.mark.parametrize(
    "strategy", [InitialListStrategy.AUTO, InitialListStrategy.LIST_WATCH])
def test_they_are_the_whole_and_disjoint_under_churn(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, by: str,
    strategy: InitialListStrategy,
) -> None:
    every = f"of={namespace}"
    draw, disturb = random.Random(by), disturbances(server)
    with ExitStack() as stack:
        namespaces = [namespace, *(stack.enter_context(server.namespace()) for _ in range(3))]
        churn = Churn(server, namespaces, 7)
        for _ in range(30):
            churn.step()
        sharded = stack.enter_context(Sharded(
            v1.list_config_map_for_all_namespaces, COUNT, by, label_selector=every, page_size=3,
            initial_list_strategy=strategy))
        told = [stack.enter_context(Following(
                    v1.list_config_map_for_all_namespaces, config=Config(
                        label_selector=every, shard=shard, page_size=3,
                        initial_list_strategy=strategy)))
                for shard in sharded.shards]
        for _ in range(120):
            churn.step()
            if disturb and draw.random() < 0.03:
                draw.choice(disturb)()
        last = [server.create(config_map(f"last-{number}", where, "", {"of": namespace}))
                for where in namespaces for number in range(5)]
        expected = server.objects(CONFIG_MAPS, labelSelector=every)
        assert eventually(lambda: sharded.has(expected))
        assert not sharded.strangers
        # Events, deletions too, are those of the shard's own objects.
        for shard, one in zip(sharded.shards, told):
            final = [obj for obj in last if shard.owns(key_of(obj, by))]
            items = one.until(lambda item: not final or isinstance(item, (Apply, InitApply))
                              and item.object == final[-1])
            assert all(shard.owns(key_of(item.object, by)) for item in items
                       if isinstance(item, (Apply, Delete, InitApply)))


@everywhere
def test_who_filters_is_said(server: ContractServer, namespace: str, v1: client.CoreV1Api,
                             asked: Requests) -> None:
    # So many that chance leaves no shard with too few to tell by.
    for number in range(140):
        server.create(config_map(f"c{number}", namespace))
    with reflecting(v1.list_namespaced_config_map, namespace,
                    config=Config(shard=Shard(1, 2))) as r:
        assert 35 < len(r.store) < 105
        assert r.status.shard == "1/2"
        assert r.status.filtered_by == ("server" if server.has_shards() else "client")
    assert all(query["shardSelector"] == Shard(1, 2).selector
               for query in asked.initial() + asked.watches())


@everywhere
def test_the_version_goes_on_with_the_objects_of_others(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    with Sharded(v1.list_config_map_for_all_namespaces, 2, "namespace",
                 label_selector=f"of={namespace}") as sharded:
        made = server.create(config_map("a", namespace, "1", {"of": namespace}))
        version = made["metadata"]["resourceVersion"]
        for reflector in sharded.reflectors:
            reflector.store.wait_for_version(version, timeout=90)
        assert sharded.has(by_key([made]))
        [other] = [one for one in sharded.reflectors if not len(one.store)]
        assert other.store.get("a", namespace) is None and not other.status.relists


@everywhere
def test_a_name_that_goes_from_one_shard_to_another(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    shards = Sharded(v1.list_config_map_for_all_namespaces, 2, label_selector=f"of={namespace}")
    owners = set()
    with shards as sharded:
        while len(owners) < 2:
            made = server.create(config_map("a", namespace, "1", {"of": namespace}))
            [owner] = [index for index, shard in enumerate(sharded.shards)
                       if shard.owns(made["metadata"]["uid"])]
            owners.add(owner)
            assert eventually(lambda: sharded.has(by_key([made])))
            assert names(sharded.reflectors[owner].store) == {"a"}
            server.delete(CONFIG_MAPS, "a", namespace)
        assert eventually(lambda: sharded.has({}))


@contextmanager
def churning(server: ContractServer, namespace: str) -> Iterator[None]:
    """Write all the while; at the end it rests."""
    ended = threading.Event()

    def write() -> None:
        churn = Churn(server, [namespace], 3)
        while not ended.is_set():
            churn.step()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@everywhere
@pytest.mark.parametrize(("before", "after"), [(2, 3), (3, 2), (2, 4)])
def test_another_count_without_a_gap(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, before: int, after: int
) -> None:
    """First those of the new count, then an end with the old: nothing is without an owner."""
    selector = f"of={namespace}"
    list_func = v1.list_config_map_for_all_namespaces
    steady = by_key([server.create(config_map(f"s{number}", namespace, "", {"of": namespace}))
                     for number in range(20)])
    with ExitStack() as stack:
        old = stack.enter_context(Sharded(list_func, before, label_selector=selector))
        with churning(server, namespace):
            new = stack.enter_context(Sharded(list_func, after, label_selector=selector))
            # All are ready; and what was there all the time is with both.
            assert steady.items() <= old.objects().items()
            assert steady.items() <= new.objects().items()
            old.__exit__()
            assert steady.items() <= new.objects().items()
        expected = server.objects(CONFIG_MAPS, labelSelector=selector)
        assert eventually(lambda: new.has(expected))
        assert not old.strangers and not new.strangers


@everywhere
def test_a_watcher_of_a_shard_begins_with_its_own(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    for number in range(20):
        server.create(config_map(f"c{number}", namespace))
    found: list[str] = []
    for index in range(COUNT):
        with Following(v1.list_namespaced_config_map, namespace,
                       config=Config(shard=Shard(index, COUNT), page_size=4)) as following:
            items = following.until(lambda item: isinstance(item, InitDone))
            found += [item.object["metadata"]["name"] for item in items
                      if isinstance(item, InitApply)]
    assert sorted(found) == sorted(one["metadata"]["name"] for one in server.objects(
        CONFIG_MAPS, namespace).values())
