"""The events themselves, on a thread of one's own: what a Reflector is made of.

    python examples/event_stream.py default

A stream never ends because of an error: errors are items of it, and ``backoff`` waits after each.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable

from kubernetes import client, config

from kube_reflect import (
    Apply,
    Delete,
    InitDone,
    ObjectRef,
    Watcher,
    WatcherError,
    Writer,
    reflect,
    stop_on_signals,
    streams,
)


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def main(
    v1: client.CoreV1Api,
    namespace: str = "default",
    on_start: Callable[[Watcher], None] = lambda watcher: None,
    show: Callable[[str], None] = say,
) -> None:
    """Show what happens to the ConfigMaps of a namespace until interrupted.

    :param v1: the client's API for the cluster.
    :param namespace: where to look.
    :param on_start: is given the watcher, whose close() ends the stream from any thread.
    :param show: takes each line.
    """
    watcher = Watcher(v1.list_namespaced_config_map, namespace)
    writer = Writer(model=dict)
    store = writer.as_reader()
    on_start(watcher)
    with contextlib.closing(watcher):
        for item in reflect(writer, streams.backoff(watcher)):
            match item:
                case InitDone():
                    show(f"listed: {len(store)}")
                case Apply(obj):
                    show(f"applied: {ObjectRef.from_object(obj)}; now {len(store)}")
                case Delete(obj):
                    show(f"deleted: {ObjectRef.from_object(obj)}; now {len(store)}")
                case WatcherError():
                    show(f"failed, will be tried again: {item}")


if __name__ == "__main__":
    config.load_config()
    v1 = client.CoreV1Api()
    with stop_on_signals() as stop, stop.at_once():
        main(v1, sys.argv[1] if len(sys.argv) > 1 else "default")
