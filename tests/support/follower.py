"""A subscriber that believes what it is told, and complains of what cannot be."""

from __future__ import annotations

from typing import Any

from kube_reflect import Applied, Deleted, Resync, Subscription

Name = tuple[Any, str]


def name_of(obj: Any) -> Name:
    return obj["metadata"].get("namespace"), obj["metadata"]["name"]


def version_of(obj: Any) -> tuple[str, str]:
    return obj["metadata"]["uid"], obj["metadata"]["resourceVersion"]


class Follower:
    """Keeps what there is, by the changes alone."""

    def __init__(self) -> None:
        self.objects: dict[Name, Any] = {}
        #: (uid, resourceVersion) of each deletion.
        self.deleted: list[tuple[str, str]] = []
        self.resyncs = 0

    def take(self, change: Any) -> None:
        match change:
            case Applied(obj, old):
                known = self.objects.get(name_of(obj))
                if known is None:
                    assert change.is_new and old is None, change
                else:
                    assert old is not None and version_of(old) == version_of(known), change
                    assert version_of(obj)[0] == version_of(known)[0], "another uid, not deleted"
                self.objects[name_of(obj)] = obj
            case Deleted(obj):
                known = self.objects.pop(name_of(obj), None)
                assert known is None or version_of(known)[0] == version_of(obj)[0], change
                self.deleted.append(version_of(obj))
            case Resync():
                self.objects.clear()
                self.resyncs += 1

    def drain(self, subscription: Subscription[Any], most: int = 10**9) -> int:
        """Read what is pending, and return how much that was."""
        for taken in range(most):
            try:
                change = subscription.get(timeout=0)
            except TimeoutError:
                return taken
            if change is None:
                return taken
            self.take(change)
        return most

    def follow(self, subscription: Subscription[Any]) -> None:
        """Read all there will ever be."""
        for change in subscription:
            self.take(change)

    def versions(self) -> dict[Name, tuple[str, str]]:
        return versions(self.objects.values())


def versions(objects: Any) -> dict[Name, tuple[str, str]]:
    """Return which objects these are, and how new."""
    return {name_of(obj): version_of(obj) for obj in objects}
