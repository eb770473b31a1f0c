"""ConfigMaps that lack a label, found without ever fetching what is in them.

    python examples/metadata_only.py default team

Only the metadata comes over the network and is kept, however large the objects are. The same works
for every kind, custom resources among them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from kubernetes import client, config

from kube_reflect import Reflector, stop_on_signals
from kube_reflect.signals import Stop


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def metadata_of(partial: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of what comes, which is apiVersion, kind and metadata."""
    metadata: dict[str, Any] = partial["metadata"]
    return metadata


def main(
    v1: client.CoreV1Api,
    namespace: str = "default",
    label: str = "team",
    stop: Stop | None = None,
    show: Callable[[str], None] = say,
) -> None:
    """Show which ConfigMaps of a namespace lack a label until stopped or interrupted.

    :param v1: the client's API for the cluster.
    :param namespace: where the ConfigMaps are.
    :param label: what each of them is to have.
    :param stop: ends it when set.
    :param show: takes each line, on the handler's thread.
    """

    def labels(metadata: dict[str, Any]) -> dict[str, str]:
        return metadata.get("labels") or {}

    def look(metadata: dict[str, Any]) -> None:
        name, value = metadata["name"], labels(metadata).get(label)
        show(f"{name} lacks {label}" if value is None else f"{name} has {label}: {value}")

    stop = stop or Stop()
    config_maps = Reflector(v1.list_namespaced_config_map, namespace, metadata_only=True,
                            model=metadata_of)
    config_maps.add_handler(
        on_add=look,
        on_update=lambda old, new: look(new) if labels(old) != labels(new) else None)
    with config_maps:
        stop.wait()
        held = config_maps.store.memory()
        show(f"{held.objects} held in {held.bytes_at_rest} bytes")


if __name__ == "__main__":
    arguments = dict(enumerate(sys.argv))
    config.load_config()
    v1 = client.CoreV1Api()
    with stop_on_signals() as stop:
        main(v1, arguments.get(1, "default"), arguments.get(2, "team"), stop)
