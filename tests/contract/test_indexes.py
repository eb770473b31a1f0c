"""Indexes are at every moment what one would find by going through all objects."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kubernetes import client

from kube_reflect import Config, Snapshot, Store
from kube_reflect.indexers import by_label, by_namespace, by_owner_uid

from ._churn import Churn, disturbances
from ._objects import CONFIG_MAPS, config_map
from ._servers import ContractServer, by_key
from ._waiting import eventually, reflecting

IndexFunction = Callable[[Any], list[Any]]


def by_ends(one: Any) -> list[str]:
    """By the first digit of the value, and by the last."""
    value = one["data"]["value"]
    return [f"first {value[:1]}", f"last {value[-1:]}"]


INDEXERS: dict[str, IndexFunction] = {
    "app": by_label("app"), "ends": by_ends, "namespace": by_namespace}


def check(reads: Store[Any] | Snapshot[Any], indexers: dict[str, IndexFunction]) -> None:
    """Compare each index with what its function says of the objects; of one moment."""
    objects = by_key(reads.state())
    for name, function in indexers.items():
        wanted: dict[Any, set[Any]] = {}
        for key, one in objects.items():
            for value in function(one):
                wanted.setdefault(value, set()).add(key)
        assert set(reads.index_values(name)) == wanted.keys()
        assert {value: set(by_key(reads.by_index(name, value))) for value in wanted} == wanted
        assert reads.by_index(name, "of nobody") == []


@contextmanager
def checked(store: Store[Any], indexers: dict[str, IndexFunction],
            ) -> Iterator[list[BaseException]]:
    """Check snapshots all the while, on a thread."""
    ended, wrong = threading.Event(), list[BaseException]()

    def run() -> None:
        try:
            while not ended.wait(0.002):
                check(store.snapshot(), indexers)
        except BaseException as error:
            wrong.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield wrong
    finally:
        ended.set()
        thread.join()


def test_indexes_under_churn(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    config = Config(label_selector=f"of={namespace}", page_size=3)
    disturb = disturbances(server)
    with server.namespace() as other, \
            reflecting(v1.list_config_map_for_all_namespaces, config=config, model=dict,
                       indexers=INDEXERS) as r, checked(r.store, INDEXERS) as wrong:
        churn = Churn(server, [namespace, other], seed=2)
        for step in range(60):
            churn.step()
            if step == 20:
                r.add_index("later", by_ends)
                check(r.store.snapshot(), INDEXERS | {"later": by_ends})
            if disturb and step % 25 == 15:
                disturb[step % len(disturb)]()
        expected = server.objects(CONFIG_MAPS, labelSelector=f"of={namespace}")
        assert expected and eventually(lambda: by_key(r.store.state()) == expected)
        check(r.store, INDEXERS | {"later": by_ends})
        assert not wrong and r.status.poisoned == 0
        assert by_key(r.store.by_index("namespace", other)) == {
            key: one for key, one in expected.items() if key[0] == other}


def test_owners(server: ContractServer, namespace: str, v1: client.CoreV1Api) -> None:
    owner = server.create(config_map("owner", namespace, "", {"ours": ""}))
    uid = owner["metadata"]["uid"]
    owned = config_map("owned", namespace, "", {"ours": ""})
    owned["metadata"]["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}]
    with reflecting(v1.list_namespaced_config_map, namespace, model=dict,
                    config=Config(label_selector="ours"), indexers={"owner": by_owner_uid}) as r:
        owned = server.create(owned)
        assert eventually(lambda: r.store.by_index("owner", uid) == [owned])
        server.patch(CONFIG_MAPS, "owned", namespace, {"metadata": {"ownerReferences": None}})
        assert eventually(lambda: r.store.by_index("owner", uid) == [])
        assert r.store.index_values("owner") == [] and len(r.store) == 2
