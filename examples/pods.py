"""Worker threads that poll one store of pods, each for a namespace of its own.

    python examples/pods.py default kube-system

One watch feeds them all; a poll is a read of memory, so it may be as frequent as one likes.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence

from kubernetes import client, config

from kube_reflect import Reflector, Store, stop_on_signals
from kube_reflect.signals import Stop


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def phases(store: Store[client.V1Pod], namespace: str) -> str:
    """Return the pods of a namespace in one line, such as ``default: 2 Pending, 7 Running``."""
    counted = Counter(
        (pod.status and pod.status.phase) or "Unknown" for pod in store.state(namespace=namespace)
    )
    found = ", ".join(f"{count} {phase}" for phase, count in sorted(counted.items()))
    return f"{namespace}: {found or 'no pods'}"


def poll(
    store: Store[client.V1Pod],
    namespace: str,
    every: float,
    stop: Stop,
    show: Callable[[str], None],
) -> None:
    """Show the pods of a namespace whenever a poll finds that they changed."""
    shown = ""
    while True:
        line = phases(store, namespace)
        if line != shown:
            show(line)
            shown = line
        if stop.wait(every):
            return


def main(
    v1: client.CoreV1Api,
    namespaces: Sequence[str] = ("default", "kube-system"),
    every: float = 1.0,
    stop: Stop | None = None,
    show: Callable[[str], None] = say,
) -> None:
    """Show the pods of some namespaces until stopped or interrupted.

    :param v1: the client's API for the cluster.
    :param namespaces: each gets a worker.
    :param every: seconds between two polls of a worker.
    :param stop: ends the workers when set.
    :param show: takes each line, on the worker's thread.
    """
    stop = stop or Stop()
    with Reflector(v1.list_pod_for_all_namespaces) as pods:
        with stop.at_once():
            pods.store.wait_until_ready(timeout=30)
        workers = [
            threading.Thread(target=poll, args=(pods.store, namespace, every, stop, show))
            for namespace in namespaces
        ]
        # Something may go wrong while they are being started, too.
        try:
            for worker in workers:
                worker.start()
            stop.wait()
        finally:
            stop.set()
            for worker in workers:
                if worker.is_alive():
                    worker.join()


if __name__ == "__main__":
    config.load_config()
    v1 = client.CoreV1Api()
    with stop_on_signals() as stop:
        main(v1, sys.argv[1:] or ("default", "kube-system"), stop=stop)
