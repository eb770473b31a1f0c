"""The states of the watcher's machine, and the rules for what leads from one to another.

All of it is pure: it knows no threads, clocks or sockets.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Union

from kube_reflect._object import BadObject, Object, compare_versions
from kube_reflect.config import InitialListStrategy
from kube_reflect.errors import WatcherError
from kube_reflect.events import Apply, Bookmark, Delete, Event
from kube_reflect.wire import Lines, RequestError, WatchLine

__all__ = ["Empty", "InitListed", "InitPage", "InitialWatch", "Polling", "State",
           "StreamingLists", "Watching", "ends_list", "event_of", "newer_version", "status_of",
           "unknown_type"]

logger = logging.getLogger(__name__)

_LIST_END = "k8s.io/initial-events-end"
#: Refusals of a streaming list that say nothing of streaming lists: who asks, what is asked for,
#: or how often. A LIST would be refused too.
_REFUSED_ANYWAY = frozenset({401, 403, 404, 429})
#: After how many LISTs a streaming list is tried again that failed; doubled from one failure to
#: the next, up to the second number.
_LISTS_FIRST, _LISTS_MOST = 4, 64


@dataclass(frozen=True, slots=True)
class Empty:
    """Nothing is known. (unpaged: pages expired before the last was read; ask for all at once.)"""

    unpaged: bool = False


@dataclass(frozen=True, slots=True)
class InitPage:
    """A LIST is under way; its version is that of its first page."""

    continue_token: str | None
    resource_version: str | None
    limit: int | None


@dataclass(frozen=True, slots=True)
class InitialWatch:
    """A streaming list is under way."""

    lines: Lines


@dataclass(frozen=True, slots=True)
class InitListed:
    """Listed, or cut off from a watch: a watch is to be started from the version that is known.

    (A server that gives its lists no version is watched from now on, and listed anew after that.)
    """

    failed_without_event: int = 0
    ended_without_event: int = 0
    #: The version is that of a list, and not of an event.
    is_fresh: bool = False


@dataclass(frozen=True, slots=True)
class Watching:
    """A watch is running. (How many before it failed, or ended, without an event.)"""

    lines: Lines
    failed_without_event: int = 0
    ended_without_event: int = 0


@dataclass(frozen=True, slots=True)
class Polling:
    """What cannot be watched was listed, and is listed again after a while."""


State = Union[Empty, InitPage, InitialWatch, InitListed, Watching, Polling]


class StreamingLists:
    """Whether to try a streaming list, by what came of those before."""

    def __init__(self, strategy: InitialListStrategy) -> None:
        self._strategy = strategy
        #: How many LISTs are to come before a streaming list is tried again; how many the next
        #: time; and whether it is not sure that the streaming list was to blame.
        self._lists = 0
        self._next = _LISTS_FIRST
        self._unsure = False

    @property
    def wanted(self) -> bool:
        """Whether the next list is to be a streaming list."""
        if self._strategy is InitialListStrategy.AUTO:
            return not self._lists
        return self._strategy is InitialListStrategy.STREAMING_LIST

    def failed(self, error: RequestError | WatcherError) -> bool:
        """Hear that one failed; return whether the next is to be a LIST, and at once."""
        if self._strategy is not InitialListStrategy.AUTO or error.code in _REFUSED_ANYWAY:
            return False
        logger.info("no streaming list, LIST for a while: %s", error)
        self._lists = self._next
        self._next = min(2 * self._next, _LISTS_MOST)
        refused = error.code is not None and 400 <= error.code < 500
        self._unsure = not refused
        return refused

    def worked(self) -> None:
        """Hear that one is complete."""
        self._next = _LISTS_FIRST

    def list_done(self) -> None:
        """Hear that a LIST is complete."""
        self._lists = max(0, self._lists - 1)
        self._unsure = False

    def list_failed(self) -> None:
        """Hear that a LIST failed: so it may not have been for the streaming."""
        if self._unsure:
            self._lists, self._next, self._unsure = 0, _LISTS_FIRST, False


def event_of(line: WatchLine) -> Event | None:
    """Return the event of a line; None for a bookmark of nothing."""
    match line.type:
        case "ADDED" | "MODIFIED":
            return Apply(line.object)
        case "DELETED":
            return Delete(line.object)
        case "BOOKMARK":
            version = line.object.resource_version
            return None if version is None else Bookmark(version)
        case _:
            raise unknown_type(line)


def newer_version(version: str, obj: Object) -> str:
    """Return the version to go on from, after an event."""
    new = obj.resource_version
    if new is None:
        return version
    order = compare_versions(new, version)
    if order is None:
        # Neither is a number: who knows. One is: they cannot be of one kind.
        return version if new.isdecimal() or version.isdecimal() else new
    return new if order > 0 else version


def unknown_type(line: WatchLine) -> RequestError:
    return RequestError(f"an unknown type of event: {line.type[:80]!r}", started=True)


def status_of(line: WatchLine) -> Any:
    """Return the Status of an ERROR event."""
    try:
        return line.object.mapping()
    except BadObject as error:
        raise RequestError(f"an error that cannot be read: {error}", started=True) from error


def ends_list(line: WatchLine) -> bool:
    metadata = status_of(line).get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    return isinstance(annotations, dict) and _LIST_END in annotations
