"""What type checkers are to refuse: each line that says so, and no other."""

from __future__ import annotations

from kubernetes import client

from kube_reflect import Reflector, shared
from kube_reflect.contrib.flask import KubeReflect

v1 = client.CoreV1Api()
custom = client.CustomObjectsApi()
pods = Reflector(v1.list_namespaced_pod, "shop")
pod = pods.store.get("x")
assert pod is not None

Reflector(v1.read_namespaced_pod, "x", "shop")  # wrong
shared(v1.read_namespaced_pod, "x", "shop")  # wrong
pod.spce  # wrong
pods.store.state(where=lambda one: one.metadta)  # wrong
pods.store.get(7)  # wrong
pods.store.find(lambda one: one.staus is None)  # wrong
pods.store.wait_for("x", lambda one: one is not None and one.spce is None)  # wrong
Reflector(v1.list_node, when_not_ready="wiat")  # wrong
Reflector(v1.list_node, copies="yes")  # wrong
Reflector(v1.list_node, transfrom=None)  # wrong
Reflector(v1.list_node, model=dict, transfrom=None)  # wrong
Reflector(v1.list_node, metadata_only=True, transfrom=None)  # wrong
Reflector(custom.list_cluster_custom_object, "example.org", "v1", "foos", nmae="x")  # wrong
Reflector(v1.list_node, resource_version="7")  # wrong
KubeReflect().reflector("nodes", client.CoreV1Api.list_node, transfrom=None)  # wrong
KubeReflect().reflector("nodes", client.CoreV1Api.list_node, model=dict, coppies=True)  # wrong
shared(v1.list_node, transfrom=None)  # wrong
shared(v1.list_node, copies="yes")  # wrong
shared(v1.list_node, model=dict, ready_timeuot=5)  # wrong
shared(v1.list_node, config={})  # wrong
Reflector(v1.list_node, model=dict).store.state()[0].metadata  # wrong
other: Reflector[client.V1Node] = Reflector(v1.list_namespaced_pod, "shop")  # wrong


def node_added(node: client.V1Node) -> None: ...


pods.add_handler(on_add=node_added)  # wrong
