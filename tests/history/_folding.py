"""What a subscriber makes of its replay and its changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kube_reflect import Applied, Deleted, Subscription


def by_key(objects: Iterable[Any]) -> dict[tuple[str, str], Any]:
    """By namespace and name."""
    return {(one["metadata"].get("namespace", ""), one["metadata"]["name"]): one
            for one in objects}


def key_of(change: Any) -> tuple[str, str]:
    return change.ref.namespace or "", change.ref.name


class Fold:
    """Keeps the objects that a subscription tells of, and checks that what it tells makes sense."""

    def __init__(self, subscription: Subscription[Any]) -> None:
        self.subscription = subscription
        #: By namespace and name.
        self.known: dict[tuple[str, str], Any] = {}

    def take(self, change: Any) -> None:
        match change:
            case Applied():
                key = key_of(change)
                before = self.known.get(key)
                assert change.old == before, (change, change.old, before)
                if before is not None:
                    # Another object under the same name is a Deleted first.
                    assert before["metadata"]["uid"] == change.object["metadata"]["uid"]
                self.known[key] = change.object
            case Deleted():
                # What came and went before this subscriber looked may be told, or not.
                gone = self.known.pop(key_of(change), change.object)
                assert gone["metadata"]["uid"] == change.object["metadata"]["uid"]
            case _:
                self.known.clear()

    def drain(self) -> None:
        """Take all that is pending."""
        while True:
            try:
                change = self.subscription.get(timeout=0)
            except TimeoutError:
                return
            if change is None:
                return
            self.take(change)
