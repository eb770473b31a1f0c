"""Writes, one of each kind or at random, and what may come between."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from ._objects import CONFIG_MAPS, OURS, config_map
from ._servers import ContractServer, Fake, Key

APPS = ("web", "db", "cache")
NAMES = [f"c{number}" for number in range(8)]


def put(server: ContractServer, namespace: str, name: str, value: str) -> dict[str, Any]:
    """Create a config map that is ours."""
    return server.create(config_map(name, namespace, value, OURS))


def put_four(server: ContractServer, namespace: str) -> None:
    """Create what `change_each` changes."""
    for name in ("kept", "changed", "gone", "anew"):
        put(server, namespace, name, "1")


def change_each(server: ContractServer, namespace: str) -> dict[Key, Any]:
    """Change one, delete one, make one anew, create one; return what is ours then."""
    server.delete(CONFIG_MAPS, "gone", namespace)
    server.delete(CONFIG_MAPS, "anew", namespace)
    put(server, namespace, "anew", "2")
    server.patch(CONFIG_MAPS, "changed", namespace, {"data": {"value": "2"}})
    put(server, namespace, "new", "1")
    return server.objects(CONFIG_MAPS, namespace, labelSelector="ours")


class Churn:
    """Random creations, changes and deletions, the same for the same seed."""

    def __init__(self, server: ContractServer, namespaces: list[str], seed: int) -> None:
        self._server, self._draw = server, random.Random(seed)
        self._places = [(namespace, name) for namespace in namespaces for name in NAMES]
        # What is shared with other users of a cluster is told apart by a label.
        self._of = namespaces[0]
        self._there: set[Key] = set()

    def step(self) -> None:
        draw, server = self._draw, self._server
        namespace, name = place = draw.choice(self._places)
        labels = {"of": self._of, "app": draw.choice(APPS)}
        value = str(draw.randrange(10**6)) * draw.choice((1, 1, 200))
        if place not in self._there:
            server.create(config_map(name, namespace, value, labels))
            self._there.add(place)
        elif draw.random() < 0.4:
            server.delete(CONFIG_MAPS, name, namespace)
            self._there.discard(place)
            if draw.random() < 0.5:
                server.create(config_map(name, namespace, value, labels))
                self._there.add(place)
        else:
            server.patch(CONFIG_MAPS, name, namespace,
                         {"metadata": {"labels": labels}, "data": {"value": value}})


def disturbances(server: ContractServer) -> list[Callable[[], object]]:
    """What may come between while objects change."""
    if isinstance(server, Fake):
        fake = server.fake
        return [fake.disconnect, fake.compact, server.expire_watches, server.restart]
    return []
