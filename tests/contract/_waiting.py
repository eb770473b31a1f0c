"""How the contract tests wait, and what they listen to."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from kube_reflect import (
    Apply, Backoff, Bookmark, Delete, Event, InitApply, InitDone, Reflector, Store, Watcher,
    WatcherError, streams,
)

from tests.support.waiting import DEADLINE, eventually

Item = Event | WatcherError


def quick() -> Backoff:
    """A backoff for impatient tests."""
    return Backoff(initial=0.05, maximum=0.5)


@contextlib.contextmanager
def reflecting(list_func: Any, *args: Any, ready: bool = True, live: bool = True, **kwargs: Any
               ) -> Iterator[Reflector]:
    """Run a reflector, once its store is ready and its watch has begun."""
    kwargs.setdefault("backoff", quick)
    with Reflector(list_func, *args, **kwargs) as reflector:
        if ready:
            reflector.store.wait_until_ready(timeout=DEADLINE)
            assert not live or eventually(lambda: reflector.status.live)
        yield reflector


def names(store: Store[Any]) -> set[str]:
    return {ref.name for ref in store.keys()}


class Following:
    """A watcher that is iterated by a thread, and what it has told."""

    def __init__(self, list_func: Any, *args: Any, **kwargs: Any) -> None:
        self.watcher = Watcher(list_func, *args, **kwargs)
        self._items: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self.thread = threading.Thread(target=self._run, name="following")

    def _run(self) -> None:
        try:
            for item in streams.backoff(self.watcher, quick(), sleep=self._closed.wait):
                self._items.put(item)
        finally:
            self._items.put(None)

    def __enter__(self) -> Following:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self.watcher.close()
        self.thread.join(DEADLINE)

    def listed(self) -> list[Item]:
        """Wait for the first list and the begin of the watch; return what was told until then."""
        told = self.until(lambda item: isinstance(item, InitDone))
        assert eventually(lambda: self.watcher.state == "Watching")
        return told

    def until(self, wanted: Callable[[Item], bool]) -> list[Item]:
        """Return what was told since the last call, up to and with the first item wanted."""
        told: list[Item] = []
        deadline = time.monotonic() + DEADLINE
        while not told or not wanted(told[-1]):
            try:
                item = self._items.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"never told; instead: {list(map(brief, told))}") from None
            assert item is not None, f"it ended; before: {list(map(brief, told))}"
            told.append(item)
        return told


def brief(item: Item) -> tuple[Any, ...]:
    """What kind of item it is, and of which object."""
    if isinstance(item, (InitApply, Apply, Delete)):
        return type(item), item.object["metadata"]["name"]
    if isinstance(item, WatcherError):
        return type(item), item.code
    return (type(item),)


def changes(items: Iterable[Item]) -> list[tuple[Any, ...]]:
    """The items in brief, without bookmarks, which come when they come."""
    return [brief(item) for item in items if not isinstance(item, Bookmark)]


class Requests(logging.Handler):
    """The requests that reflectors' threads made and that were answered, from urllib3's log."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._seen: list[tuple[dict[str, str], int]] = []

    def emit(self, record: logging.LogRecord) -> None:
        arguments = tuple(record.args or ())
        # Of scheme, host, port, method, URL, protocol, status and length, for an answer.
        if str(record.threadName).startswith("kube-reflect:") and len(arguments) == 8:
            query = dict(parse_qsl(urlsplit(str(arguments[4])).query))
            self._seen.append((query, int(str(arguments[6]))))

    def lists(self) -> list[dict[str, str]]:
        """The query of each LIST."""
        return [query for query, _ in list(self._seen) if "watch" not in query]

    def watches(self) -> list[dict[str, str]]:
        """The query of each WATCH, streaming lists aside."""
        return [query for query, _ in list(self._seen)
                if "watch" in query and "sendInitialEvents" not in query]

    def initial(self) -> list[dict[str, str]]:
        """The query of each request that a list began with and that was not refused."""
        return [query for query, status in list(self._seen)
                if status < 300 and "continue" not in query
                and ("watch" not in query or "sendInitialEvents" in query)]

    def streaming_lists(self) -> list[int]:
        """The status of each answer to a request for a streaming list."""
        return [status for query, status in list(self._seen) if "sendInitialEvents" in query]


@contextlib.contextmanager
def requests() -> Iterator[Requests]:
    """Listen to the requests made meanwhile."""
    logger = logging.getLogger("urllib3.connectionpool")
    handler, level = Requests(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
