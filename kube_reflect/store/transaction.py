"""A change on its way into the cache, and what is counted with it."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kube_reflect.events import Reason
from kube_reflect.store.listener import Delta, Listener
from kube_reflect.store.table import Table

__all__ = ["Counters", "Extent", "Lifecycle", "Transaction"]


class Lifecycle(enum.Enum):
    """Whether there is a writer."""

    #: Not yet.
    NEW = "new"
    RUNNING = "running"
    ENDED = "ended"


class Extent(enum.Enum):
    """How much a change is of."""

    #: One object, or none: only the version is new.
    OBJECT = "object"
    #: A complete list of the namespace.
    LIST = "list"
    #: All of the namespace as an earlier process had it: to be read, and to be confirmed.
    SAVED = "saved"
    #: Nothing: what was saved is as good as a list.
    CONFIRMED = "confirmed"
    #: The end of the namespace, with all objects.
    END = "end"


class Counters(NamedTuple):
    """What changes with each event; replaced whole, so that what any thread reads belongs together.

    :param resource_version: up to which everything has been seen.
    :param events: events applied, bookmarks included, lists not.
    :param relists: complete lists after the first of each namespace.
    :param bytes_at_rest: length of all packed objects.
    """

    resource_version: str | None = None
    events: int = 0
    relists: int = 0
    bytes_at_rest: int = 0


@dataclass(slots=True, eq=False)
class Transaction:
    """A change on its way: written down before it is made, so that it can be completed.

    Whoever makes it may be interrupted at any moment. The table is then completed by the next
    thread that takes the lock, and the telling by the writer's next call.

    :param namespace: of the writer.
    :param version: what this brings the namespace to, if any.
    :param before: the entry of the object, or a dict of all those of the namespace; None: there is
        none.
    :param after: the same, afterwards.
    :param reason: why what is not there afterwards is gone.
    :param table: where more than one object changes: what replaces the present one.
    :param swapped: then called, under the lock; twice, if an exception interrupts it.
    :param applied: whether it is made.
    :param deltas: what listeners have still to be told, the last first; None: not made yet.
    """

    extent: Extent
    namespace: str | None
    version: str | None
    before: Any
    after: Any
    reason: Reason | None = None
    table: Table | None = None
    swapped: Callable[[], object] | None = None
    applied: bool = False
    deltas: list[Delta] | None = None
    # Set by `Cache.commit`: `Counters` after it, but for the version; and who is told.
    counted: tuple[int, int, int] = field(init=False)
    listeners: tuple[Listener, ...] = field(init=False)

    def __repr__(self) -> str:
        return f"<Transaction of {self.extent.value}, {'applied' if self.applied else 'begun'}>"
