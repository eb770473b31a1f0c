"""The state machine that turns pages and lines into events, and every failure into a value."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Union

from kube_reflect.client import is_expired, watch_error as error_event, watcher_error as told
from kube_reflect.wire.raw import RawObject
from kube_reflect.config import Config, InitialListStrategy, ListSemantic
from kube_reflect.errors import (
    InitialListFailed, NoResourceVersion, WatcherError, WatchFailed, WatchStartFailed,
)
from kube_reflect.events import (
    Apply, Bookmark, Delete, Event, Init, InitApply, InitDone,
)
from kube_reflect.wire.source import ApiSource, Closed, Lines, RequestError, Source, WatchLine

__all__ = ["Machine", "Watcher"]

logger = logging.getLogger("kube_reflect")

_LIST_END = "k8s.io/initial-events-end"
#: Refusals of a streaming list that say nothing of streaming lists: who asks, what is asked for,
#: or how often. A LIST would be refused too.
_REFUSED_ANYWAY = frozenset({401, 403, 404, 408, 410, 429})
#: Watches in a row that began and then failed without a line: the version leads nowhere.
_BARREN = 3
#: Watches in a row that ended cleanly without a line, not even a bookmark: it is that quiet, or
#: the server has gone back to before the version and will say nothing until it is there again.
_QUIET = 3


@dataclass(frozen=True, slots=True)
class _Empty:
    """Nothing is known. (unpaged: pages expired before the last was read; ask for all at once.)"""

    unpaged: bool = False


@dataclass(frozen=True, slots=True)
class _InitPage:
    """A LIST is under way; its version is that of its first page."""

    continue_token: str | None
    resource_version: str | None
    limit: int | None


@dataclass(frozen=True, slots=True)
class _InitialWatch:
    """A streaming list is under way."""

    lines: Lines


@dataclass(frozen=True, slots=True)
class _InitListed:
    """Listed, or cut off from a watch: a watch is to be started from this version."""

    resource_version: str
    barren: int = 0
    quiet: int = 0


@dataclass(frozen=True, slots=True)
class _Watching:
    """A watch is running. (barren, quiet: how many before it failed, or ended, without a line.)"""

    resource_version: str
    lines: Lines
    barren: int = 0
    quiet: int = 0


_State = Union[_Empty, _InitPage, _InitialWatch, _InitListed, _Watching]


class Machine:
    """Empty → InitPage or InitialWatch → InitListed → Watching, and back to Empty on 410.

    Each step reads from the source what the state calls for, yields what came of it, and leaves
    the machine in the next state. It knows no threads, clocks or sleeps: a caller who wants a
    pause after an error makes it between two items.

    :param source: where pages and lines come from.
    :param config: what to ask for.
    :param observer: told the name of each state that is entered; called by the iterating thread.
    """

    def __init__(self, source: Source, config: Config,
                 observer: Callable[[str], None] | None = None) -> None:
        self._source = source
        self._config = config
        self._observer = observer
        self._state: _State = _Empty()
        self._streams = config.initial_list_strategy is not InitialListStrategy.LIST_WATCH
        self._listed_before = False

    @property
    def state(self) -> str:
        """The name of the state: Empty, InitPage, InitialWatch, InitListed or Watching."""
        return type(self._state).__name__[1:]

    def _enter(self, state: _State) -> None:
        self._state = state
        if self._observer is not None:
            self._observer(self.state)

    def run(self) -> Iterator[Event | WatcherError]:
        """Step for ever, until the source is closed."""
        try:
            while True:
                match self._state:
                    case _Empty() as state:
                        yield from self._begin(state)
                    case _InitPage() as state:
                        yield from self._read_page(state)
                    case _InitialWatch() as state:
                        yield from self._read_streaming_list(state)
                    case _InitListed() as state:
                        yield from self._start_watch(state)
                    case _Watching() as state:
                        yield from self._read_watch(state)
        except Closed:
            return
        finally:
            if isinstance(self._state, (_InitialWatch, _Watching)):
                self._state.lines.close()

    def _begin(self, state: _Empty) -> Iterator[Event | WatcherError]:
        if not self._streams:
            yield Init()
            limit = None if state.unpaged or self._any_version() else self._config.page_size
            self._enter(_InitPage(None, None, limit))
            return
        try:
            lines = self._source.lines(resource_version=self._any_version(), initial=True)
        except RequestError as error:
            if self._lacks_streaming_lists(error):
                self._fall_back(f"the server refused it: {error}")
            else:
                yield told(InitialListFailed, "cannot start the streaming list", error)
            return
        self._enter(_InitialWatch(lines))
        yield Init()

    def _any_version(self) -> str | None:
        # Another replica's memory may be behind what was seen already.
        if self._config.list_semantic is ListSemantic.ANY and not self._listed_before:
            return "0"
        return None

    def _lacks_streaming_lists(self, error: RequestError) -> bool:
        return (self._config.initial_list_strategy is InitialListStrategy.AUTO
                and error.code is not None and 400 <= error.code < 500
                and error.code not in _REFUSED_ANYWAY)

    def _fall_back(self, why: str) -> None:
        if self._config.initial_list_strategy is InitialListStrategy.AUTO:
            logger.info("no streaming list, LIST from now on: %s", why)
            self._streams = False

    def _read_page(self, state: _InitPage) -> Iterator[Event | WatcherError]:
        version = self._any_version() if state.continue_token is None else None
        try:
            page = self._source.page(limit=state.limit, continue_token=state.continue_token,
                                     resource_version=version)
            for item in page:
                yield InitApply(item)
            if page.continue_token is not None and page.continue_token == state.continue_token:
                raise RequestError("the next page is the same one", started=True)
        except RequestError as error:
            # Expired between two pages: the next list must not depend on its pages' lifetime.
            expired = is_expired(error) and state.continue_token is not None
            self._enter(_Empty(unpaged=expired))
            yield told(InitialListFailed, "cannot list", error)
            return
        # The list is as of its first page, also where only a later one has a version.
        first = state.continue_token is None
        version = page.resource_version if first else state.resource_version
        if page.continue_token:
            self._enter(_InitPage(page.continue_token, version, state.limit))
        elif not version:
            self._enter(_Empty())
            yield NoResourceVersion("the list has no resourceVersion")
        else:
            self._enter(_InitListed(version))
            self._listed_before = True
            yield InitDone(version)

    def _read_streaming_list(self, state: _InitialWatch) -> Iterator[Event | WatcherError]:
        try:
            for line in state.lines:
                match line.type:
                    case "ADDED" | "MODIFIED":
                        yield InitApply(line.object)
                    case "DELETED":
                        yield Delete(line.object)
                    case "BOOKMARK" if _ends_list(line):
                        yield from self._end_streaming_list(state, line)
                        return
                    case "BOOKMARK":
                        pass
                    case "ERROR":
                        self._drop(_Empty())
                        yield error_event(line.object)
                        return
                    case _:
                        raise RequestError(f"an unknown type of event: {line.type[:80]!r}",
                                           started=True)
            raise RequestError("the server ended it before its end bookmark", started=True)
        except RequestError as error:
            self._drop(_Empty())
            self._fall_back(f"it broke off: {error}")
            yield told(InitialListFailed, "the streaming list broke off", error)

    def _end_streaming_list(
        self, state: _InitialWatch, line: WatchLine,
    ) -> Iterator[Event | WatcherError]:
        version = _version(line)
        if not isinstance(version, str) or not version:
            self._drop(_Empty())
            yield NoResourceVersion("the streaming list has no resourceVersion")
            return
        state.lines.listed()
        self._enter(_Watching(version, state.lines))
        self._listed_before = True
        yield InitDone(version)

    def _start_watch(self, state: _InitListed) -> Iterator[Event | WatcherError]:
        try:
            if state.quiet >= _QUIET and self._server_went_back(state.resource_version):
                self._enter(_Empty())
                yield WatchFailed("the server's resource version is behind "
                                  f"{state.resource_version}")
                return
            quiet = 0 if state.quiet >= _QUIET else state.quiet
            lines = self._source.lines(resource_version=state.resource_version, initial=False)
        except RequestError as error:
            # 400 and 422: the server cannot make sense of the version.
            if is_expired(error) or error.code in (400, 422):
                self._enter(_Empty())
            yield told(WatchStartFailed, "cannot start the watch", error)
            return
        self._enter(_Watching(state.resource_version, lines, state.barren, quiet))

    def _read_watch(self, state: _Watching) -> Iterator[Event | WatcherError]:
        barren, quiet = state.barren + 1, state.quiet + 1
        try:
            for line in state.lines:
                if line.type == "ERROR":
                    failure: WatcherError = error_event(line.object)
                    self._drop(_Empty() if is_expired(failure)
                               else self._resumed(failure, state.resource_version, barren))
                    yield failure
                    return
                item = self._take(state, line)
                if isinstance(item, WatcherError):
                    self._drop(_Empty())
                    yield item
                    return
                state = self._state  # type: ignore[assignment]
                barren, quiet = 1, 0
                yield item
        except RequestError as error:
            # Refused reads and cut connections may go on for hours and say nothing about the
            # version; a stream that began and showed nothing may.
            failure = told(WatchFailed, "the watch broke off", error)
            self._drop(self._resumed(failure, state.resource_version, barren))
            yield failure
            return
        self._drop(_InitListed(state.resource_version, quiet=quiet))

    def _resumed(self, failure: WatcherError, version: str, barren: int) -> _State:
        if barren < _BARREN:
            return _InitListed(version, barren)
        failure.requests = 2
        return _Empty()

    def _server_went_back(self, version: str) -> bool:
        page = self._source.page(limit=1, continue_token=None, resource_version=None)
        for _ in page:
            pass
        return page.resource_version is not None and _goes_back(version, page.resource_version)

    def _take(self, state: _Watching, line: WatchLine) -> Event | WatcherError:
        """Take an event in, or say why it cannot be trusted."""
        if line.type not in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK"):
            raise RequestError(f"an unknown type of event: {line.type[:80]!r}", started=True)
        version = _version(line)
        if not isinstance(version, str) or not version:
            return NoResourceVersion(f"the {line.type} event has no resourceVersion")
        if _goes_back(state.resource_version, version):
            # A server restored from a backup, or a replica that is behind.
            return WatchFailed(f"the resource version went from {state.resource_version} back "
                               f"to {version}")
        # The same state, so nobody is told.
        self._state = _Watching(version, state.lines)
        if line.type == "BOOKMARK":
            return Bookmark(version)
        return Delete(line.object) if line.type == "DELETED" else Apply(line.object)

    def _drop(self, state: _State) -> None:
        """Hang up, and go on from another state."""
        old = self._state
        self._enter(state)
        if isinstance(old, (_InitialWatch, _Watching)):
            old.lines.close()


def _version(line: WatchLine) -> Any:
    if type(line.object) is RawObject:
        return line.object.resource_version
    return _metadata(line).get("resourceVersion")


def _ends_list(line: WatchLine) -> bool:
    annotations = _metadata(line).get("annotations")
    return isinstance(annotations, dict) and _LIST_END in annotations


def _metadata(line: WatchLine) -> Mapping[str, Any]:
    metadata = line.object.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _goes_back(old: str, new: str) -> bool:
    if old.isdecimal() != new.isdecimal():
        return True
    if not old.isdecimal():  # Opaque versions tell nothing but that they differ.
        return False
    # Digits of any number; int() would not take too many.
    old, new = old.lstrip("0"), new.lstrip("0")
    return (len(new), new) < (len(old), old)


class Watcher:
    """An endless, resilient watch: iterate it for `Event` s and `WatcherError` s.

    It begins with the objects that are there (Init, InitApply …, InitDone), goes on with what
    changes, and lists anew where the server has forgotten too much. Failures come as items, not
    as exceptions; the next item is the next try, at once, so put `streams.backoff` around
    it. It ends by `close` only.

    One thread iterates it; any may call `close`.

    :param list_func: what one gives the official `Watch`: a list method of a typed API or of
        `CustomObjectsApi`, a dynamic client's resource or its ``get``, a `functools.partial` of
        any, or a function that takes the same keyword arguments and returns the raw response.
    :param args: for the list function.
    :param config: selectors, timeouts and strategy.
    :param kwargs: for the list function.
    :raises TypeError: for what is no list function, or lacks arguments.
    :raises ValueError: for arguments that the watcher sets by itself.
    """

    def __init__(self, list_func: Any, *args: Any, config: Config | None = None,
                 **kwargs: Any) -> None:
        if config is None:
            config = Config()
        if not isinstance(config, Config):
            raise TypeError(f"config must be a Config: {config!r}")
        self._run(ApiSource(list_func, args, kwargs, config), config, None)

    @classmethod
    def over(cls, source: ApiSource, config: Config,
             observer: Callable[[str], None]) -> Watcher:
        """Make a watcher over a source that is there already, for a Reflector."""
        watcher = cls.__new__(cls)
        watcher._run(source, config, observer)
        return watcher

    def _run(self, source: ApiSource, config: Config,
             observer: Callable[[str], None] | None) -> None:
        self._source = source
        self._machine = Machine(source, config, observer)
        self._items = self._machine.run()

    def __iter__(self) -> Watcher:
        return self

    def __next__(self) -> Event | WatcherError:
        return next(self._items)

    @property
    def state(self) -> str:
        """The state of the machine: Empty, InitPage, InitialWatch, InitListed or Watching."""
        return self._machine.state

    @property
    def contact(self) -> float | None:
        """When the server was last heard of, on `time.monotonic`; from any thread."""
        return self._source.contact

    def close(self) -> None:
        """End the iteration, whatever it is waiting for; from any thread, any number of times."""
        self._source.close()
