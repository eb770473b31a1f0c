"""What is there, and what happens to it, reaches the store whole and in order."""

from __future__ import annotations

import dataclasses

import pytest
from kubernetes import client

from kube_reflect import (
    Apply, Bookmark, Config, Delete, Init, InitApply, InitDone, InitialListStrategy, ObjectRef,
)

from ._objects import CLUSTER_ROLES, CONFIG_MAPS, OURS, config_map, thing
from ._servers import ContractServer, by_key
from ._waiting import Following, Requests, changes, eventually, names, reflecting

IN_PAGES = InitialListStrategy.LIST_WATCH
STRATEGIES = [InitialListStrategy.AUTO, IN_PAGES]


@pytest.fixture(params=STRATEGIES, ids=lambda strategy: strategy.value)
def config(request: pytest.FixtureRequest) -> Config:
    # A cluster puts a config map of its own into each namespace.
    return Config(initial_list_strategy=request.param, label_selector="ours")


def test_what_is_there_is_listed_in_full(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, config: Config
) -> None:
    for number in range(5):
        server.create(config_map(f"c{number}", namespace, "\u00fc\n" * number, OURS))
    with reflecting(v1.list_namespaced_config_map, namespace, config=config, model=dict) as r:
        expected = server.objects(CONFIG_MAPS, namespace, labelSelector="ours")
        assert len(expected) == 5
        assert by_key(r.store.state()) == expected
        assert eventually(lambda: r.store.resource_version is not None)


def test_nothing_is_listed_as_nothing(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, config: Config
) -> None:
    with reflecting(v1.list_namespaced_config_map, namespace, config=config) as r:
        assert r.store.is_empty() and len(r.store) == 0 and r.store.state() == []
        server.create(config_map("first", namespace, "", OURS))
        assert eventually(lambda: names(r.store) == {"first"})


def test_an_empty_namespace_is_all_of_them(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, config: Config
) -> None:
    server.create(config_map("first", namespace, "", OURS))
    with server.namespace() as other, reflecting(
            v1.list_namespaced_config_map, "", config=config, model=dict) as r:
        server.create(config_map("second", other, "", OURS))
        for name, where in (("first", namespace), ("second", other)):
            assert eventually(lambda: r.store.get(name, where) is not None)


