"""A reflector that starts from what an earlier one has left becomes equal to the server."""

from __future__ import annotations

from pathlib import Path

from kubernetes import client

from kube_reflect import Applied, Config, Deleted, Reflector

from ._churn import change_each, put_four
from ._objects import CONFIG_MAPS, OURS, config_map
from ._servers import ContractServer, by_key
from ._waiting import DEADLINE, eventually, quick, reflecting

CONFIG = Config(label_selector="ours")


def warm(v1: client.CoreV1Api, namespace: str, path: Path) -> Reflector:
    return Reflector(v1.list_namespaced_config_map, namespace, config=CONFIG, model=dict,
                     backoff=quick(), warm_start=path)


def leave(v1: client.CoreV1Api, namespace: str, path: Path) -> None:
    with reflecting(v1.list_namespaced_config_map, namespace, config=CONFIG, model=dict,
                    warm_start=path):
        pass
    assert path.exists()


def test_what_happened_while_nobody_watched(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, tmp_path: Path
) -> None:
    path = tmp_path / "config-maps"
    put_four(server, namespace)
    leave(v1, namespace, path)
    before = server.objects(CONFIG_MAPS, namespace, labelSelector="ours")
    expected = change_each(server, namespace)
    reflector = warm(v1, namespace, path)
    told = reflector.subscribe(overflow="block")
    with reflector as r:
        # At once, whatever has come by now.
        assert {name for _, name in by_key(r.store.state())} & {"kept"}
        r.store.wait_until_ready(timeout=DEADLINE)
        assert eventually(lambda: by_key(r.store.state()) == expected)
        # What was in the file, and what has changed; the changes of each object in their order.
        heard = [told.get(timeout=DEADLINE) for _ in range(len(before) + 5)]
        assert sorted((type(one).__name__, one.ref.name) for one in heard) == [
            ("Applied", "anew"), ("Applied", "anew"), ("Applied", "changed"),
            ("Applied", "changed"), ("Applied", "gone"), ("Applied", "kept"), ("Applied", "new"),
            ("Deleted", "anew"), ("Deleted", "gone")]
        assert all(isinstance(one, (Applied, Deleted)) for one in heard)
        assert r.status.relists == 0 and eventually(lambda: r.status.live)
        changed = server.patch(CONFIG_MAPS, "kept", namespace, {"data": {"value": "2"}})
        assert eventually(lambda: r.store.get("kept", namespace) == changed)


def test_where_nothing_happened(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, tmp_path: Path
) -> None:
    path = tmp_path / "config-maps"
    kept = server.create(config_map("kept", namespace, "1", OURS))
    leave(v1, namespace, path)
    with warm(v1, namespace, path) as r:
        assert r.store.state() == [kept]
        r.store.wait_until_live(timeout=DEADLINE)
        assert r.store.state() == [kept] and r.status.relists == 0


def test_a_version_that_the_server_has_forgotten(
    disposable: ContractServer, namespace: str, v1: client.CoreV1Api, tmp_path: Path
) -> None:
    server, path = disposable, tmp_path / "config-maps"
    kept = server.create(config_map("kept", namespace, "1", OURS))
    server.create(config_map("gone", namespace, "1", OURS))
    leave(v1, namespace, path)
    server.delete(CONFIG_MAPS, "gone", namespace)
    server.expire_watches()
    reflector = warm(v1, namespace, path)
    told = reflector.subscribe(overflow="block")
    with reflector as r:
        assert kept in r.store.state()
        heard = [told.get(timeout=DEADLINE) for _ in range(3)]
        assert [one.ref.name for one in heard if isinstance(one, Deleted)] == ["gone"]
        r.store.wait_until_live(timeout=DEADLINE)
        assert r.store.state() == [kept] and r.status.relists == 1
