"""The official client works against the fake server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, dynamic, watch

from kube_reflect.object_ref import ApiResource
from kube_reflect.testing import FakeApiServer

from ._raw import pod

FOO = ApiResource("example.com", "v1", "Foo")


@pytest.fixture
def api_client(server: FakeApiServer) -> Iterator[client.ApiClient]:
    with server.api_client() as made:
        yield made


def test_typed_writes_and_reads(server: FakeApiServer, api_client: client.ApiClient) -> None:
    v1: Any = client.CoreV1Api(api_client)
    made = v1.create_namespaced_pod("default", pod("a", app="web"))
    assert made.metadata.uid
    made.metadata.labels["app"] = "db"
    v1.replace_namespaced_pod("a", "default", made)
    v1.patch_namespaced_pod("a", "default", {"metadata": {"labels": {"tier": "x"}}})
    assert server.get("pods", "a")["metadata"]["labels"] == {"app": "db", "tier": "x"}
    with pytest.raises(client.ApiException) as stale:
        v1.replace_namespaced_pod("a", "default", made)
    assert stale.value.status == 409
    assert v1.delete_namespaced_pod("a", "default").metadata.name == "a"
    with pytest.raises(client.ApiException) as gone:
        v1.read_namespaced_pod("a", "default")
    assert gone.value.status == 404


def test_typed_pages(server: FakeApiServer, api_client: client.ApiClient) -> None:
    v1: Any = client.CoreV1Api(api_client)
    for number in range(5):
        server.create(pod(f"p{number}"))
    first = v1.list_pod_for_all_namespaces(limit=3)
    assert first.metadata.remaining_item_count == 2
    rest = v1.list_pod_for_all_namespaces(_continue=first.metadata._continue)
    assert [one.metadata.name for one in first.items + rest.items] == [
        f"p{number}" for number in range(5)]


def test_typed_watch(server: FakeApiServer, api_client: client.ApiClient) -> None:
    v1: Any = client.CoreV1Api(api_client)
    server.create(pod("a"))
    version = v1.list_namespaced_pod("default").metadata.resource_version
    server.patch("pods", "a", {"status": {"phase": "Running"}})
    server.delete("pods", "a")
    events = [(event["type"], event["object"].status.phase) for event in watch.Watch().stream(
        v1.list_namespaced_pod, "default", resource_version=version, timeout_seconds=1)]
    assert events == [("MODIFIED", "Running"), ("DELETED", "Running")]


def test_custom_objects(server: FakeApiServer, api_client: client.ApiClient) -> None:
    server.register(FOO)
    custom: Any = client.CustomObjectsApi(api_client)
    where: tuple[Any, ...] = ("example.com", "v1", "default", "foos")
    body = {"apiVersion": "example.com/v1", "kind": "Foo", "metadata": {"name": "a"},
            "spec": {"n": 1}}
    custom.create_namespaced_custom_object(*where, body)
    custom.patch_namespaced_custom_object(*where, "a", {"spec": {"n": 2}})
    listed = custom.list_namespaced_custom_object(*where)
    assert [item["spec"] for item in listed["items"]] == [{"n": 2}]
    assert listed["items"][0]["metadata"]["generation"] == 2
    events = watch.Watch().stream(
        custom.list_namespaced_custom_object, *where, timeout_seconds=1)
    assert [event["type"] for event in events] == ["ADDED"]
    assert custom.delete_namespaced_custom_object(*where, "a")["status"] == "Success"


def test_other_groups(server: FakeApiServer, api_client: client.ApiClient) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": []}}
    server.create({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
                   "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}})
    apps: Any = client.AppsV1Api(api_client)
    assert [one.metadata.name for one in apps.list_deployment_for_all_namespaces().items] == ["d"]
    changed = apps.patch_namespaced_deployment_status("d", "default", {"status": {"replicas": 1}})
    assert (changed.status.replicas, changed.metadata.generation) == (1, 1)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_dynamic_client(server: FakeApiServer, api_client: client.ApiClient) -> None:
    server.register(FOO)
    server.create(pod("a"))
    found = dynamic.DynamicClient(api_client)
    pods = found.resources.get(api_version="v1", kind="Pod")
    assert [one.metadata.name for one in pods.get(namespace="default").items] == ["a"]
    foos = found.resources.get(api_version="example.com/v1", kind="Foo")
    foos.create(namespace="default", body={
        "apiVersion": "example.com/v1", "kind": "Foo", "metadata": {"name": "f"}})
    assert server.get("foos", "f")["metadata"]["uid"]
    events = list(pods.watch(namespace="default", timeout=1))
    assert [event["type"] for event in events] == ["ADDED"]


def test_tokens_and_refusals(server: FakeApiServer) -> None:
    server.tokens = {"secret": "alice", "other": "bob"}
    assert client.CoreV1Api(server.api_client()).list_node().items == []
    for token, code in (("other", 200), ("wrong", 401)):
        api = client.CoreV1Api(server.api_client(token))
        try:
            api.list_node()
            answer = 200
        except client.ApiException as error:
            answer = error.status
        assert answer == code
    server.forbid("nodes")
    with pytest.raises(client.ApiException, match=r'User \\"alice\\" cannot list resource'):
        client.CoreV1Api(server.api_client()).list_node()
