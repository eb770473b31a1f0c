"""Selectors and namespaces mean the same to the cache as to the server."""

from __future__ import annotations

import pytest
from kubernetes import client

from kube_reflect import Apply, Config, Delete, ObjectRef

from ._objects import CONFIG_MAPS, PODS, config_map, pod
from ._servers import ContractServer, by_key
from ._waiting import Following, changes, eventually, names, reflecting

LABELS: list[dict[str, str]] = [
    {},
    {"app": "web"},
    {"app": "web", "tier": "front"},
    {"app": "db", "tier": ""},
    {"app": "db", "example.com/canary": "yes"},
    {"tier": "back", "weight": "7"},
]
SELECTORS = [
    "app=web", "app==db", "app!=web", "app in (web, db)", "app notin (web)", "app", "!app",
    "app=web,tier", "tier=", "tier in (,back)", "example.com/canary", "!example.com/canary,app=db",
    "weight>5", "weight<5", "app=nothing", "",
]


def test_labels_select_in_the_store_what_they_select_at_the_server(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    for number, labels in enumerate(LABELS):
        server.create(config_map(f"c{number}", namespace, "", labels))
    with reflecting(v1.list_namespaced_config_map, namespace, model=dict) as r:
        for selector in SELECTORS:
            expected = server.objects(CONFIG_MAPS, namespace, labelSelector=selector)
            assert by_key(r.store.state(labels=selector)) == expected, selector
            assert by_key(r.store.snapshot().state(labels=selector)) == expected, selector
        assert by_key(r.store.state(labels={"app": "web"})) == server.objects(
            CONFIG_MAPS, namespace, labelSelector="app=web")


@pytest.mark.parametrize("selector", SELECTORS[:-1])
def test_labels_select_what_is_watched(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, selector: str
) -> None:
    for number, labels in enumerate(LABELS):
        server.create(config_map(f"c{number}", namespace, "", labels))
    with reflecting(v1.list_namespaced_config_map, namespace, model=dict,
                    config=Config(label_selector=selector)) as r:
        assert by_key(r.store.state()) == server.objects(
            CONFIG_MAPS, namespace, labelSelector=selector)


def test_an_object_leaves_a_label_selector_and_enters_it(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    def label(value: str) -> dict[str, object]:
        return server.patch(CONFIG_MAPS, "a", namespace, {"metadata": {"labels": {"app": value}}})

    server.create(config_map("a", namespace, "", {"app": "web"}))
    config = Config(label_selector="app=web")
    with reflecting(v1.list_namespaced_config_map, namespace, config=config, model=dict) as r, \
            Following(v1.list_namespaced_config_map, namespace, config=config) as told:
        told.listed()
        label("db")
        assert changes(told.until(lambda item: isinstance(item, Delete))) == [(Delete, "a")]
        assert eventually(r.store.is_empty)
        label("cache")
        entered = label("web")
        # What happened outside is nobody's business here.
        assert changes(told.until(lambda item: isinstance(item, Apply))) == [(Apply, "a")]
        assert eventually(lambda: r.store.state() == [entered])


def test_an_object_leaves_a_field_selector_and_enters_it(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    def phase(value: str) -> None:
        server.patch(PODS, "a", namespace, {"status": {"phase": value}}, "status")

    server.create(pod("a", namespace))
    server.create(pod("b", namespace))
    for name in "ab":
        server.patch(PODS, name, namespace, {"status": {"phase": "Pending"}}, "status")
    config = Config(field_selector="status.phase=Pending")
    with reflecting(v1.list_namespaced_pod, namespace, config=config) as r:
        assert names(r.store) == {"a", "b"}
        phase("Running")
        assert eventually(lambda: names(r.store) == {"b"})
        phase("Pending")
        assert eventually(lambda: names(r.store) == {"a", "b"})
        assert by_key([one.to_dict() for one in r.store.state()]).keys() == server.objects(
            PODS, namespace, fieldSelector="status.phase=Pending").keys()


@pytest.mark.parametrize("selector", ["metadata.name=a", "metadata.name!=a"])
def test_field_selectors_by_name(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, selector: str
) -> None:
    config = Config(field_selector=selector, label_selector="ours")
    with reflecting(v1.list_namespaced_config_map, namespace, config=config) as r:
        for name in "abc":
            server.create(config_map(name, namespace, "", {"ours": ""}))
        expected = server.objects(CONFIG_MAPS, namespace, fieldSelector=selector,
                                  labelSelector="ours").keys()
        assert eventually(lambda: {(ref.namespace, ref.name) for ref in r.store.keys()} == expected)


def test_selectors_given_to_the_list_function_count_too(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    for number, labels in enumerate(LABELS):
        server.create(config_map(f"c{number}", namespace, "", labels))
    with reflecting(v1.list_namespaced_config_map, namespace, label_selector="app=web",
                    config=Config(field_selector="metadata.name!=c1")) as r:
        assert names(r.store) == {"c2"}


def test_namespaces_are_kept_apart(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    labels = {"of": namespace}
    config = Config(label_selector=f"of={namespace}")
    with server.namespace() as other:
        here = server.create(config_map("same", namespace, "here", labels))
        there = server.create(config_map("same", other, "there", labels))
        with reflecting(v1.list_namespaced_config_map, namespace, config=config,
                        model=dict) as one, \
                reflecting(v1.list_config_map_for_all_namespaces, config=config,
                           model=dict) as every:
            assert one.store.state() == [here]
            assert by_key(every.store.state()) == by_key([here, there])
            assert every.store.state(namespace=other) == [there]
            assert every.store.get("same", namespace) == here
            assert every.store.get(ObjectRef("same", other)) == there
            assert every.store.get("same") is None
            server.delete(CONFIG_MAPS, "same", other)
            new = server.create(config_map("new", other, "", labels))
            assert eventually(lambda: every.store.state(namespace=other) == [new])
            assert eventually(lambda: by_key(every.store.state()) == by_key([here, new]))
            assert one.store.state() == [here]


def test_the_server_says_what_it_does_not_select_by(
    namespace: str, v1: client.CoreV1Api
) -> None:
    config = Config(field_selector="spec.nonsense=x")
    with reflecting(v1.list_namespaced_config_map, namespace, config=config, ready=False) as r:
        assert eventually(lambda: r.status.code == 400)
        assert "spec.nonsense" in str(r.status.last_error)
        assert not r.store.ready
