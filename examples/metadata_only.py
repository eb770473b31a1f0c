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
    """Take the metadata out of what comes, which is apiVersion, kind and metadata."""
    metadata: dict[str, Any] = partial["metadata"]
    return metadata


def main(
    api_client: client.ApiClient,
    namespace: str = "default",
    label: str = "team",
    stop: Stop | None = None,
    show: Callable[[str], None] = say,
) -> None:
    """Show which ConfigMaps of a namespace lack a label until stopped or interrupted.

    :param api_client: a client for the cluster.
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
    config_maps = Reflector(client.CoreV1Api(api_client).list_namespaced_config_map, namespace,
                            metadata_only=True, model=metadata_of)
    config_maps.add_handler(
        on_add=look,
        on_update=lambda old, new: look(new) if labels(old) != labels(new) else None)
    with config_maps:
        stop.wait()
        held = config_maps.store.memory()
        show(f"{held.objects} held in {held.bytes_at_rest} bytes")


if __name__ == "__main__":
    arguments = dict(enumerate(sys.argv))
    with stop_on_signals() as stop:
        config.load_config()
        main(client.ApiClient(), arguments.get(1, "default"), arguments.get(2, "team"), stop)
