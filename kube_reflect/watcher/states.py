"""The states of the watcher's machine, and the rules for what leads from one to another.

All of it is pure: it knows no threads, clocks or sockets.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Union

from kube_reflect.config import InitialListStrategy
from kube_reflect.errors import WatcherError
from kube_reflect.events import Apply, Bookmark, Delete
from kube_reflect.ground.objects import BadObject, Object, compare_versions
from kube_reflect.shard import Shard
from kube_reflect.watcher.failures import is_expired
from kube_reflect.wire import Lines, RequestError, Source, WatchLine

__all__ = ["BACKWARD", "ENDED", "FAILED", "FAILED_MOST", "OBJECT_EVENTS", "Empty", "InitialWatch",
           "InitListed", "InitPage", "Polling", "Refusals", "Room", "ShardFilter", "State",
           "StreamingLists", "Versionless", "Watching", "bookmark_of", "ends_list", "status_of",
           "unknown_type", "went_back"]

logger = logging.getLogger(__name__)

_LIST_END = "k8s.io/initial-events-end"
#: Refusals of a streaming list that say nothing of streaming lists: who asks, or how often. A LIST
#: would be refused too.
_REFUSED_ANYWAY = frozenset({401, 403, 429})
#: After how many LISTs a streaming list is tried again that failed; doubled from one failure to
#: the next, up to the second number.
_LISTS_FIRST, _LISTS_MOST = 4, 64
#: What refuses a watch for good; and what does if a list just before was not refused, and that
#: again and again.
_NO_WATCH = frozenset({405, 501})
_PERHAPS_NO_WATCH = frozenset({400, 404, 422})
_REFUSED = 5
#: Polls after which a watch is tried again, in the one case and in the other.
_POLLS, _POLLS_PERHAPS = 20, 2
#: Objects of one shard, and none of another, which show that the server filters.
_NO_CHANCE = 32
#: Watches in a row that began and then failed without an event: the version leads nowhere. Doubled
#: where a list has not helped, up to the second number.
FAILED, FAILED_MOST = 3, 48
#: Watches in a row that ended cleanly without an event, not even a bookmark: it is that quiet, or
#: the server has gone back to before the version and will say nothing until it is there again.
ENDED = 3
#: Lists in a row after which an event's version was behind the list's: they cannot be compared.
BACKWARD = 3
#: Lists in a row without a version after which the server gives none any more.
_VERSIONLESS = 3


@dataclass(frozen=True, slots=True)
class Empty:
    """The state before a list.

    :param unpaged: pages expired before the last was read, so ask for all at once.
    """

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


class Room:
    """How many objects a list may still show, of so many at most."""

    def __init__(self, most: int) -> None:
        self._most = self._left = self._pages = most

    def of_page(self, items: Iterable[Object]) -> Iterator[Object]:
        """Count a page, since there may be pages without an object, and each object of it.

        :raises RequestError: if that is one too many.
        """
        self._pages -= 1
        for item in items:
            self.take()
            yield item
        self._check()

    def take(self) -> None:
        """Count an object.

        :raises RequestError: if that is one too many.
        """
        self._left -= 1
        self._check()

    def _check(self) -> None:
        if self._left < 0 or self._pages < 0:
            raise RequestError(f"the list goes on after Config(max_objects={self._most})")


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
        """Note that one failed; return whether the next is to be a LIST, and at once."""
        if self._strategy is not InitialListStrategy.AUTO or error.code in _REFUSED_ANYWAY:
            return False
        logger.info("no streaming list, LIST for a while: %s", error)
        self._lists = self._next
        self._next = min(2 * self._next, _LISTS_MOST)
        refused = error.code is not None and 400 <= error.code < 500
        self._unsure = not refused
        return refused

    def worked(self) -> None:
        """Note that one is complete."""
        self._next = _LISTS_FIRST

    def list_done(self) -> None:
        """Note that a LIST is complete."""
        self._lists = max(0, self._lists - 1)
        self._unsure = False

    def list_failed(self) -> None:
        """Note that a LIST failed: so it may not have been for the streaming."""
        if self._unsure:
            self._lists, self._next, self._unsure = 0, _LISTS_FIRST, False


class Refusals:
    """Whether a kind can be watched or is polled, by how watches were refused.

    :param interval: seconds between two polls, for the log.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        #: Watches refused since the last that began.
        self._refused = 0
        #: Lists until a watch is tried again; None where the kind is not polled.
        self._polls: int | None = None

    @property
    def polling(self) -> bool:
        """Whether the kind is polled."""
        return self._polls is not None

    def after_list(self) -> State:
        """Return where to go on after a LIST."""
        if self._polls is not None:
            self._polls -= 1
            if self._polls > 0:
                return Polling()
        return InitListed(is_fresh=True)

    def watch_began(self) -> None:
        """Note that a watch was not refused."""
        self._refused, self._polls = 0, None

    @staticmethod
    def is_final(error: RequestError) -> bool:
        """Return whether an error says that there is no watching at all."""
        return error.code in _NO_WATCH

    def refused(self, state: InitListed | Watching, error: RequestError,
                unconfirmed: bool = False) -> State:
        """Return where to go on after a watch that was refused.

        :param unconfirmed: its version is an earlier process's, and may be the reason.
        """
        if unconfirmed and error.code is not None and 400 <= error.code < 500 and (
                error.code not in _REFUSED_ANYWAY):
            return Empty()
        if self.is_final(error) or self._polls is not None:
            return self._poll(error)
        if is_expired(error):
            return Empty()
        if error.code in _PERHAPS_NO_WATCH:
            self._refused += 1
            if self._refused > _REFUSED and isinstance(state, InitListed) and state.is_fresh:
                return self._poll(error)
            # Of 400 and 422 the version may be the reason; where nothing is found, a list tells
            # whether there is anything.
            if error.code != 404 or self._refused > 1:
                return Empty()
        return state

    def _poll(self, error: RequestError) -> State:
        if self._polls is None:
            logger.info("it cannot be watched, so it is listed every %g seconds: %s",
                        self._interval, error)
        self._polls = _POLLS if self.is_final(error) else _POLLS_PERHAPS
        return Polling()


