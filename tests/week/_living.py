"""A process with reflectors in it, whose clock is moved on by the one that started it."""

from __future__ import annotations

import gc
import logging
import os
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

__all__ = ["NAMESPACE", "live"]

NAMESPACE = "shop"
#: Seconds for whatever must happen, real ones.
_DEADLINE = 60.0

_real = time.monotonic
_ahead = 0.0


def _monotonic() -> float:
    return _real() + _ahead


def live(url: str, token_file: str, connection: Connection) -> None:
    """Run the reflectors, and do as one is told, until there is no more to do.

    ``("until", version, seconds)`` moves the clock on and answers when all are at a version;
    ``("measure",)`` answers with the measures.
    """
    global _ahead
    # Before anybody has taken the clock of the machine: that is what the import is in here for.
    time.monotonic = _monotonic
    # The faults are meant.
    logging.getLogger("kube_reflect").setLevel(logging.ERROR)
    reflectors, told = _reflectors(url, token_file)
    for one in reflectors:
        one.start()
    while True:
        try:
            asked = connection.recv()
        except EOFError:
            # The test has failed.
            return
        match asked:
            case "until", version, seconds:
                _ahead += seconds
                connection.send(_wait(reflectors, told, version))
            case ("measure",):
                connection.send(_measure(reflectors, told))
            case _:
                break
    for one in reflectors:
        one.close()
    connection.send([thread.name for thread in threading.enumerate()])


def _reflectors(url: str, token_file: str) -> tuple[list[Any], list[dict[Any, str]]]:
    """Make three of different shapes, and what the subscriber and the handler of each are told."""
    from kubernetes import client

    from kube_reflect import Backoff, Config, InitialListStrategy, Reflector

    def refresh(configuration: Any) -> None:
        with open(token_file) as file:
            configuration.api_key["authorization"] = f"Bearer {file.read()}"

    def quick() -> Backoff:
        return Backoff(initial=0.005, maximum=0.05)

    configuration = client.Configuration(host=url)
    configuration.proxy = None
    configuration.refresh_api_key_hook = refresh
    refresh(configuration)
    v1 = client.CoreV1Api(client.ApiClient(configuration))
    index = {"app": lambda obj: [(obj["metadata"].get("labels") or {}).get("app", "")]}
    pages = Config(initial_list_strategy=InitialListStrategy.LIST_WATCH, page_size=50)
    reflectors = [
        Reflector(v1.list_namespaced_pod, NAMESPACE, name="typed", backoff=quick()),
        Reflector(v1.list_pod_for_all_namespaces, name="plain", model=dict, config=pages,
                  indexers=index, backoff=quick()),
        Reflector(v1.list_namespaced_pod, name="namespaces", namespaces=[NAMESPACE],
                  metadata_only=True, backoff=quick),
    ]
    return reflectors, [told for one in reflectors for told in _listeners(one)]


def _listeners(reflector: Any) -> tuple[dict[Any, str], dict[Any, str]]:
    from kube_reflect import Applied, Deleted

    def name(obj: Any) -> str:
        return obj["metadata"]["name"] if isinstance(obj, dict) else obj.metadata.name

    def version(obj: Any) -> str:
        return (obj["metadata"]["resourceVersion"] if isinstance(obj, dict)
                else obj.metadata.resource_version)

    def listen() -> None:
        for change in reflector.subscribe():
            match change:
                case Applied(object=obj):
                    told[name(obj)] = version(obj)
                case Deleted(object=obj):
                    told.pop(name(obj), None)
                case _:
                    told.clear()

    told: dict[Any, str] = {}
    handled: dict[Any, str] = {}
    reflector.add_handler(lambda obj: handled.__setitem__(name(obj), version(obj)),
                          lambda old, new: handled.__setitem__(name(new), version(new)),
                          lambda obj: handled.pop(name(obj), None), handled.clear)
    threading.Thread(target=listen, daemon=True, name=f"listener-{reflector.name}").start()
    return told, handled


def _wait(reflectors: list[Any], told: list[dict[Any, str]], version: str) -> str:
    """Wait until all is at a version, and live; return what is not."""
    end = _real() + _DEADLINE
    pause = threading.Event()
    while True:
        behind = [f"{one.name}: {one.status}" for one in reflectors
                  if not (one.status.live and one.store.resource_version is not None
                          and int(one.store.resource_version) >= int(version))]
        if not behind:
            objects = {len(one.store) for one in reflectors} | set(map(len, told))
            if len(objects) == 1:
                return ""
            behind = [f"numbers of objects differ: {objects}"]
        if _real() > end:
            return "\n".join(behind)
        pause.wait(0.002)


def _measure(reflectors: list[Any], told: list[dict[Any, str]]) -> dict[str, float]:
    gc.collect()
    with open("/proc/self/status") as file:
        status = dict(line.split(":", 1) for line in file)
    statuses = [one.status for one in reflectors]
    return {"rss MB": int(status["VmRSS"].split()[0]) / 1024,
            "descriptors": len(os.listdir("/proc/self/fd")),
            "threads": threading.active_count(), "gc objects": len(gc.get_objects()),
            "reconnects": min(one.reconnects for one in statuses),
            "relists": min(one.relists for one in statuses),
            "hours": _ahead / 3600}
