"""A change on its way into the cache, and what is counted with it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import NamedTuple

from kube_reflect._object import compare_versions
from kube_reflect.store.listener import Delta, Listener

__all__ = ["Counters", "Kind", "Lifecycle", "Record", "lowest_version"]


class Lifecycle(enum.Enum):
    """Whether there is a writer."""

    #: Not yet.
    NEW = "new"
    RUNNING = "running"
    ENDED = "ended"


class Kind(enum.Enum):
    """What a change says of its namespace."""

    #: Something in it has changed.
    CHANGE = "change"
    #: It is the whole of it.
    LIST = "list"
    #: It is the whole of it as an earlier process had it: to be read, and to be confirmed.
    SAVED = "saved"
    #: What was saved is as good as a list.
    CONFIRMED = "confirmed"
    #: It is its end, with all objects.
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

    :param move: changes the table; it may be called again from its beginning.
    :param namespace: of the writer.
    :param version: the resource version that it brings the namespace to, if any.
    :param find_deltas: finds, after that, what listeners are told of it.
    """

    __slots__ = ("applied", "bytes_at_rest", "deltas", "events", "find_deltas", "kind",
                 "listeners", "move", "namespace", "relists", "version")

    def __init__(self, move: Callable[[], object], namespace: str | None, version: str | None,
                 find_deltas: Callable[[], list[Delta]], *, kind: Kind = Kind.CHANGE) -> None:
        self.move = move
        self.namespace = namespace
        self.version = version
        self.find_deltas = find_deltas
        #: What is still to be told, the last first.
        self.deltas: list[Delta] | None = None
        self.kind = kind
        self.applied = False
        # Set by `Cache.commit`, from what is there at that moment.
        self.events = self.relists = self.bytes_at_rest = 0
        self.listeners: tuple[Listener, ...] = ()


def lowest_version(versions: Iterable[str], known: str | None) -> str | None:
    """Return the version up to which everything has been seen, by all of several namespaces."""
    lowest: str | None = None
    for version in versions:
        if lowest is None:
            lowest = version
            continue
        order = compare_versions(version, lowest)
        if order is None:
            # They cannot be compared: nothing better is known.
            return known
        if order < 0:
            lowest = version
    return known if lowest is None else lowest
