"""Two modules that know nothing of each other, and use one watch.

    python examples/shared.py default

Each asks for the ConfigMaps by itself and closes what it got. They watch the same with the same
client, so there is one reflector, which ends with the last of them.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable

from kubernetes import client, config

from kube_reflect import shared, stop_on_signals
from kube_reflect.signals import Stop


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


class Names:
    """One module: shows the name of each new ConfigMap."""

    def __init__(self, v1: client.CoreV1Api, namespace: str,
                 show: Callable[[str], None]) -> None:
        self._config_maps = shared(v1.list_namespaced_config_map, namespace)
        self._handler = self._config_maps.add_handler(
            on_add=lambda new: show(f"there: {new.metadata and new.metadata.name}"))

    def close(self) -> None:
        """Use them no more."""
        self._handler.remove()
        self._config_maps.close()


class Sizes:
    """Another module: shows the number of their entries when it changes."""

    def __init__(self, v1: client.CoreV1Api, namespace: str,
                 show: Callable[[str], None]) -> None:
        self._config_maps = shared(v1.list_namespaced_config_map, namespace=namespace)
        self._show = show
        self._shown = -1

    def look(self) -> None:
        """Look at the store, which asks the API server nothing."""
        entries = sum(len(one.data or {}) for one in self._config_maps.store)
        if self._config_maps.store.ready and entries != self._shown:
            self._shown = entries
            self._show(f"entries: {entries}")

    def close(self) -> None:
        """Use them no more."""
        self._config_maps.close()


def main(
    v1: client.CoreV1Api,
    namespace: str = "default",
    every: float = 1.0,
    stop: Stop | None = None,
    show: Callable[[str], None] = say,
) -> None:
    """Run both modules until stopped or interrupted.

    :param v1: the client's API for the cluster.
    :param namespace: where the ConfigMaps are.
    :param every: seconds between two looks at the store.
    :param stop: ends it when set.
    :param show: takes each line.
    """
    stop = stop or Stop()
    with contextlib.closing(Sizes(v1, namespace, show)) as sizes, \
            contextlib.closing(Names(v1, namespace, show)):
        while not stop.wait(every):
            sizes.look()


if __name__ == "__main__":
    config.load_config()
    v1 = client.CoreV1Api()
    with stop_on_signals() as stop:
        main(v1, sys.argv[1] if len(sys.argv) > 1 else "default", stop=stop)
