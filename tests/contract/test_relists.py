"""Whatever the server forgets, the store becomes right again, and nothing deleted stays."""

from __future__ import annotations

import pytest
from kubernetes import client

from kube_reflect import (
    Backoff, Config, Init, InitApply, InitDone, InitialListStrategy, Phase, Watcher, WatcherError,
)

from ._churn import change_each, put_four
from ._objects import CONFIG_MAPS, OURS, config_map
from ._servers import ContractServer, Refused, by_key
from ._waiting import Following, Requests, brief, changes, eventually, names, reflecting

CONFIG = Config(label_selector="ours")
IN_PAGES = InitialListStrategy.LIST_WATCH


def patiently() -> Backoff:
    """A backoff that leaves the test some time for changes while nobody watches."""
    return Backoff(initial=0.6, factor=1.0, maximum=0.6)


def test_a_restarted_server(
    disposable: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    server = disposable
    put_four(server, namespace)
    with reflecting(v1.list_namespaced_config_map, namespace, config=CONFIG, model=dict,
                    backoff=patiently()) as r, \
            Following(v1.list_namespaced_config_map, namespace, config=CONFIG) as told:
        told.listed()
        before = r.store.state()
        server.restart()
        # The last state is there to be read meanwhile, and said to be old.
        assert r.store.state() == before and r.store.ready
        expected = change_each(server, namespace)
        assert eventually(lambda: by_key(r.store.state()) == expected)
        assert eventually(lambda: r.status.live)
        assert r.status.phase is Phase.WATCHING
        assert r.status.last_error is not None and r.status.reconnects + r.status.relists >= 1
        changed = server.patch(CONFIG_MAPS, "kept", namespace, {"data": {"value": "2"}})
        assert eventually(lambda: r.store.get("kept", namespace) == changed)
        failures = [item for item in told.until(lambda item: brief(item)[1:] == ("new",))
                    if isinstance(item, WatcherError)]
        assert failures


def test_a_watch_whose_version_is_forgotten(
    disposable: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    server = disposable
    kept = server.create(config_map("kept", namespace, "", OURS))
    server.create(config_map("gone", namespace, "", OURS))
    with reflecting(v1.list_namespaced_config_map, namespace, config=CONFIG, model=dict,
                    backoff=patiently()) as r, \
            Following(v1.list_namespaced_config_map, namespace, config=CONFIG) as told:
        told.listed()
        server.expire_watches()
        server.delete(CONFIG_MAPS, "gone", namespace)
        items = changes(told.until(lambda item: isinstance(item, InitDone)))
        errors = [code for kind, *code in items if issubclass(kind, WatcherError)]
        assert errors[-1] == [410]
        assert (Init,) in items and (InitApply, "kept") in items
        assert eventually(lambda: r.store.state() == [kept])
        assert eventually(lambda: r.status.live)
        assert eventually(lambda: r.status.relists >= 1)


def test_pages_that_expire_while_they_are_read(
    disposable: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    server = disposable
    for number in range(5):
        server.create(config_map(f"c{number}", namespace, "", OURS))
    page = server.list(CONFIG_MAPS, namespace, labelSelector="ours", limit=2)
    watcher = Watcher(v1.list_namespaced_config_map, namespace, config=Config(
        label_selector="ours", page_size=2, initial_list_strategy=IN_PAGES))
    try:
        begun = [next(watcher) for _ in range(3)]
        assert changes(begun) == [(Init,), (InitApply, "c0"), (InitApply, "c1")]
        server.expire_pages()
        server.delete(CONFIG_MAPS, "c4", namespace)
        try:
            server.list(CONFIG_MAPS, namespace, labelSelector="ours", limit=2,
                        **{"continue": page["metadata"]["continue"]})
            expired = False
        except Refused as refused:
            assert refused.code == 410
            expired = True
        rest = [next(watcher)]
        while not isinstance(rest[-1], InitDone):
            rest.append(next(watcher))
        codes = [item.code for item in rest if isinstance(item, WatcherError)]
        assert codes == ([410] if expired else [])
        if expired:
            again = changes(rest)[1:]
            assert (again[0], again[-1]) == ((Init,), (InitDone,))
            assert sorted(again[1:-1], key=str) == [
                (InitApply, f"c{number}") for number in range(4)]
    finally:
        watcher.close()


def test_a_store_whose_pages_expire(
    disposable: ContractServer, namespace: str, v1: client.CoreV1Api, asked: Requests
) -> None:
    server = disposable
    for number in range(20):
        server.create(config_map(f"c{number:02}", namespace, "", OURS))
    expired = False

    def expire_once(mapping: dict[str, object]) -> dict[str, object]:
        nonlocal expired
        if not expired:
            expired = True
            server.expire_pages()
        return mapping

    config = Config(label_selector="ours", page_size=3, initial_list_strategy=IN_PAGES)
    with reflecting(v1.list_namespaced_config_map, namespace, config=config, model=dict,
                    transform=expire_once) as r:
        assert expired
        expected = server.objects(CONFIG_MAPS, namespace, labelSelector="ours")
        assert len(expected) == 20 and by_key(r.store.state()) == expected
        if r.status.last_error is not None:
            assert r.status.code == 410
            # All at once: the list must not depend on the lifetime of its pages again.
            assert "limit" not in asked.lists()[-1]


@pytest.mark.parametrize("strategy", [InitialListStrategy.AUTO, IN_PAGES])
def test_a_relist_is_never_seen_half_done(
    disposable: ContractServer, namespace: str, v1: client.CoreV1Api,
    strategy: InitialListStrategy,
) -> None:
    server = disposable
    wanted = {f"c{number:02}" for number in range(40)}
    for name in wanted:
        server.create(config_map(name, namespace, "", OURS))
    config = Config(label_selector="ours", page_size=4, initial_list_strategy=strategy)
    with reflecting(v1.list_namespaced_config_map, namespace, config=config) as r:
        server.expire_watches()
        sizes = set()

        def relisted() -> bool:
            snapshot = r.store.snapshot()
            sizes.update({len(r.store), len(snapshot), len(snapshot.state())})
            return r.status.relists >= 1 and r.status.live

        assert eventually(relisted)
        assert sizes == {40} and names(r.store) == wanted
