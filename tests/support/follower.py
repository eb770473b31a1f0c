"""A subscriber that believes what it is told, and complains of what cannot be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kube_reflect import Applied, Deleted, Resync, Subscription

#: Namespace, "" where there is none, and name.
Key = tuple[str, str]


def key_of(obj: Any) -> Key:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def by_key(objects: Iterable[Any]) -> dict[Key, Any]:
    return {key_of(obj): obj for obj in objects}


def version_of(obj: Any) -> tuple[str, str]:
    return obj["metadata"]["uid"], obj["metadata"]["resourceVersion"]


def versions(objects: Iterable[Any]) -> dict[Key, tuple[str, str]]:
    """Return which objects these are, and how new."""
    return {key_of(obj): version_of(obj) for obj in objects}


class Follower:
    """Keeps what there is, by the changes of a subscription alone."""

    def __init__(self, subscription: Subscription[Any]) -> None:
        self.subscription = subscription
        self.objects: dict[Key, Any] = {}
        #: (uid, resourceVersion) of each deletion.
        self.deleted: list[tuple[str, str]] = []
        self.resyncs = 0

    def take(self, change: Any) -> None:
        """Note a change, and check that it can follow what came before."""
        match change:
            case Applied(obj, old):
                known = self.objects.get(key_of(obj))
                assert old == known and change.is_new == (known is None), (change, old, known)
                if known is not None:
                    assert version_of(obj)[0] == version_of(known)[0], "another uid, not deleted"
                self.objects[key_of(obj)] = obj
            case Deleted(obj):
                # What came and went before the subscriber looked may be told, or not.
                known = self.objects.pop(key_of(obj), None)
                assert known is None or version_of(known)[0] == version_of(obj)[0], change
                self.deleted.append(version_of(obj))
            case Resync():
                self.objects.clear()
                self.resyncs += 1

    def drain(self, most: int = 10**9) -> int:
        """Take what is pending, and return how much that was."""
        for taken in range(most):
            try:
                change = self.subscription.get(timeout=0)
            except TimeoutError:
                return taken
            if change is None:
                return taken
            self.take(change)
        return most

    def follow(self) -> None:
        """Take all there will ever be."""
        for change in self.subscription:
            self.take(change)

    def versions(self) -> dict[Key, tuple[str, str]]:
        return versions(self.objects.values())
