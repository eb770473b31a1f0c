"""What the cache tells of its changes, and to whom: the interface that others implement."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from kube_reflect.events import Reason
from kube_reflect.ground.objects import Key
from kube_reflect.store.entry import Entry

__all__ = ["Delta", "Keeper", "Listener"]


class Delta(NamedTuple):
    """One object's way from one state to another.

    :param writer: which of the cache's writers made it.
    :param number: grows with each delta of that writer.
    :param key: which object.
    :param old: as it was; None: it was not there.
    :param new: as it is; None: it is gone.
    :param reason: why it is gone; None where it is not.
    """

    writer: int
    number: int
    key: Key
    old: Entry | None
    new: Entry | None
    reason: Reason | None = None

    @property
    def inferred(self) -> bool:
        """Whether no event told that the object is gone."""
        return self.reason not in (None, Reason.DELETED)


class Listener(Protocol):
    """Who is told of each change, by the writer's thread, without a lock of the cache.

    An exception may interrupt that thread anywhere, and the next call then tells of the same delta
    again: a listener ignores numbers up to the last one of that writer that it has taken in.
    """

    def changed(self, delta: Delta) -> bool:
        """Handle a change; return False if no more are wanted."""

    def unblock(self, unblocked: bool = True) -> None:
        """Do not keep the writer waiting, who is about to end; or, with False, do it again.

        There is nothing to do for who never does.
        """
        return None

    def ended(self) -> None:
        """Note that the writer has ended: nothing will change before it begins again."""

    def is_over(self) -> bool:
        """Return whether there is no need to tell it of more."""


class Keeper(Protocol):
    """Who keeps the cache in step with the API server; any thread may ask."""

    def staleness(self) -> float | None:
        """Return seconds since the last contact; None: never, infinity: nobody keeps it."""

    def is_live(self) -> bool:
        """Return whether the cache is being kept up at this moment."""
