"""Which kind a list function lists, told without a request."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, dynamic

from kube_reflect import ApiResource, Reflector
from kube_reflect.client import ListFunction
from kube_reflect.testing import FakeApiServer


def resource_of(*given: Any) -> ApiResource | None:
    return ListFunction(*given).resource


PODS = ApiResource("", "v1", "Pod", "pods", True)
VARIANTS = ("_with_http_info", "_without_preload_content")


@pytest.fixture
def api_client() -> Iterator[client.ApiClient]:
    # Nobody listens there.
    with client.ApiClient(client.Configuration(host="http://127.0.0.1:1")) as api_client:
        yield api_client


def typed_list_methods(api_client: client.ApiClient) -> Iterator[Any]:
    for name, api in inspect.getmembers(client, inspect.isclass):
        if name.endswith("Api") and name != "CustomObjectsApi":
            for method_name, method in inspect.getmembers(api(api_client), inspect.ismethod):
                if method_name.startswith("list_") and not method_name.endswith(VARIANTS):
                    yield method


def test_every_typed_method_tells(api_client: client.ApiClient) -> None:
    found, models = {}, {}
    for method in typed_list_methods(api_client):
        namespaced = "namespaced" in method.__name__
        function = ListFunction(method, ("here",) if namespaced else ())
        resource, model = function.resource, function.model
        assert resource is not None, method
        assert resource.kind[0].isupper() and resource.plural == resource.plural.lower()
        assert resource.namespaced is (True if namespaced else None)
        assert inspect.isclass(model) and model.__name__.endswith(resource.kind), method
        found[resource.api_version, resource.kind] = resource.plural
        models[resource.api_version, resource.kind] = model
    assert len(found) > 60
    assert found["v1", "Pod"] == "pods" and found["v1", "Namespace"] == "namespaces"
    assert found["v1", "Event"] == found["events.k8s.io/v1", "Event"] == "events"
    assert found["apps/v1", "Deployment"] == "deployments"
    assert found["apiregistration.k8s.io/v1", "APIService"] == "apiservices"
    assert found["storage.k8s.io/v1", "CSINode"] == "csinodes"
    assert models["v1", "Event"] is client.CoreV1Event
    # Not what the name of the list says, where that says something else.
    if ("resource.k8s.io/v1", "ResourceClaim") in models:
        assert models["resource.k8s.io/v1", "ResourceClaim"] is client.ResourceV1ResourceClaim


def test_partials_tell(api_client: client.ApiClient) -> None:
    list_func = client.CoreV1Api(api_client).list_namespaced_pod
    assert resource_of(functools.partial(list_func, "here"), (), {}) == PODS
    assert resource_of(functools.partial(list_func, namespace="here"), (), {}) == PODS
    assert resource_of(functools.partial(functools.partial(list_func)), ("here",), {}) == PODS


def test_resources_of_the_dynamic_client_tell(tmp_path: Path) -> None:
    with FakeApiServer() as server, server.api_client() as api_client:
        dynamic_client = dynamic.DynamicClient(
            api_client, cache_file=str(tmp_path / "discovery.json"))
        pods = dynamic_client.resources.get(api_version="v1", kind="Pod")
        deployments = dynamic_client.resources.get(api_version="apps/v1", kind="Deployment")
    for list_func in (pods, pods.get, functools.partial(dynamic_client.get, pods)):
        assert resource_of(list_func, (), {}) == PODS
    assert resource_of(deployments, (), {"namespace": "here"}) == ApiResource(
        "apps", "v1", "Deployment", "deployments", True)


def test_others_do_not(api_client: client.ApiClient) -> None:
    def mine(**query: Any) -> Any:
        raise AssertionError("it was asked")

    custom = client.CustomObjectsApi(api_client)
    where = {"group": "example.com", "version": "v1", "plural": "widgets"}
    assert resource_of(custom.list_cluster_custom_object, (), where) is None
    assert resource_of(mine, (), {}) is None
    # Its arguments are not those of the method: who asks for real says so.
    assert resource_of(client.CoreV1Api(api_client).list_namespaced_pod, (), {"no": 1}) is None


def test_a_reflector_of_metadata_has_refs_of_that_kind() -> None:
    with FakeApiServer() as server, server.api_client() as api_client:
        server.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "one"}})
        with Reflector(client.CoreV1Api(api_client).list_node, metadata_only=True) as nodes:
            nodes.store.wait_until_ready(5)
            [ref] = nodes.store.keys()
            assert str(ref) == "Node.v1./one"
            [one] = nodes.store.state()
            # The object itself says what the server said.
            assert (one["kind"], one["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
            assert nodes.store.get(ref) is one
