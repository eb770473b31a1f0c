"""What a watcher asks an API server for: pages of a LIST, and the lines of a WATCH."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from kube_reflect.backoff import random_part
from kube_reflect.client import Closed, ListFunction, RequestError, Requests, Response
from kube_reflect.config import Config
from kube_reflect.ground.objects import Object
from kube_reflect.ground.threads import Wakeup
from kube_reflect.wire.lines import WatchLine, WatchLines
from kube_reflect.wire.pages import Page
from kube_reflect.wire.record import ServerRecord

__all__ = ["ApiSource", "Items", "Lines", "Source"]

#: Seconds of a watch that is to show whether its version is known. A server that does not know it
#: says so at once.
_BRIEF = 1


class Items(Protocol):
    """A page of a LIST; it raises RequestError where it is none, or breaks off."""

    #: Known when the last item has been read.
    resource_version: str | None
    continue_token: str | None
    #: By which the server says that it has left out the objects of other shards.
    shard_selector: str | None

    def __iter__(self) -> Iterator[Object]: ...


class Lines(Iterable[WatchLine], Protocol):
    """The lines of one WATCH, in order; it raises RequestError where they break off.

    It may be iterated in parts: each iteration goes on where the last has stopped.
    """

    @property
    def served(self) -> bool:
        """Whether it has run for so long that its breaking off says nothing of the server."""

    def listed(self) -> None:
        """Note that the initial events are complete, so that silence is no longer wrong."""

    def close(self) -> None:
        """Hang up; for the thread that reads."""


class Source(Protocol):
    """What a watcher asks for pages and lines: an API server, or a script in a test."""

    def page(self, *, limit: int | None, continue_token: str | None,
             resource_version: str | None) -> Items: ...

    def lines(self, *, resource_version: str | None, initial: bool,
              brief: bool = False) -> Lines: ...

    def wait_to_start(self) -> None:
        """Let time pass before the first request, where many start at once; raises as `wait`."""

    def wait(self, seconds: float) -> None:
        """Let time pass between two polls; raise Closed when the source is closed meanwhile."""

    def close(self) -> None: ...


class ApiSource:
    """Asks an API server through the official client's list function.

    Requests are made by one thread; `close` may be called from any. The arguments are those of a
    `ListFunction` and of `Requests`, and so is what it raises.
    """

    def __init__(self, list_func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any],
                 config: Config, *, metadata_only: bool = False,
                 new_client: Callable[[], Any] | None = None,
                 rng: Callable[[], float] = random_part) -> None:
        self._config = config
        self._rng = rng
        self._requests = Requests(ListFunction(list_func, args, kwargs), config,
                                  metadata_only=metadata_only, new_client=new_client)
        self._closed = False
        #: What it has shown of the server; its `contact` and `first_list` for any thread.
        self.record = ServerRecord()
        self._list_began = 0.0
        self._closing = Wakeup()

    def close(self) -> None:
        """End whatever is under way, and all later requests; from any thread, at once."""
        self._closed = True
        self._requests.close()
        self._closing.set()

    def wait_to_start(self) -> None:
        """Wait before the first request, as `Config.start_jitter` says; raises as `wait`."""
        shard = self._config.shard
        before, count = (0, 1) if shard is None else (shard.index, shard.count)
        delay = self._config.start_jitter * (before + self._rng()) / count
        if delay:
            self.wait(delay)

    def wait(self, seconds: float) -> None:
        """Wait, or raise Closed when it is closed meanwhile."""
        self._closing.wait(seconds)
        if self._closed:
            raise Closed

    def page(self, *, limit: int | None, continue_token: str | None,
             resource_version: str | None) -> Items:
        """Ask for a page of a LIST; it is read as it is iterated."""
        query: dict[str, Any] = {
            "limit": limit, "_continue": continue_token, "resource_version": resource_version,
            "timeout_seconds": self._timeout_seconds()}
        if continue_token is None:
            self._list_began = time.monotonic()
        return Page(_body(self._requests.open(query)), self._page_read)

    def _page_read(self, page: Page) -> None:
        if page.continue_token is None:
            # What a complete list shows is as old as its first request.
            self.record.contact = self._list_began
        else:
            self.record.list_shows(self._list_began)

    def lines(self, *, resource_version: str | None, initial: bool, brief: bool = False) -> Lines:
        """Begin a WATCH; return when the headers are there.

        :param initial: make it a streaming list.
        :param brief: have it end soon, for what its end says.
        """
        requests, record = self._requests, self.record
        if initial and not requests.streams_lists:
            # As a server without streaming lists would answer.
            raise RequestError("the list function takes no send_initial_events", code=400)
        seconds = _BRIEF if brief else max(1, int(record.limited(self._timeout_seconds())))
        query: dict[str, Any] = {
            "watch": True,
            "resource_version": resource_version,
            "timeout_seconds": seconds,
            "allow_watch_bookmarks": True if self._config.bookmarks or initial else None,
        }
        if initial:
            query.update(send_initial_events=True, resource_version_match="NotOlderThan")
        return WatchLines(requests.open(query), seconds=seconds, initial=initial, record=record,
                          idle_timeout=self._config.idle_timeout)

    def _timeout_seconds(self) -> int:
        seconds = self._config.timeout * (1 - 0.25 * self._rng())
        if not self.record.sends_bookmarks:
            # No bookmark has shown that silence means death: let the server end a quiet watch
            # cleanly before the idle deadline would.
            seconds = min(seconds, 0.8 * self._config.idle_timeout)
        return max(1, int(seconds))


def _body(response: Response) -> Iterator[bytes]:
    try:
        yield from response.chunks()
    finally:
        response.close()