class Versionless:
    """Whether a list without a version is a mistake, or how this server's lists are."""

    def __init__(self) -> None:
        #: Lists in a row without a version; many, until there is one with.
        self._lists = _VERSIONLESS

    def is_mistake(self, version: str | None) -> bool:
        """Note the version of a list; return whether it lacks one that the server used to give."""
        self._lists = 0 if version is not None else self._lists + 1
        return 0 < self._lists < _VERSIONLESS


class ShardFilter:
    """Tells the objects of a shard from others, and whether the server does so too.

    Every object is looked at: of several API servers one may leave out those of other shards, and
    the next may not. One thread calls it; `filtered_by` may be read by any.

    :param shard: None: all objects are its own.
    """

    def __init__(self, shard: Shard | None) -> None:
        self._shard = shard if shard is not None and shard.count > 1 else None
        # Since the last list began: how many were its own, and of others.
        self._own = self._foreign = 0
        self._by_server = False

    @property
    def owns(self) -> Callable[[Object], bool] | None:
        """What tells whether an object is in the shard; None where all are."""
        return None if self._shard is None else self._owns

    def _owns(self, obj: Object) -> bool:
        assert self._shard is not None
        if self._shard.owns(obj.uid if self._shard.by == "uid" else obj.namespace):
            self._own += 1
            return True
        self._foreign += 1
        return False

    def select(self, items: Iterable[Object]) -> Iterable[Object]:
        """Return those that are its own."""
        return items if self._shard is None else filter(self._owns, items)

    def begin_list(self) -> None:
        """Note that a list begins."""
        self._own = self._foreign = 0
        self._by_server = False

    def end_list(self, selector: str | None = None) -> None:
        """Note that a list is complete.

        :param selector: what the server says that it has filtered by; it does not say of all lists.
        """
        if self._shard is not None:
            # Or by chance: once in four thousand million times, or less.
            shows = self._shard.by == "uid" and self._own >= _NO_CHANCE
            self._by_server = selector is not None or shows

    @property
    def filtered_by(self) -> str | None:
        """Who has left out the others since the last list began; None if nothing has shown it."""
        return "client" if self._foreign else "server" if self._by_server else None


def went_back(source: Source, version: str) -> bool:
    """Ask whether the server is at an older version than that."""
    page = source.page(limit=1, continue_token=None, resource_version=None)
    for _ in page:
        pass
    known = page.resource_version
    return known is not None and (compare_versions(known, version) or 0) < 0


#: The events of objects, by the type of the line.
OBJECT_EVENTS: dict[str, type[Apply] | type[Delete]] = {
    "ADDED": Apply, "MODIFIED": Apply, "DELETED": Delete}


def bookmark_of(kind: str, line: WatchLine) -> Bookmark:
    """Return the event of a line that is of no object, or of none that is of interest.

    :param kind: the type of the line, or what it counts as.
    :raises RequestError: for a type that there is not.
    """
    if kind != "BOOKMARK":
        raise unknown_type(line)
    return Bookmark(line.object.resource_version or "")


def unknown_type(line: WatchLine) -> RequestError:
    return RequestError(f"an unknown type of event: {line.type[:80]!r}")


def status_of(line: WatchLine) -> Any:
    """Return the Status of an ERROR event."""
    try:
        return line.object.mapping()
    except BadObject as error:
        raise RequestError(f"an error that cannot be read: {error}") from error


def ends_list(line: WatchLine) -> bool:
    metadata = status_of(line).get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    return isinstance(annotations, dict) and _LIST_END in annotations
