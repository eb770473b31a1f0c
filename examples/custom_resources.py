"""Custom resources, through the official client's CustomObjectsApi: no model class is needed.

    python examples/custom_resources.py stable.example.com v1 crontabs

Without arguments it shows the definitions of custom resources themselves, which every cluster
serves in the same way.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from kubernetes import client, config

from kube_reflect import NotReady, Reflector, Snapshot, stop_on_signals
from kube_reflect.signals import Stop


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def describe(snapshot: Snapshot[dict[str, Any]]) -> str:
    """Return the objects of one moment in a line, such as ``2 at version 417: a, b``."""
    names = sorted(ref.name for ref in snapshot.keys())
    return f"{len(snapshot)} at version {snapshot.resource_version}: {', '.join(names)}"


def main(
    custom: client.CustomObjectsApi,
    group: str,
    version: str,
    plural: str,
    *,
    every: float = 1.0,
    patience: float = 10.0,
    stop: Stop | None = None,
    show: Callable[[str], None] = say,
) -> None:
    """Show the custom resources of a kind, of the whole cluster, whenever they change.

    :param custom: the client's API for the cluster.
    :param group: the API group, such as ``stable.example.com``.
    :param version: the version in that group, such as ``v1``.
    :param plural: the resource's name in paths, such as ``crontabs``.
    :param every: seconds between two looks at the store.
    :param patience: seconds to wait for the first list.
    :param stop: ends it when set.
    :param show: takes each line.
    :raises NotReady: when there is no such resource, or no right to list it; its cause says which.
    """
    stop = stop or Stop()
    with Reflector(custom.list_cluster_custom_object, group, version, plural,
                   model=dict) as reflector:
        with stop.at_once():
            reflector.store.wait_until_ready(timeout=patience)
        shown = None
        while True:
            snapshot = reflector.store.snapshot()
            if snapshot.resource_version != shown:
                show(describe(snapshot))
                shown = snapshot.resource_version
            if stop.wait(every):
                return


if __name__ == "__main__":
    which = sys.argv[1:4] or ("apiextensions.k8s.io", "v1", "customresourcedefinitions")
    config.load_config()
    custom = client.CustomObjectsApi()
    with stop_on_signals() as stop:
        try:
            main(custom, *which, stop=stop)
        except NotReady as error:
            sys.exit(f"{error} ({error.__cause__})")
