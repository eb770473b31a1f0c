"""Callbacks for what is added, changed and deleted, as with the official informer.

    python examples/handlers.py default

They run on a thread of their own, one at a time: they may take as long as they like, raise, and
close the reflector.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from kubernetes import client, config

from kube_reflect import Reflector, stop_on_signals
from kube_reflect.signals import Stop


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def name_of(config_map: client.V1ConfigMap) -> str:
    """Return the name, which each that is stored has."""
    assert config_map.metadata is not None and config_map.metadata.name is not None
    return config_map.metadata.name


def changed_keys(old: client.V1ConfigMap, new: client.V1ConfigMap) -> list[str]:
    """Return the keys of the entries that differ."""
    before, after = old.data or {}, new.data or {}
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def main(
    v1: client.CoreV1Api,
    namespace: str = "default",
    stop: Stop | None = None,
    show: Callable[[str], None] = say,
) -> None:
    """Show what happens to the ConfigMaps of a namespace until stopped or interrupted.

    :param v1: the client's API for the cluster.
    :param namespace: where the ConfigMaps are.
    :param stop: ends it when set.
    :param show: takes each line, on the handler's thread.
    """
    stop = stop or Stop()
    config_maps = Reflector(v1.list_namespaced_config_map, namespace)
    config_maps.add_handler(
        on_add=lambda new: show(f"added: {name_of(new)}"),
        on_update=lambda old, new: show(
            f"changed: {name_of(new)}: {', '.join(changed_keys(old, new)) or 'metadata'}"),
        on_delete=lambda last: show(f"deleted: {name_of(last)}"),
    )
    with config_maps:
        stop.wait()


if __name__ == "__main__":
    config.load_config()
    v1 = client.CoreV1Api()
    with stop_on_signals() as stop:
        main(v1, sys.argv[1] if len(sys.argv) > 1 else "default", stop=stop)
