"""Nothing but metadata is asked for, comes, and is kept; of every kind, in every way of listing."""

from __future__ import annotations

import functools
import secrets
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, dynamic

from kube_reflect import ApiResource, Applied, Config, InitialListStrategy, ObjectRef, Reflector

from tests.support.models import eager_maker

from ._objects import CONFIG_MAPS, DEPLOYMENTS, OURS, config_map, deployment, thing
from ._servers import ContractServer, by_key
from ._waiting import Requests, eventually, reflecting

PARTIAL = {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata"}
STRATEGIES = [InitialListStrategy.AUTO, InitialListStrategy.LIST_WATCH]


def partial(one: dict[str, Any]) -> dict[str, Any]:
    return {**PARTIAL, "metadata": one["metadata"]}


def without_fields(held: dict[Any, dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    """Without managedFields, in which a server may keep times of its own reading."""
    return {key: {**one, "metadata": {name: value for name, value in one["metadata"].items()
                                      if name != "managedFields"}}
            for key, one in held.items()}


def check_agrees(r: Reflector, server: ContractServer, resource: ApiResource, namespace: str,
                 **query: Any) -> None:
    wanted = without_fields({key: partial(one) for key, one in server.objects(
        resource, namespace, **query).items()})
    assert wanted and eventually(
        lambda: without_fields(by_key(r.store.state())) == wanted)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_built_in_kinds(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, strategy: InitialListStrategy,
    asked: Requests,
) -> None:
    for number in range(5):
        server.create(config_map(f"c{number}", namespace, "x" * 1000, OURS))
    config = Config(label_selector="ours", page_size=2, initial_list_strategy=strategy)
    with reflecting(v1.list_namespaced_config_map, namespace, metadata_only=True,
                    config=config) as r, r.subscribe() as subscription:
        check_agrees(r, server, CONFIG_MAPS, namespace, labelSelector="ours")
        streamed = 200 in asked.streaming_lists()
        assert streamed == (strategy is not STRATEGIES[1] and server.has_streaming_lists())
        assert streamed or len(asked.lists()) == 3
        assert {subscription.get(5).ref.name for _ in range(5)} == {f"c{n}" for n in range(5)}
        server.delete(CONFIG_MAPS, "c0", namespace)
        server.patch(CONFIG_MAPS, "c1", namespace, {"metadata": {"labels": {"app": "web"}}})
        server.create(config_map("new", namespace, "x", OURS))
        check_agrees(r, server, CONFIG_MAPS, namespace, labelSelector="ours")
        [web] = r.store.state(labels="app=web")
        assert web["metadata"]["name"] == "c1" and web.keys() == {*PARTIAL, "metadata"}
        assert r.store.memory().bytes_at_rest < 5 * 1000


def test_refs_have_the_kind_that_the_list_function_tells(
    server: ContractServer, namespace: str
) -> None:
    apps = client.AppsV1Api(server.api_client())
    made = server.create(deployment("web", namespace))
    with reflecting(apps.list_namespaced_deployment, metadata_only=True,
                    namespaces=[namespace]) as r, r.subscribe() as subscription:
        ref = ObjectRef("web", namespace, resource=DEPLOYMENTS)
        assert r.store.keys() == [ref] == r.store.snapshot().keys()
        assert r.store.keys()[0].resource == DEPLOYMENTS
        change = subscription.get(5)
        assert isinstance(change, Applied) and change.ref == ref
        assert r.store.get(ref)["metadata"]["uid"] == made["metadata"]["uid"]
        assert ref in r.store
        assert r.store.get(ObjectRef.from_object(change.object)) is not None
        assert r.store.get(ObjectRef("web", namespace, resource=CONFIG_MAPS)) is None


def test_a_model_of_the_metadata(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    server.create(config_map("listed", namespace, "", OURS))
    with reflecting(v1.list_namespaced_config_map, namespace, metadata_only=True,
                    config=Config(label_selector="ours"),
                    model=lambda one: eager_maker(client.V1ObjectMeta)(one["metadata"])) as r:
        server.create(config_map("watched", namespace, "", OURS))
        for name in ("listed", "watched"):
            assert eventually(lambda: name in {ref.name for ref in r.store.keys()})
            read = v1.read_namespaced_config_map(name, namespace).metadata
            metadata = r.store.get(name, namespace)
            assert type(metadata) is client.V1ObjectMeta and metadata.labels == OURS
            assert (metadata.uid, metadata.creation_timestamp, metadata.resource_version) == (
                read.uid, read.creation_timestamp, read.resource_version)
        assert r.status.poisoned == 0


@pytest.fixture
def widgets(server: ContractServer) -> ApiResource:
    resource = ApiResource(f"g{secrets.token_hex(4)}.example.com", "v1", "Widget", "widgets", True)
    server.define(resource)
    return resource


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_custom_kinds(
    server: ContractServer, namespace: str, widgets: ApiResource, strategy: InitialListStrategy,
    asked: Requests,
) -> None:
    for number in range(5):
        server.create(thing(widgets, f"w{number}", namespace, spec={"n": number}))
    list_func = functools.partial(
        client.CustomObjectsApi(server.api_client()).list_namespaced_custom_object,
        widgets.group, widgets.version)
    config = Config(page_size=2, initial_list_strategy=strategy)
    with reflecting(list_func, namespace, widgets.plural, config=config,
                    metadata_only=True) as r:
        check_agrees(r, server, widgets, namespace)
        assert (200 in asked.streaming_lists()) == (
            strategy is InitialListStrategy.AUTO and server.has_streaming_lists())
        # The plural is known, the kind is not.
        assert {ref.resource for ref in r.store.keys()} == {None}
        server.create(thing(widgets, "new", namespace, OURS, spec={"n": 1}))
        for number in range(4):
            server.delete(widgets, f"w{number}", namespace)
        server.patch(widgets, "w4", namespace, {"metadata": {"annotations": {"a": "b"}}})
        check_agrees(r, server, widgets, namespace)
        assert r.store.get("new", namespace)["metadata"]["labels"] == OURS
        for name in ("new", "w4"):
            server.delete(widgets, name, namespace)
        assert eventually(r.store.is_empty)


def test_a_resource_of_the_dynamic_client(
    server: ContractServer, namespace: str, tmp_path: Path
) -> None:
    found = dynamic.DynamicClient(
        server.api_client(), cache_file=str(tmp_path / "discovery.json")).resources.get(
            api_version="v1", kind="ConfigMap")
    server.create(config_map("a", namespace, "", OURS))
    with reflecting(found, namespace=namespace, metadata_only=True,
                    config=Config(label_selector="ours")) as r:
        check_agrees(r, server, CONFIG_MAPS, namespace, labelSelector="ours")
        assert r.store.keys() == [ObjectRef("a", namespace, resource=CONFIG_MAPS)]
        assert r.store.keys()[0].resource == CONFIG_MAPS
