"""Replay and changes together are the store, whenever one subscribes and however slow one is."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from kubernetes import client

from kube_reflect import Applied, Config, Deleted, Phase, Reflector, Resync, Status

from tests.support.follower import Follower

from ._churn import Churn, disturbances, put
from ._objects import CONFIG_MAPS
from ._servers import ContractServer, by_key
from ._subscribers import Subscriber, take
from ._waiting import DEADLINE, eventually, reflecting

OVERFLOWS = ["coalesce", "block", "resync"]


@contextmanager
def reflected(v1: client.CoreV1Api, namespace: str) -> Iterator[Reflector]:
    with reflecting(v1.list_namespaced_config_map, namespace, model=dict,
                    config=Config(label_selector="ours")) as r:
        yield r


def change(server: ContractServer, namespace: str, name: str, value: str) -> dict[str, Any]:
    return server.patch(CONFIG_MAPS, name, namespace, {"data": {"value": value}})


def wait_for(r: Reflector, *written: dict[str, Any]) -> None:
    """Wait until the store has heard of a write."""
    for one in written:
        r.store.wait_for_version(one["metadata"]["resourceVersion"], DEADLINE)


@pytest.mark.parametrize("overflow", OVERFLOWS)
def test_replay_and_changes_are_the_store_after_a_churn(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, overflow: str
) -> None:
    draw, disturb = random.Random(overflow), disturbances(server)
    config = Config(label_selector=f"of={namespace}", page_size=3)
    with server.namespace() as other, ExitStack() as stack, \
            reflecting(v1.list_config_map_for_all_namespaces, config=config, model=dict) as r:
        subscribers: list[Subscriber] = []
        # One who never takes before the end would, by blocking, keep the store from it.
        sleepers: list[Follower] = []
        churn = Churn(server, [namespace, other], seed=1)
        for step in range(60):
            if step in (0, 20, 40):
                size = draw.choice((1, 3, 1024))
                subscribers.append(stack.enter_context(
                    Subscriber(r.subscribe(buffer_size=size, overflow=overflow))))
                if overflow != "block":
                    sleepers.append(Follower(r.subscribe(buffer_size=size, overflow=overflow)))
            churn.step()
            if disturb and draw.random() < 0.05:
                draw.choice(disturb)()
        expected = server.objects(CONFIG_MAPS, labelSelector=f"of={namespace}")
        assert expected and eventually(lambda: by_key(r.store.state()) == expected)
        for subscriber in subscribers:
            assert eventually(lambda: subscriber.known == expected)
        r.close()
        for subscriber in subscribers:
            subscriber.join()
            assert not subscriber.wrong
        for sleeper in sleepers:
            sleeper.drain()
            assert sleeper.objects == expected and sleeper.subscription.is_over


def test_before_the_start_nothing_is_told_and_then_everything(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    put(server, namespace, "a", "1")
    r = Reflector(v1.list_namespaced_config_map, namespace, model=dict,
                  config=Config(label_selector="ours"))
    with r.subscribe() as subscription:
        with pytest.raises(TimeoutError):
            subscription.get(timeout=0)
        with r:
            assert take(subscription, 1) == [(Applied, "a", "1", None)]
            put(server, namespace, "b", "1")
            assert take(subscription, 1) == [(Applied, "b", "1", None)]
        assert subscription.get(DEADLINE) is None


def test_who_blocks_hears_of_every_state(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    put(server, namespace, "a", "0")
    with reflected(v1, namespace) as r, r.subscribe(buffer_size=1, overflow="block") as slow:
        for number in range(1, 6):
            change(server, namespace, "a", str(number))
        server.delete(CONFIG_MAPS, "a", namespace)
        assert take(slow, 7) == [
            (Applied, "a", "0", None),
            *((Applied, "a", str(number), str(number - 1)) for number in range(1, 6)),
            (Deleted, "a", "5", False)]
        assert eventually(r.store.is_empty)


def test_who_coalesces_hears_of_the_newest_state_and_of_every_deletion(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    for name in ("a", "b"):
        put(server, namespace, name, "0")
    with reflected(v1, namespace) as r, r.subscribe(buffer_size=1) as slow:
        assert {name for _, name, *_ in take(slow, 2)} == {"a", "b"}
        for number in range(1, 6):
            last = change(server, namespace, "a", str(number))
        server.delete(CONFIG_MAPS, "b", namespace)
        wait_for(r, last, put(server, namespace, "c", "1"))
        assert sorted(take(slow, 3), key=lambda one: one[1]) == [
            (Applied, "a", "5", "0"), (Deleted, "b", "0", False), (Applied, "c", "1", None)]
        with pytest.raises(TimeoutError):
            slow.get(timeout=0)


def test_who_resyncs_begins_anew(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    put(server, namespace, "a", "0")
    with reflected(v1, namespace) as r, \
            r.subscribe(buffer_size=2, overflow="resync") as slow:
        assert take(slow, 1) == [(Applied, "a", "0", None)]
        server.delete(CONFIG_MAPS, "a", namespace)
        wait_for(r, *(put(server, namespace, name, "1") for name in "bcd"))
        assert take(slow, 1) == [(Resync,)]
        assert sorted(take(slow, 3), key=lambda one: one[1]) == [
            (Applied, name, "1", None) for name in "bcd"]
        change(server, namespace, "b", "2")
        assert take(slow, 1) == [(Applied, "b", "2", "1")]


@pytest.mark.parametrize("overflow", OVERFLOWS)
def test_deleted_and_made_anew_is_two_objects(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, overflow: str
) -> None:
    put(server, namespace, "a", "old")
    with reflected(v1, namespace) as r, r.subscribe(overflow=overflow) as subscription:
        assert take(subscription, 1) == [(Applied, "a", "old", None)]
        server.delete(CONFIG_MAPS, "a", namespace)
        wait_for(r, put(server, namespace, "a", "new"))
        assert take(subscription, 2) == [
            (Deleted, "a", "old", False), (Applied, "a", "new", None)]


def test_what_went_while_nobody_watched_is_told_by_the_relist(
    disposable: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    server, held, go = disposable, threading.Event(), threading.Event()

    def hold(status: Status) -> None:
        # On the reflector's own thread, so that it does not come back before its time.
        if status.phase is Phase.BACKING_OFF:
            held.set()
            go.wait(DEADLINE)

    for name in ("gone", "anew", "kept"):
        put(server, namespace, name, "1")
    with reflected(v1, namespace) as r, r.subscribe() as subscription:
        assert len(take(subscription, 3)) == 3
        r.on_phase(hold)
        try:
            server.expire_watches()
            assert held.wait(DEADLINE)
            for name in ("gone", "anew"):
                server.delete(CONFIG_MAPS, name, namespace)
            put(server, namespace, "anew", "2")
        finally:
            go.set()
        told = take(subscription, 3)
        assert sorted(one for one in told if one[1] == "gone") == [(Deleted, "gone", "1", True)]
        assert [one for one in told if one[1] == "anew"] == [
            (Deleted, "anew", "1", True), (Applied, "anew", "2", None)]
        change(server, namespace, "kept", "2")
        assert take(subscription, 1) == [(Applied, "kept", "2", "1")]
        assert r.status.relists >= 1


def test_only_the_objects(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    put(server, namespace, "a", "1")
    with reflected(v1, namespace) as r, r.subscribe() as subscription:
        objects = subscription.objects()
        assert next(objects) == r.store.get("a", namespace)
        server.delete(CONFIG_MAPS, "a", namespace)
        written = put(server, namespace, "b", "1")
        assert next(objects) == written
        r.close()
        assert list(objects) == []
