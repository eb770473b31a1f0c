"""Several threads that share the changes of one subscription, as from a work queue.

    python examples/work_queue.py default 4

Each change is worked on by one thread, and an object is with one thread at a time: what happens
to it meanwhile waits, and becomes one change. So a slow piece of work holds up neither the cache
nor the other objects, and two threads never work on the same one.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

from kubernetes import client, config

from kube_reflect import Applied, Deleted, Reflector, Subscription, stop_on_signals
from kube_reflect.signals import Stop


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def work(changes: Subscription[Any], show: Callable[[str], None]) -> None:
    """Work on changes until there are no more."""
    for change in changes:
        match change:
            case Applied(config_map):
                show(f"{config_map.metadata.name}: {len(config_map.data or {})} entries")
            case Deleted(config_map):
                show(f"{config_map.metadata.name}: gone")


def main(
    v1: client.CoreV1Api,
    namespace: str = "default",
    threads: int = 4,
    stop: Stop | None = None,
    show: Callable[[str], None] = say,
) -> None:
    """Show what happens to the ConfigMaps of a namespace until stopped or interrupted.

    :param v1: the client's API for the cluster.
    :param namespace: where the ConfigMaps are.
    :param threads: how many work on them.
    :param stop: ends it when set.
    :param show: takes each line, on the thread that worked.
    """
    stop = stop or Stop()
    with Reflector(v1.list_namespaced_config_map, namespace) as config_maps:
        changes = config_maps.subscribe()
        workers = [threading.Thread(target=work, args=(changes, show)) for _ in range(threads)]
        for worker in workers:
            worker.start()
        try:
            stop.wait()
        finally:
            changes.close()
            for worker in workers:
                worker.join()


if __name__ == "__main__":
    arguments = dict(enumerate(sys.argv))
    config.load_config()
    v1 = client.CoreV1Api()
    with stop_on_signals() as stop:
        main(v1, arguments.get(1, "default"), int(arguments.get(2, 4)), stop)
