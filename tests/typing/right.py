"""What type checkers take, and what they infer; checked by mypy and pyright, and never run."""

from __future__ import annotations

import functools
from typing import Any

from kubernetes import client
from typing_extensions import assert_type

from kube_reflect import Applied, Deleted, Reflector, Resync, Shared, Store, shared
from kube_reflect.contrib.flask import Declared, KubeReflect

v1 = client.CoreV1Api()
custom = client.CustomObjectsApi()
anything: Any = None


class Row:
    def __init__(self, obj: dict[str, Any]) -> None:
        self.name: str = obj["metadata"]["name"]


pods = Reflector(v1.list_namespaced_pod, "shop", name="pods")
assert_type(pods, Reflector[client.V1Pod])
assert_type(pods.store, Store[client.V1Pod])
assert_type(pods.store.get("x"), "client.V1Pod | None")
assert_type(pods.store.state(namespace="shop"), list[client.V1Pod])
assert_type(pods.start().store.snapshot().find(lambda pod: pod.kind == "Pod"),
            "client.V1Pod | None")
assert_type(Reflector(functools.partial(v1.list_namespaced_pod, "shop")),
            Reflector[client.V1Pod])
assert_type(Reflector(v1.list_node, model=dict), Reflector[dict[str, Any]])
assert_type(Reflector(v1.list_node, metadata_only=True), Reflector[dict[str, Any]])
assert_type(Reflector(v1.list_node, model=Row), Reflector[Row])
assert_type(Reflector(v1.list_node, model=lambda obj: len(obj)), Reflector[int])
assert_type(Reflector(custom.list_namespaced_custom_object, "example.org", "v1", "ns", "foos"),
            Reflector[dict[str, Any]])
assert_type(Reflector(custom.list_cluster_custom_object, "example.org", "v1", "foos"),
            Reflector[dict[str, Any]])
assert_type(Reflector(v1.list_node, name="nodes", when_not_ready="raise", copies=True,
                      indexers={"zone": lambda node: [node["metadata"]["name"]]}),
            Reflector[client.V1Node])
assert_type(shared(v1.list_node), Shared[client.V1Node])
assert_type(shared(v1.list_node).store.state(), list[client.V1Node])
assert_type(shared(v1.list_node, model=Row), Shared[Row])
assert_type(shared(v1.list_node, metadata_only=True), Shared[dict[str, Any]])
assert_type(shared(v1.list_namespaced_pod, "shop", name="pods", copies=True, ready_timeout=5,
                   pretty="true"), Shared[client.V1Pod])
assert_type(shared(custom.list_cluster_custom_object, group="example.org", version="v1",
                   plural="foos", decoded_limit=7), Shared[dict[str, Any]])


def list_pods_of(tenant: str, *, watch: bool = False) -> client.V1PodList:
    raise NotImplementedError


# What only a function of one's own takes.
assert_type(Reflector(list_pods_of, "x"), Reflector[client.V1Pod])
assert_type(shared(functools.partial(list_pods_of, tenant="x"), name="x"), Shared[client.V1Pod])

kube = KubeReflect()
assert_type(kube.reflector("nodes", client.CoreV1Api.list_node, copies=True),
            Declared[client.V1Node])
assert_type(kube.reflector("rows", client.CoreV1Api.list_node, model=Row), Declared[Row])
assert_type(kube.reflector("foos", client.CustomObjectsApi.list_cluster_custom_object,
                           group="example.org", version="v1", plural="foos"), Declared[Any])

for change in pods.subscribe():
    match change:
        case Applied():
            assert_type(change.object, client.V1Pod)
            assert_type(change.old, "client.V1Pod | None")
        case Deleted():
            assert_type(change.object, client.V1Pod)
        case Resync():
            pass


def added(pod: client.V1Pod) -> None: ...


pods.add_handler(on_add=added)
def moved(before: client.V1Pod, after: client.V1Pod) -> None: ...


pods.add_handler(on_update=moved, on_delete=added)
pods.store.wait_for("x", lambda pod: pod is not None and pod.spec is not None)
assert_type(pods.store.wait_for("x", lambda pod: pod is not None), "client.V1Pod | None")
assert_type([pod for pod in pods.store], list[client.V1Pod])
assert_type(pods.store.by_index("node", "node-1"), list[client.V1Pod])
assert_type(pods.store.snapshot().get("x"), "client.V1Pod | None")
with Reflector(v1.list_node) as nodes:
    assert_type(nodes.store.find(lambda node: node.spec is not None), "client.V1Node | None")


# As the methods of older clients, and the resources of the dynamic client.
def list_unannotated(namespace, **kwargs):  # type: ignore[no-untyped-def]
    return anything


unknown = Reflector(list_unannotated, "shop")
unknown.store.state()[0].anything.at_all
said: Reflector[client.V1Pod] = Reflector(list_unannotated, "shop")
assert_type(said.store.get("x"), "client.V1Pod | None")
