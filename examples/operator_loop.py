"""A small operator without callbacks or asyncio: one loop that reads two stores and acts.

    python examples/operator_loop.py

A ConfigMap with the label ``example.com/mirror-to: NAMESPACE`` is kept as a copy of the same name
in that namespace. The loop is level-triggered: each round compares what is wanted with what is
there, from memory, and mends the difference. What it missed or failed at, the next round mends.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from kube_reflect import Config, Reflector, stop_on_signals
from kube_reflect.signals import Stop

MIRROR_TO = "example.com/mirror-to"
MIRROR_OF = "example.com/mirror-of"

log = logging.getLogger("operator")

#: An object as on the wire, with camelCase keys.
Object = dict[str, Any]
#: What a copy holds, by its namespace and name.
Copies = dict[tuple[str, str], Object]


def wanted_copies(sources: list[Object]) -> Copies:
    """Return the copies that there should be."""
    copies = {}
    for source in sources:
        metadata = source["metadata"]
        namespace = metadata["labels"][MIRROR_TO]
        copies[namespace, metadata["name"]] = {
            "metadata": {"name": metadata["name"], "labels": {MIRROR_OF: metadata["namespace"]}},
            "data": source.get("data", {}),
        }
    return copies


def found_copies(copies: list[Object]) -> Copies:
    """Return the copies that there are."""
    return {(copy["metadata"]["namespace"], copy["metadata"]["name"]): copy for copy in copies}


def mend(v1: client.CoreV1Api, wanted: Copies, found: Copies) -> None:
    """Create, replace and delete copies until what is found is what is wanted."""
    for (namespace, name), copy in wanted.items():
        there = found.get((namespace, name))
        if there is None:
            attempt("create", v1.create_namespaced_config_map, namespace, copy)
        elif there.get("data", {}) != copy["data"]:
            attempt("replace", v1.replace_namespaced_config_map, name, namespace, copy)
    for namespace, name in found.keys() - wanted.keys():
        attempt("delete", v1.delete_namespaced_config_map, name, namespace)


def attempt(verb: str, method: Callable[..., object], *args: object) -> None:
    """Call the API; a failure is logged, and left to the next round.

    A cache is always a little behind: the copy may have been created, or deleted, by the round
    before, and the news be still on its way here. So 404 and 409 are nothing to worry about.
    """
    try:
        method(*args)
    except ApiException as error:
        level = logging.DEBUG if error.status in (404, 409) else logging.WARNING
        log.log(level, "cannot %s: %s %s", verb, error.status, error.reason)
    else:
        log.info("%s done", verb)


def main(
    v1: client.CoreV1Api,
    every: float = 1.0,
    stop: Stop | None = None,
) -> None:
    """Run the operator until stopped or interrupted.

    :param v1: the client's API for the cluster, with rights to read and write ConfigMaps.
    :param every: seconds between two rounds.
    :param stop: ends it when set.
    """
    stop = stop or Stop()
    list_all = v1.list_config_map_for_all_namespaces
    with (
        Reflector(list_all, config=Config(label_selector=MIRROR_TO), model=dict) as sources,
        Reflector(list_all, config=Config(label_selector=MIRROR_OF), model=dict) as copies,
    ):
        # Acting on half of what is there would delete the other half.
        with stop.at_once():
            sources.store.wait_until_ready(timeout=30)
            copies.store.wait_until_ready(timeout=30)
        while True:
            mend(v1, wanted_copies(sources.store.state()), found_copies(copies.store.state()))
            if stop.wait(every):
                return


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    config.load_config()
    v1 = client.CoreV1Api()
    with stop_on_signals() as stop:
        main(v1, stop=stop)
