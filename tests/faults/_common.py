"""What the tests of faults share."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kubernetes import client

from kube_reflect import Backoff, Config, InitialListStrategy, Phase, Reflector
from kube_reflect.testing import FaultServer

from tests.support.objects import new_pod
from tests.support.waiting import wait_until

NAMESPACE = "ns"
AUTO, LIST_WATCH = InitialListStrategy.AUTO, InitialListStrategy.LIST_WATCH
STRATEGIES = [AUTO, LIST_WATCH]


def pod(name: str, namespace: str = NAMESPACE, **annotations: str) -> dict[str, Any]:
    made = new_pod(name, namespace)
    made["metadata"]["annotations"] = annotations
    return made


def api(server: FaultServer) -> client.CoreV1Api:
    return client.CoreV1Api(server.api_client())


def quick() -> Backoff:
    return Backoff(initial=0.02, maximum=0.1)


def config(strategy: InitialListStrategy = AUTO, **settings: Any) -> Config:
    return Config(initial_list_strategy=strategy, **settings)


def reflector(server: FaultServer, settings: Config | None = None, **more: Any) -> Reflector:
    """Make a reflector of a server's pods, impatient and of mappings."""
    more = {"backoff": quick(), "model": dict, **more}
    return Reflector(api(server).list_namespaced_pod, NAMESPACE, config=settings or config(),
                     **more)


def versions(store: Any) -> dict[str, str]:
    """The resource version of each object, by name, of a store of mappings."""
    return {obj["metadata"]["name"]: obj["metadata"]["resourceVersion"] for obj in store.state()}


def served(server: FaultServer) -> dict[str, str]:
    """The same of what the server has."""
    return {obj["metadata"]["name"]: obj["metadata"]["resourceVersion"]
            for obj in server.objects("Pod", NAMESPACE)}


def check_in_step(running: Reflector, server: FaultServer) -> None:
    """Wait until the store has what the server has, and watches."""
    wait_until(lambda: running.store.ready and versions(running.store) == served(server),
               "the store being in step")
    # The server counts a watch as soon as it has read of it, the reflector once it has begun.
    wait_until(lambda: server.watches and running.status.phase is Phase.WATCHING, "a watch")
    assert versions(running.store) == served(server)


def lists(server: FaultServer) -> int:
    """How many LISTs and streaming lists a server was asked for; further pages aside."""
    return sum(1 for request in server.requests
               if (request.verb == "list" and not request.query.get("continue"))
               or request.flag("sendInitialEvents"))


def said(records: list[logging.LogRecord], level: int = logging.WARNING) -> list[str]:
    """What was logged at a level or above, by whomever."""
    return [record.getMessage() for record in records if record.levelno >= level]


def check_no_traceback(records: list[logging.LogRecord]) -> None:
    assert [record.getMessage() for record in records if record.exc_info] == []


@contextmanager
def churning(server: FaultServer, prefix: str = "churn") -> Iterator[None]:
    """Create, change and delete pods meanwhile."""
    over = threading.Event()

    def churn() -> None:
        number = 0
        while not over.wait(0.002):
            name = f"{prefix}-{number % 7}"
            found = [one for one in server.objects("Pod", NAMESPACE)
                     if one["metadata"]["name"] == name]
            if not found:
                server.create(pod(name))
            elif number % 3:
                server.patch("Pod", name, {"metadata": {"annotations": {"n": str(number)}}},
                             NAMESPACE)
            else:
                server.delete("Pod", name, NAMESPACE)
            number += 1

    thread = threading.Thread(target=churn, name="churn")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class VirtualTime:
    """A clock that only sleeping moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def disconnect(server: FaultServer) -> None:
    """Cut the open watch, as soon as there is one."""
    wait_until(server.disconnect, "a watch that can be cut")
