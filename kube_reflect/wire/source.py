"""Pages of a LIST and lines of a WATCH: the only module that calls the official client."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from kubernetes import watch

from kube_reflect.client import Closed, ListFunction, RequestError, Requests, Response
from kube_reflect._json import loads
from kube_reflect.wire.pages import Page
from kube_reflect.wire.raw import GLANCES, glance_at_line
from kube_reflect.wire.lines import Segments
from kube_reflect.config import Config

__all__ = ["ApiSource", "Closed", "Lines", "Page", "RequestError", "Source", "WatchLine"]


class WatchLine(NamedTuple):
    """One line of a WATCH: its type (ADDED, …, ERROR) and the object, as on the wire."""

    type: str
    object: Mapping[str, Any]


class Lines(Protocol):
    """The lines of one WATCH, in order; raises RequestError where they break off."""

    def __iter__(self) -> Iterator[WatchLine]: ...

    def __next__(self) -> WatchLine: ...

    def listed(self) -> None:
        """Hear that the initial events are complete, so that silence is no longer wrong."""

    def close(self) -> None:
        """Hang up; for the thread that reads."""


class Source(Protocol):
    """What a watcher asks for pages and lines: an API server, or a script in a test."""

    def page(self, *, limit: int | None, continue_token: str | None,
             resource_version: str | None) -> Page: ...

    def lines(self, *, resource_version: str | None, initial: bool) -> Lines: ...

    def close(self) -> None: ...


class ApiSource:
    """Requests to an API server through the official client's list function.

    Requests are made by one thread; `close` may be called from any.

    :param list_func: what one gives the official `Watch`.
    :param metadata_only: ask for PartialObjectMetadata instead of the objects.
    :param glancing: leave objects unparsed (as RawObject) where that saves time.
    :param new_client: gives an ApiClient to go on with after a 401.
    :raises TypeError: for what is no list function, or lacks arguments.
    :raises ValueError: for arguments that the watcher decides by itself.
    """

    def __init__(self, list_func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any],
                 config: Config, *, metadata_only: bool = False, glancing: bool = False,
                 new_client: Callable[[], Any] | None = None,
                 rng: Callable[[], float] = random.random) -> None:
        self._config = config
        self._rng = rng
        self._requests = Requests(ListFunction(list_func, args, kwargs), config,
                                  metadata_only=metadata_only, new_client=new_client)
        self._glancing = glancing
        #: When the server was last heard of: a complete list (as of its first request), an event,
        #: a bookmark, or a clean end.
        #: Seconds on the monotonic clock; written by the requesting thread, read by any.
        self.contact: float | None = None
        self._list_began = 0.0
        #: Whether this server sends bookmarks while a watch is quiet.
        self.bookmarks_seen = False

    def close(self) -> None:
        """End whatever is under way, and all later requests; from any thread, at once."""
        self._requests.close()

    def page(self, *, limit: int | None, continue_token: str | None,
             resource_version: str | None) -> Page:
        """Ask for a page of a LIST; it is read as it is iterated."""
        query: dict[str, Any] = {
            "limit": limit, "_continue": continue_token, "resource_version": resource_version,
            "timeout_seconds": self._timeout_seconds()}
        if continue_token is None:
            self._list_began = time.monotonic()
        return Page(_body(self._requests.open(query)), self._page_read,
                    glancing=self._glancing and GLANCES)

    def _page_read(self, page: Page) -> None:
        if page.continue_token is None:
            # What a complete list shows is as old as its first request.
            self.contact = self._list_began

    def lines(self, *, resource_version: str | None, initial: bool) -> Lines:
        """Begin a WATCH; returns when the headers are there.

        :param initial: make it a streaming list.
        """
        if initial and not self._requests.streams_lists:
            # As a server without streaming lists would answer.
            raise RequestError("the list function takes no send_initial_events", code=400)
        return _Lines(self, resource_version, initial)

    def _timeout_seconds(self) -> int:
        seconds = self._config.timeout * (1 - 0.25 * self._rng())
        if not self.bookmarks_seen:
            # No bookmark has shown that silence means death: let the server end a quiet watch
            # cleanly before the idle deadline would.
            seconds = min(seconds, 0.8 * self._config.idle_timeout)
        return max(1, int(seconds))


def _body(response: Response) -> Iterator[bytes]:
    try:
        yield from response.chunks()
    finally:
        response.close()


class _Lines(watch.Watch):
    """The official Watch, but for what it does with a line: parsed once, handed on as it is."""

    def __init__(self, source: ApiSource, resource_version: str | None, initial: bool) -> None:
        # Not the parent's: it would make an ApiClient of its own for each watch.
        self._raw_return_type = None
        self._stop = False
        self.resource_version = None
        self._source = source
        self._initial = initial
        seconds = source._timeout_seconds()
        query: dict[str, Any] = {
            "watch": True,
            "resource_version": resource_version,
            "timeout_seconds": seconds,
            "allow_watch_bookmarks": True if source._config.bookmarks or initial else None,
        }
        if initial:
            query.update(send_initial_events=True, resource_version_match="NotOlderThan")
        self._segments = Segments(
            source._requests.open(query), seconds=seconds, initial=initial,
            idle_timeout=source._config.idle_timeout)
        # Given timeout_seconds, the parent leaves all retries to us.
        self._stream: Any = self.stream(  # type: ignore[no-untyped-call]
            lambda **_: self._segments, timeout_seconds=seconds)

    def __iter__(self) -> Iterator[WatchLine]:
        return self

    def __next__(self) -> WatchLine:
        for line in self._stream:
            if line is not None:
                return line  # type: ignore[no-any-return]
        self._segments.check_end()
        if not self._initial:
            self._source.contact = time.monotonic()
        raise StopIteration

    def listed(self) -> None:
        self._initial = False
        # What the list has shown is as old as its beginning.
        self._source.contact = self._segments.started
        self._segments.expect_silence()

    def close(self) -> None:
        # The parent's clean-up runs when its generator is closed.
        self._stream.close()
        self._segments.close()

    def get_return_type(self, func: Any) -> None:
        return None

    def get_watch_argument_name(self, func: Any) -> str:
        return "watch"

    def unmarshal_event(self, data: str, return_type: Any) -> WatchLine | None:
        # Not the data, which the parent has copied and decoded; it is a placeholder.
        line = self._segments.line
        if not line or line.isspace():
            return None
        # A list is no burst: what it shows will stay for long.
        hurried = self._segments.hurried and not self._initial
        seen = glance_at_line(line) if self._source._glancing and (hurried or GLANCES) else None
        if seen is None:
            return self._heard(*self._parsed(line))
        seen[1].hurried = hurried
        return self._heard(*seen)

    @staticmethod
    def _parsed(data: bytes) -> tuple[str, dict[str, Any]]:
        try:
            event = loads(data)
        except ValueError as error:
            raise RequestError(f"a line that is no JSON: {data[:80]!r}", started=True) from error
        kind = event.get("type") if isinstance(event, dict) else None
        content = event.get("object") if isinstance(event, dict) else None
        if not isinstance(kind, str) or not isinstance(content, dict):
            raise RequestError(f"a line that is no watch event: {data[:80]!r}", started=True)
        return kind, content

    def _heard(self, kind: str, content: Mapping[str, Any]) -> WatchLine:
        """Note what a line says of the server; it is a contact with it."""
        if self._initial:
            # No contact: a list says nothing before it is complete.
            if kind == "ADDED":
                self._segments.extend_list()
            return WatchLine(kind, content)
        if kind == "BOOKMARK":
            self._source.bookmarks_seen = True
        if kind != "ERROR":
            self._source.contact = self._segments.last_line
        return WatchLine(kind, content)
