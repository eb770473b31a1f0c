"""What type checkers take, and what they infer; checked by mypy and pyright, and never run."""

from __future__ import annotations

import functools
from typing import Any

from kubernetes import client
from typing_extensions import assert_type

from kube_reflect import Applied, Deleted, Reflector, Resync, Shared, Store, shared

v1 = client.CoreV1Api()
custom = client.CustomObjectsApi()


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
assert_type(shared(v1.list_node), Shared[client.V1Node])
assert_type(shared(v1.list_node).store.state(), list[client.V1Node])
assert_type(shared(v1.list_node, model=Row), Shared[Row])

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
pods.store.wait_for("x", lambda pod: pod is not None and pod.spec is not None)
