"""ConfigMaps of several namespaces, for those who may not list all of them.

    python examples/namespaces.py shop default

Each namespace is watched by itself, into one store. One that is refused is said to be, and holds
up no other.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

from kubernetes import client, config

from kube_reflect import Reflector, stop_on_signals
from kube_reflect.signals import Stop


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def describe(config_maps: Reflector[client.V1ConfigMap], namespace: str) -> str:
    """Say how many there are in a namespace, or why that is not known."""
    status = config_maps.status.namespaces[namespace]
    if status.ready:
        return f"{namespace}: {len(config_maps.store.state(namespace=namespace))} ConfigMaps"
    if status.code is not None:
        return f"{namespace}: refused with {status.code}"
    return f"{namespace}: not listed yet"


def main(
    v1: client.CoreV1Api,
    namespaces: Iterable[str] = ("default",),
    every: float = 1.0,
    stop: Stop | None = None,
    show: Callable[[str], None] = say,
) -> None:
    """Show what becomes of each namespace until stopped or interrupted.

    :param v1: the client's API for the cluster.
    :param namespaces: which ones.
    :param every: seconds between two looks at the store, which ask the API server nothing.
    :param stop: ends it when set.
    :param show: takes each line.
    """
    stop = stop or Stop()
    shown: dict[str, str] = {}
    # One that is refused is not to hold up reads of the others.
    with Reflector(v1.list_namespaced_config_map, namespaces=namespaces,
                   when_not_ready="empty") as config_maps:
        # More could be added now, by add_namespace, and others removed.
        while not stop.wait(every):
            for namespace in config_maps.status.namespaces:
                line = describe(config_maps, namespace)
                if shown.get(namespace) != line:
                    shown[namespace] = line
                    show(line)


if __name__ == "__main__":
    config.load_config()
    v1 = client.CoreV1Api()
    with stop_on_signals() as stop:
        main(v1, sys.argv[1:] or ["default"], stop=stop)