@pytest.mark.parametrize("size", [1, 3, 6, 7, 500, None])
def test_pages_of_any_size_make_one_list(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, asked: Requests,
    size: int | None,
) -> None:
    wanted = {f"c{number}" for number in range(6)}
    for name in wanted:
        server.create(config_map(name, namespace))
    config = Config(initial_list_strategy=IN_PAGES, page_size=size)
    with reflecting(v1.list_namespaced_config_map, namespace, config=config) as r:
        assert names(r.store) >= wanted
    lists = asked.lists()
    assert {query.get("limit") for query in lists} == {None if size is None else str(size)}
    # The cluster's own config map may make a page more.
    assert [("continue" in query) for query in lists] == [False, *[True] * (len(lists) - 1)]
    if size is not None:
        assert -(-6 // size) <= len(lists) <= -(-7 // size)


def test_a_thousand_objects_in_many_pages(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, asked: Requests
) -> None:
    wanted = {f"c{number:03}" for number in range(1000)}
    for name in sorted(wanted):
        server.create(config_map(name, namespace, name, OURS))
    config = Config(initial_list_strategy=IN_PAGES, page_size=30, label_selector="ours")
    with reflecting(v1.list_namespaced_config_map, namespace, config=config, model=dict) as paged:
        assert len(asked.lists()) >= 34
        with reflecting(v1.list_namespaced_config_map, namespace, model=dict,
                        config=dataclasses.replace(config, page_size=500,
                                                   initial_list_strategy=STRATEGIES[0])) as auto:
            assert names(paged.store) == names(auto.store) == wanted
            assert by_key(paged.store.state()) == by_key(auto.store.state())
            expected = server.objects(CONFIG_MAPS, namespace, labelSelector="ours")
            assert by_key(paged.store.state()) == expected


def test_every_kind_of_event(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, config: Config
) -> None:
    server.create(config_map("a", namespace, "", OURS))
    server.create(config_map("b", namespace, "", OURS))
    with Following(v1.list_namespaced_config_map, namespace, config=config) as told:
        listed = changes(told.listed())
        assert (listed[0], listed[-1]) == ((Init,), (InitDone,))
        # Not every list is in order.
        assert sorted(listed[1:-1], key=str) == [(InitApply, "a"), (InitApply, "b")]

        created = server.create(config_map("c", namespace, "1", OURS))
        changed = server.patch(CONFIG_MAPS, "c", namespace, {"data": {"value": "2"}})
        server.delete(CONFIG_MAPS, "c", namespace)
        items = [item for item in told.until(lambda item: isinstance(item, Delete))
                 if not isinstance(item, Bookmark)]
        assert changes(items) == [(Apply, "c"), (Apply, "c"), (Delete, "c")]
        first, second, last = (item.object for item in items
                               if isinstance(item, (Apply, Delete)))
        assert (first, second) == (created, changed)
        assert last["data"] == {"value": "2"} and last["kind"] == "ConfigMap"
        # The deletion is a version of its own.
        assert int(last["metadata"]["resourceVersion"]) > int(
            changed["metadata"]["resourceVersion"])


def test_the_store_follows_every_change(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, config: Config
) -> None:
    server.create(config_map("kept", namespace, "", OURS))
    server.create(config_map("gone", namespace, "", OURS))
    with reflecting(v1.list_namespaced_config_map, namespace, config=config, model=dict) as r:
        server.create(config_map("new", namespace, "1", OURS))
        server.patch(CONFIG_MAPS, "new", namespace, {"data": {"value": "2"}})
        server.delete(CONFIG_MAPS, "gone", namespace)
        last = server.patch(CONFIG_MAPS, "kept", namespace, {"data": {"value": "last"}})
        version = last["metadata"]["resourceVersion"]
        assert eventually(lambda: r.store.get("kept", namespace) == last)
        assert eventually(lambda: int(r.store.resource_version or 0) >= int(version))
        expected = server.objects(CONFIG_MAPS, namespace, labelSelector="ours")
        assert by_key(r.store.state()) == expected
        assert r.store.get("gone", namespace) is None
        assert ObjectRef("new", namespace) in r.store
        assert r.status.relists == 0 and r.status.events >= 4 and r.status.last_error is None


def test_deleted_and_made_again_is_another_object(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, config: Config
) -> None:
    old = server.create(config_map("a", namespace, "same", OURS))
    with reflecting(v1.list_namespaced_config_map, namespace, config=config, model=dict) as r, \
            Following(v1.list_namespaced_config_map, namespace, config=config) as told:
        told.listed()
        server.delete(CONFIG_MAPS, "a", namespace)
        new = server.create(config_map("a", namespace, "same", OURS))
        assert new["metadata"]["uid"] != old["metadata"]["uid"]
        items = told.until(lambda item: isinstance(item, Apply))
        assert changes(items) == [(Delete, "a"), (Apply, "a")]
        assert eventually(lambda: r.store.get("a", namespace) == new)
        assert len(r.store) == 1


def test_an_object_with_a_finalizer_is_marked_and_then_goes(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, config: Config
) -> None:
    obj = config_map("held", namespace, "", OURS)
    obj["metadata"]["finalizers"] = ["example.com/hold"]
    server.create(obj)
    with reflecting(v1.list_namespaced_config_map, namespace, config=config, model=dict) as r:
        server.delete(CONFIG_MAPS, "held", namespace)
        assert eventually(
            lambda: "deletionTimestamp" in r.store.get("held", namespace)["metadata"])
        server.patch(CONFIG_MAPS, "held", namespace, {"metadata": {"finalizers": None}})
        assert eventually(r.store.is_empty)


def test_objects_without_a_namespace(server: ContractServer, namespace: str) -> None:
    # Named after the namespace, since they are everybody's.
    selector, labels = f"of={namespace}", {"of": namespace}
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    roles = client.RbacAuthorizationV1Api(server.api_client())
    one, two = f"{namespace}-1", f"{namespace}-2"
    server.create(thing(CLUSTER_ROLES, one, labels=labels, rules=rules))
    with reflecting(roles.list_cluster_role, model=dict,
                    config=Config(label_selector=selector)) as r:
        created = server.create(thing(CLUSTER_ROLES, two, labels=labels, rules=rules))
        assert eventually(lambda: names(r.store) == {one, two})
        assert r.store.get(two) == r.store.get(two, "ignored") == created
        assert r.store.get(ObjectRef(two)) == created
        assert {str(ref) for ref in r.store.keys()} == {
            f"ClusterRole.v1.rbac.authorization.k8s.io/{name}" for name in (one, two)}
        for name in (one, two):
            server.delete(CLUSTER_ROLES, name)
        assert eventually(r.store.is_empty)


def test_a_snapshot_stays_while_the_store_moves_on(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, config: Config
) -> None:
    a = server.create(config_map("a", namespace, "1", OURS))
    b = server.create(config_map("b", namespace, "1", OURS))
    with reflecting(v1.list_namespaced_config_map, namespace, config=config, model=dict) as r:
        snapshot = r.store.snapshot()
        server.delete(CONFIG_MAPS, "a", namespace)
        changed = server.patch(CONFIG_MAPS, "b", namespace, {"data": {"value": "2"}})
        assert eventually(lambda: r.store.state() == [changed])
        assert by_key(snapshot.state()) == by_key([a, b])
        assert snapshot.get("a", namespace) == a and names(r.store) == {"b"}
        assert snapshot.resource_version != r.store.resource_version


def test_a_quiet_watch_ends_and_is_resumed_without_a_relist(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    created = server.create(config_map("a", namespace, "", OURS))
    config = Config(label_selector="ours", timeout=1)
    with reflecting(v1.list_namespaced_config_map, namespace, config=config, model=dict) as r:
        assert eventually(lambda: r.status.reconnects >= 1)
        assert r.store.state() == [created]
        changed = server.patch(CONFIG_MAPS, "a", namespace, {"data": {"value": "2"}})
        assert eventually(lambda: r.store.state() == [changed])
        assert r.status.relists == 0 and r.status.last_error is None


def test_bookmarks_keep_the_version_of_a_quiet_watch_fresh(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    ours = server.create(config_map("ours", namespace, "", OURS))
    # A real server sends a bookmark two seconds before the timeout.
    config = Config(label_selector="ours", timeout=6)
    with reflecting(v1.list_namespaced_config_map, namespace, config=config, model=dict) as r:
        other = server.create(config_map("other", namespace))
        version = int(other["metadata"]["resourceVersion"])
        assert eventually(lambda: int(r.store.resource_version or 0) >= version)
        assert r.store.state() == [ours]
        assert r.status.events >= 1 and r.status.relists == 0
