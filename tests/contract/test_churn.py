"""After any history, the store and the server agree to the last byte."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from kubernetes import client

from kube_reflect import (
    Apply, Config, Delete, Init, InitApply, InitDone, InitialListStrategy, Store,
)

from ._churn import APPS, Churn, disturbances
from ._objects import CONFIG_MAPS, config_map
from ._servers import ContractServer, Key, by_key
from ._waiting import Following, Item, eventually, reflecting

pytestmark = pytest.mark.slow


def folded(items: list[Item]) -> dict[Key, Any]:
    """What the events add up to."""
    state: dict[Key, Any] = {}
    for item in items:
        if isinstance(item, Init):
            state = {}
        elif isinstance(item, (InitApply, Apply)):
            state |= by_key([dict(item.object)])
        elif isinstance(item, Delete):
            state.pop(next(iter(by_key([dict(item.object)]))), None)
    return state


@contextmanager
def readers(store: Store[Any]) -> Iterator[list[BaseException]]:
    """Threads that read all the while; what goes wrong for them is in the list."""
    ended, wrong = threading.Event(), list[BaseException]()

    def read() -> None:
        try:
            while not ended.wait(0.002):
                snapshot = store.snapshot()
                keys = {(ref.namespace, ref.name) for ref in snapshot.keys()}
                assert by_key(snapshot.state()).keys() == keys and len(snapshot) == len(keys)
                selected = [len(snapshot.state(labels=f"app={app}")) for app in APPS]
                assert sum(selected) == len(keys)
                for key in keys:
                    one = store.get(key[1], key[0])
                    assert one is None or by_key([one]).keys() == {key}
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield wrong
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "strategy", [InitialListStrategy.AUTO, InitialListStrategy.LIST_WATCH])
def test_churn(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, seed: int,
    strategy: InitialListStrategy,
) -> None:
    every = f"of={namespace}"
    config = Config(label_selector=every, page_size=3, initial_list_strategy=strategy)
    list_func = v1.list_config_map_for_all_namespaces
    draw, disturb = random.Random(seed), disturbances(server)
    with server.namespace() as other, \
            reflecting(list_func, config=config, model=dict) as r, \
            reflecting(v1.list_namespaced_config_map, namespace, model=dict,
                       config=Config(label_selector=f"{every},app=web", page_size=3,
                                     initial_list_strategy=strategy)) as web, \
            Following(list_func, config=config) as told, readers(r.store) as wrong:
        churn = Churn(server, [namespace, other], seed)
        for _ in range(150):
            churn.step()
            if disturb and draw.random() < 0.03:
                draw.choice(disturb)()
        last = server.create(config_map("last", namespace, "", {"of": namespace, "app": "web"}))
        expected = server.objects(CONFIG_MAPS, labelSelector=every)
        assert eventually(lambda: by_key(r.store.state()) == expected)
        assert eventually(lambda: by_key(web.store.state()) == server.objects(
            CONFIG_MAPS, namespace, labelSelector=f"{every},app=web"))
        # By its events, too: the end of the history has come when the last object has.
        items = told.until(lambda item: isinstance(item, Apply) and item.object == last
                           or isinstance(item, InitDone))
        while folded(items) != expected:
            items += told.until(lambda item: isinstance(item, (Apply, Delete, InitDone)))
        assert not wrong
        assert r.status.poisoned == 0
        for where in (namespace, other):
            assert by_key(r.store.state(namespace=where)) == {
                key: one for key, one in expected.items() if key[0] == where}
