"""Small objects: as one creates them, and as a server hands them out."""

from __future__ import annotations

from typing import Any


def new_pod(name: str, namespace: str = "ns", **labels: str) -> dict[str, Any]:
    """Return a pod that nobody has created yet."""
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": {"containers": [{"name": "main", "image": "image:1"}]}}


def running_pod(name: str, namespace: str = "shop", phase: str = "Running",
                **labels: str) -> dict[str, Any]:
    """Return a pod that runs on a node, or is in another phase there."""
    made = new_pod(name, namespace, **labels)
    made["spec"]["nodeName"] = "node-1"
    return {**made, "status": {"phase": phase}}


def by_app(obj: Any) -> list[str]:
    """Index objects by their label ``app``."""
    return [obj["metadata"]["labels"]["app"]]


def pod(name: str, namespace: str = "ns", version: str = "1", uid: str | None = None,
        labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a pod that a server has, with little in it."""
    metadata = {"name": name, "namespace": namespace, "resourceVersion": version,
                "uid": uid or f"uid-{name}", **({"labels": labels} if labels else {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def node(name: str, version: str = "1", uid: str | None = None, **more: Any) -> dict[str, Any]:
    """Return the same of a kind that has no namespace."""
    return {"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "uid": uid or f"uid-{name}", "resourceVersion": version},
            **more}
