"""What a store hands out is what the list function would have returned."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import client

from kube_reflect import Config

from ._objects import (
    CLUSTER_ROLES, CONFIG_MAPS, SECRETS, config_map, deployment, pod, thing,
)
from ._servers import ContractServer
from ._waiting import eventually, reflecting

RULES = [{"apiGroups": ["", "apps"], "resources": ["pods"], "verbs": ["get", "list"]}]
SECRET = {"password": base64.b64encode(b"\x00secret\xff").decode()}

Api = Callable[[client.ApiClient], Any]


@pytest.mark.parametrize(("api", "kind", "model", "make"), [
    (client.CoreV1Api, "pod", client.V1Pod, pod),
    (client.CoreV1Api, "config_map", client.V1ConfigMap, config_map),
    (client.CoreV1Api, "secret", client.V1Secret,
     lambda name, namespace: thing(SECRETS, name, namespace, data=SECRET)),
    (client.AppsV1Api, "deployment", client.V1Deployment, deployment),
])
def test_typed_objects_equal_those_that_the_client_reads(
    server: ContractServer, namespace: str, api: Api, kind: str, model: type[Any],
    make: Callable[[str, str], dict[str, Any]],
) -> None:
    typed = api(server.api_client())
    read = getattr(typed, f"read_namespaced_{kind}")
    server.create(make("listed", namespace))
    with reflecting(getattr(typed, f"list_namespaced_{kind}"), namespace) as r:
        server.create(make("watched", namespace))
        for name in ("listed", "watched"):
            # A cluster's controllers may still be at work on it.
            assert eventually(lambda: r.store.get(name, namespace) == read(name, namespace))
            assert isinstance(r.store.get(name, namespace), model)
            assert read(name, namespace).metadata.uid


def test_typed_objects_without_a_namespace(server: ContractServer, namespace: str) -> None:
    roles = client.RbacAuthorizationV1Api(server.api_client())
    labels = {"of": namespace}
    server.create(thing(CLUSTER_ROLES, namespace, labels=labels, rules=RULES))
    with reflecting(roles.list_cluster_role,
                    config=Config(label_selector=f"of={namespace}")) as r:
        one = r.store.get(namespace)
        assert isinstance(one, client.V1ClusterRole)
        assert one == roles.read_cluster_role(namespace)
        server.delete(CLUSTER_ROLES, namespace)
        assert eventually(r.store.is_empty)


def test_readers_share_an_object_until_it_changes(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    server.create(config_map("a", namespace, "1"))
    with reflecting(v1.list_namespaced_config_map, namespace) as r:
        before = r.store.get("a", namespace)
        assert r.store.get("a", namespace) is before
        assert r.store.find(lambda one: one.metadata.name == "a") is before
        server.patch(CONFIG_MAPS, "a", namespace, {"data": {"value": "2"}})
        assert eventually(lambda: r.store.get("a", namespace).data == {"value": "2"})
        assert before.data == {"value": "1"}


def test_transform_model_and_index(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    def without_managed_fields(mapping: dict[str, Any]) -> dict[str, Any]:
        mapping["metadata"].pop("managedFields", None)
        return mapping

    config = Config(label_selector="ours")
    with reflecting(
        v1.list_namespaced_config_map, namespace, config=config,
        transform=without_managed_fields, model=lambda mapping: tuple(mapping["data"].items()),
        indexers={"value": lambda mapping: [mapping["data"]["value"]]},
    ) as r:
        for name, value in (("a", "x"), ("b", "x"), ("c", "y")):
            server.create(config_map(name, namespace, value, {"ours": ""}))
        assert eventually(lambda: len(r.store) == 3)
        assert r.store.by_index("value", "x") == [(("value", "x"),)] * 2
        server.patch(CONFIG_MAPS, "a", namespace, {"data": {"value": "y"}})
        assert eventually(lambda: len(r.store.by_index("value", "y")) == 2)
        assert r.store.by_index("value", "x") == [(("value", "x"),)]
        assert r.status.poisoned == 0
