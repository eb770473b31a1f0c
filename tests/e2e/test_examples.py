"""The examples run against a real API server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from tests.support import _examples
from ._apiserver import RealServer

GROUP = "examples.kube-reflect.example.com"
CRON_TABS = {
    "metadata": {"name": f"crontabs.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": "crontabs", "kind": "CronTab"},
        "versions": [{
            "name": "v1",
            "served": True,
            "storage": True,
            "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": True}},
        }],
    },
}


@pytest.fixture
def api_client(real_server: RealServer) -> Iterator[client.ApiClient]:
    with real_server.api_client() as api_client:
        yield api_client


@pytest.fixture
def cron_tabs(api_client: client.ApiClient) -> Iterator[str]:
    """Define a custom resource for a while, and give its plural."""
    definitions = client.ApiextensionsV1Api(api_client)
    definitions.create_custom_resource_definition(CRON_TABS)
    custom = client.CustomObjectsApi(api_client)

    def served() -> bool:
        try:
            custom.list_cluster_custom_object(GROUP, "v1", "crontabs")
        except ApiException as error:
            assert error.status == 404
            return False
        return True

    try:
        assert _examples.eventually(served)
        yield "crontabs"
    finally:
        definitions.delete_custom_resource_definition(f"crontabs.{GROUP}")


def test_nodes_by_architecture(api_client: client.ApiClient) -> None:
    _examples.exercise_nodes_by_architecture(api_client)
    left = client.CoreV1Api(api_client).list_node(label_selector="kubernetes.io/arch=vax")
    assert left.items == []


def test_pods(api_client: client.ApiClient, namespace: str) -> None:
    _examples.exercise_pods(api_client, namespace)
    assert len(client.CoreV1Api(api_client).list_namespaced_pod(namespace).items) == 1


def test_custom_resources(api_client: client.ApiClient, namespace: str, cron_tabs: str) -> None:
    _examples.exercise_custom_resources(api_client, namespace, GROUP, "v1", cron_tabs, "CronTab")
    remaining = client.CustomObjectsApi(api_client).list_namespaced_custom_object(
        GROUP, "v1", namespace, cron_tabs)
    assert isinstance(remaining, dict) and len(remaining["items"]) == 1


def test_event_stream(api_client: client.ApiClient, namespace: str) -> None:
    _examples.exercise_event_stream(api_client, namespace)
    with pytest.raises(ApiException):
        client.CoreV1Api(api_client).read_namespaced_config_map("x", namespace)


def test_operator_loop(
    real_server: RealServer, api_client: client.ApiClient, namespace: str
) -> None:
    with real_server.namespace() as target:
        _examples.exercise_operator_loop(api_client, namespace, target)
        copies = client.CoreV1Api(api_client).list_namespaced_config_map(
            target, label_selector="example.com/mirror-of")
        assert copies.items == []


def test_work_queue(api_client: client.ApiClient, namespace: str) -> None:
    _examples.exercise_work_queue(api_client, namespace)
    left = client.CoreV1Api(api_client).list_namespaced_config_map(namespace).items
    assert not [one for one in left if one.metadata.name.startswith("x-")]


def test_handlers(api_client: client.ApiClient, namespace: str) -> None:
    _examples.exercise_handlers(api_client, namespace)
    with pytest.raises(ApiException):
        client.CoreV1Api(api_client).read_namespaced_config_map("x", namespace)


def test_wait_for(api_client: client.ApiClient, namespace: str) -> None:
    _examples.exercise_wait_for(api_client, namespace)
    assert client.CoreV1Api(api_client).list_namespaced_pod(namespace).items == []


def test_metadata_only(api_client: client.ApiClient, namespace: str) -> None:
    _examples.exercise_metadata_only(api_client, namespace)
    with pytest.raises(ApiException):
        client.CoreV1Api(api_client).read_namespaced_config_map("x", namespace)


def test_namespaces(
    real_server: RealServer, api_client: client.ApiClient, namespace: str
) -> None:
    with real_server.namespace() as other:
        _examples.exercise_namespaces(api_client, [namespace, other])
        with pytest.raises(ApiException):
            client.CoreV1Api(api_client).read_namespaced_config_map("x", other)


def test_shared(api_client: client.ApiClient, namespace: str) -> None:
    _examples.exercise_shared(api_client, namespace)
    with pytest.raises(ApiException):
        client.CoreV1Api(api_client).read_namespaced_config_map("x", namespace)


def test_the_definitions_of_custom_resources_as_a_script(
    api_client: client.ApiClient, cron_tabs: str, tmp_path: Path
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    _examples.write_kubeconfig(api_client, kubeconfig)
    with _examples.script("custom_resources", kubeconfig=kubeconfig) as lines:
        assert lines.expect(lambda line: f"{cron_tabs}.{GROUP}" in line)
