"""Subscribers on threads of their own, and at a test's own pace."""

from __future__ import annotations

import threading
from typing import Any

from kube_reflect import Applied, Deleted, Resync, Subscription

from tests.support.follower import Follower

from ._waiting import DEADLINE


class Subscriber:
    """A thread that takes changes as they come, and keeps what they add up to."""

    def __init__(self, subscription: Subscription[Any]) -> None:
        self._follower = Follower(subscription)
        self.wrong: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, name="subscriber")
        self._thread.start()

    def _run(self) -> None:
        try:
            for change in self._follower.subscription:
                self._follower.take(change)
        except BaseException as error:
            self.wrong.append(error)

    @property
    def known(self) -> dict[tuple[str, str], Any]:
        """What has been told so far, by namespace and name."""
        return self._follower.objects.copy()

    def join(self) -> None:
        """Wait for the end of the subscription."""
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(self, *_: object) -> None:
        self._follower.subscription.close()
        self._thread.join()


def take(subscription: Subscription[Any], count: int) -> list[tuple[Any, ...]]:
    """Take so many changes, in brief: what it is, of which object, and the old or inferred."""
    return [told(subscription.get(DEADLINE)) for _ in range(count)]


def told(change: Any) -> tuple[Any, ...]:
    match change:
        case Applied(one, old):
            return Applied, one["metadata"]["name"], value(one), value(old)
        case Deleted(one, inferred):
            return Deleted, one["metadata"]["name"], value(one), inferred
        case Resync():
            return (Resync,)
    raise AssertionError(f"no change: {change!r}")


def value(config_map: Any) -> str | None:
    """The value in a config map as these tests make them."""
    return None if config_map is None else config_map["data"]["value"]
