"""Tells of containers that crash again and again; the program that the tests beside it are of."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

from kubernetes import client, config

from kube_reflect import Applied, Reflector, Store

LIMIT = 3


def crash_looping(pod: client.V1Pod) -> bool:
    """Whether a container of a pod has been restarted too often."""
    statuses = (pod.status and pod.status.container_statuses) or []
    return any(one.restart_count > LIMIT for one in statuses)


def report(pods: Store[client.V1Pod]) -> list[str]:
    """Name the pods that crash, by what a cache holds of them at this moment."""
    found = [pod.metadata for pod in pods.state(where=crash_looping) if pod.metadata]
    return sorted(f"{metadata.namespace}/{metadata.name}" for metadata in found)


def follow(pods: Reflector[client.V1Pod], stop: threading.Event,
           show: Callable[[str], object]) -> None:
    """Report each pod, once, when it begins to crash."""
    told = set()
    with pods.subscribe() as changes:
        while not stop.is_set():
            try:
                change = changes.get(timeout=0.2)
            except TimeoutError:
                continue
            if change is None:
                return
            if isinstance(change, Applied) and crash_looping(change.object):
                if change.ref not in told:
                    told.add(change.ref)
                    show(f"{change.ref.namespace}/{change.ref.name} crashes")


def main(namespace: str) -> None:
    """Follow a namespace until it is interrupted."""
    config.load_kube_config()
    pods = Reflector(client.CoreV1Api().list_namespaced_pod, namespace)
    with pods:
        try:
            follow(pods, threading.Event(), lambda line: print(line, flush=True))
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main(sys.argv[1])
