"""Write, read one's own write, and wait for what comes of it.

    python examples/wait_for.py default

A Pod is created; the cache is waited for until it has it, and then until the Pod runs; then it is
deleted, and waited for until it is gone. Nothing polls: one watch tells all who wait.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from kubernetes import client, config

from kube_reflect import Config, ObjectRef, Reflector, stop_on_signals
from kube_reflect.conditions import is_deleted, is_pod_running

APP = "kube-reflect-example"


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def has_failed(pod: client.V1Pod | None) -> bool:
    """Whether a Pod will not run any more; a function like any other."""
    return pod is not None and pod.status is not None and pod.status.phase == "Failed"


def main(
    v1: client.CoreV1Api,
    namespace: str = "default",
    patience: float = 60.0,
    show: Callable[[str], None] = say,
) -> None:
    """Follow one Pod from its creation to its end.

    :param v1: the client's API for the cluster, with rights to create and delete Pods.
    :param namespace: where to create the Pod.
    :param patience: seconds to wait for each step.
    :param show: takes each line.
    """
    body: Any = {
        "metadata": {"generateName": f"{APP}-", "labels": {"app": APP}},
        "spec": {"containers": [{"name": "main", "image": "registry.k8s.io/pause:3.10"}]},
    }
    with Reflector(v1.list_namespaced_pod, namespace,
                   config=Config(label_selector=f"app={APP}")) as pods:
        created: Any = v1.create_namespaced_pod(namespace, body)
        pod = ObjectRef.from_object(created)
        try:
            pods.store.wait_for_version(created.metadata.resource_version, timeout=patience)
            assert pods.store.get(pod) is not None
            show(f"created: {pod.name}")
            found = pods.store.wait_for(pod, is_pod_running | has_failed, timeout=patience)
            show(f"{found.status.phase if found and found.status else 'gone'}: {pod.name}")
        except TimeoutError as error:
            show(f"not yet: {error}")
        finally:
            v1.delete_namespaced_pod(pod.name, namespace, grace_period_seconds=0)
        pods.store.wait_for(pod, is_deleted(created.metadata.uid), timeout=patience)
        show(f"deleted: {pod.name}")


if __name__ == "__main__":
    config.load_config()
    v1 = client.CoreV1Api()
    with stop_on_signals() as stop, stop.at_once():
        main(v1, sys.argv[1] if len(sys.argv) > 1 else "default")
