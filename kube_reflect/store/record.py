"""A change on its way into the cache, and what is counted with it."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, NamedTuple

from kube_reflect.store.listener import Delta, Listener, Reason
from kube_reflect.store.table import Table

__all__ = ["Counters", "Extent", "Lifecycle", "Record"]


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


class Record:
    """A change on its way: written down before it is made, so that it can be completed.

    Whoever makes it may be interrupted at any moment. The table is then completed by the next
    thread that takes the lock, and the telling by the writer's next call.
    """

    __slots__ = ("after", "applied", "before", "bytes_at_rest", "deltas", "events", "extent",
                 "listeners", "namespace", "reason", "relists", "swapped", "table", "version")

    # Set by `Cache.commit`: what is counted afterwards, and who is told.
    events: int
    relists: int
    bytes_at_rest: int
    listeners: tuple[Listener, ...]

    def __init__(self, extent: Extent, namespace: str | None, version: str | None,
                 before: Any, after: Any, reason: Reason | None, table: Table | None = None,
                 swapped: Callable[[], object] | None = None) -> None:
        self.extent = extent
        #: Of the writer, and the version that this brings it to, if any.
        self.namespace = namespace
        self.version = version
        #: The entry of the object, or a dict of all those of the namespace; None: there is none.
        self.before = before
        self.after = after
        #: Why what is not there afterwards is gone.
        self.reason = reason
        #: Where more than one object changes: the table that replaces the present one, and what is
        #: then called, under the lock; twice, if an exception interrupts it.
        self.table = table
        self.swapped = swapped
        #: What listeners have still to be told, the last first; None: not made yet.
        self.deltas: list[Delta] | None = None
        self.applied = False

    def __repr__(self) -> str:
        return f"<Record of {self.extent.value}, {'applied' if self.applied else 'begun'}>"
