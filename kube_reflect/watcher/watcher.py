"""The machine, what each of its states calls for, and the public iterator over it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, Union

from kube_reflect.config import Config, ListSemantic
from kube_reflect.errors import (
    InitialListFailed, NoResourceVersion, WatcherError, WatchFailed, WatchStartFailed,
)
from kube_reflect.events import Bookmark, Delete, Event, Init, InitApply, InitDone
from kube_reflect.ground.describe import no_value
from kube_reflect.ground.objects import compare_versions, newer_version
from kube_reflect.watcher.failures import is_expired, watch_error, watcher_error
from kube_reflect.watcher.states import (
    BACKWARD, ENDED, FAILED, FAILED_MOST, OBJECT_EVENTS, Empty, InitialWatch, InitListed, InitPage,
    Polling, Refusals, Room, ShardFilter, State, StreamingLists, Versionless, Watching,
    bookmark_of, ends_list, status_of, unknown_type, went_back,
)
from kube_reflect.wire import ApiSource, Closed, RequestError, Source

__all__ = ["Machine", "Watcher"]

logger = logging.getLogger(__name__)

Items = Iterator[Union[Event, WatcherError]]


class Machine:
    """Empty → InitPage or InitialWatch → InitListed → Watching, and back to Empty on 410.

    What cannot be watched is Polling instead, between two lists.

    Each step reads from the source what the state calls for, yields what came of it, and leaves
    the machine in the next state. It knows no threads, clocks or sleeps: a caller who wants a
    pause after an error makes it between two items, and between two polls the source waits.

    :param source: where pages and lines come from.
    :param config: what to ask for.
    :param observer: told the name of each state that is entered; called by the iterating thread.
    :param since: a version up to which an earlier process has seen everything: it begins with a
        watch, whose first event, or a Bookmark of that version, says that the server knows it.
    """

    def __init__(self, source: Source, config: Config,
                 observer: Callable[[str], None] | None = None, since: str | None = None) -> None:
        self._source = source
        self._config = config
        self._observer = observer
        #: Which objects are this machine's.
        self.shard = ShardFilter(config.shard)
        # Of a server that has gone back to before the version, no watch would tell.
        self._state: State = Empty() if since is None else InitListed(ended_without_event=ENDED)
        #: Up to which everything was seen since the last list; None before the first, and where
        #: the server gives its lists none.
        self.resource_version: str | None = since
        #: Whether the server has said nothing yet of a version that is an earlier process's.
        self._unconfirmed = self._listed_before = since is not None
        self._streaming_lists = StreamingLists(config.initial_list_strategy)
        #: How many watches may fail without an event before a list is made.
        self._failures_borne = FAILED
        self._versionless = Versionless()
        #: Lists in a row that were followed by an older event.
        self._backward = 0
        self._refusals = Refusals(config.poll_interval)
        self._room = Room(config.max_objects)

    @property
    def state(self) -> str:
        """The name of the state: Empty, InitPage, InitialWatch, InitListed, Watching or Polling.

        What is polled is Polling, also while it is listed.
        """
        return "Polling" if self._refusals.polling else type(self._state).__name__

    def __repr__(self) -> str:
        return f"<Machine {self.state} at {self.resource_version}>"

    def _enter(self, state: State) -> None:
        """Go on from another state, and hang up if it is not to read on from the same lines."""
        old, self._state = self._state, state
        logger.debug("%s -> %s", type(old).__name__, type(state).__name__)
        if self._observer is not None:
            self._observer(self.state)
        if isinstance(old, (InitialWatch, Watching)) and old.lines is not getattr(
                state, "lines", None):
            old.lines.close()

    def run(self) -> Items:
        """Step for ever, until the source is closed."""
        try:
            self._source.wait_to_start()
            while True:
                match self._state:
                    case Empty() as state:
                        yield from self._begin(state)
                    case InitPage() as state:
                        yield from self._read_page(state)
                    case InitialWatch() as state:
                        yield from self._read_streaming_list(state)
                    case InitListed() as state:
                        yield from self._start_watch(state)
                    case Watching() as state:
                        yield from self._read_watch(state)
                    case Polling():
                        self._source.wait(self._config.poll_interval)
                        self._enter(Empty())
        except Closed:
            # Maybe by another thread, which leaves to this one what it may not touch.
            self._source.close()
        finally:
            if isinstance(self._state, (InitialWatch, Watching)):
                self._state.lines.close()

    def _begin(self, state: Empty) -> Items:
        self._unconfirmed = False
        self.shard.begin_list()
        self._room = Room(self._config.max_objects)
        if self._refusals.polling or not self._streaming_lists.wanted:
            yield Init()
            limit = None if state.unpaged or self._any_version() else self._config.page_size
            self._enter(InitPage(None, None, limit))
            return
        try:
            lines = self._source.lines(resource_version=self._any_version(), initial=True)
        except RequestError as error:
            if not self._streaming_lists.failed(error):
                yield watcher_error(InitialListFailed, "cannot start the streaming list", error)
            return
        self._enter(InitialWatch(lines))
        yield Init()

    def _any_version(self) -> str | None:
        # Another replica's memory may be behind what was seen already.
        any_will_do = self._config.list_semantic is ListSemantic.ANY and not self._listed_before
        return "0" if any_will_do else None

    def _read_page(self, state: InitPage) -> Items:
        first, page = state.continue_token is None, None
        try:
            page = self._source.page(limit=state.limit, continue_token=state.continue_token,
                                     resource_version=self._any_version() if first else None)
            for item in self._room.of_page(self.shard.select(page)):
                yield InitApply(item)
            if not first and page.continue_token == state.continue_token:
                raise RequestError("the next page is the same one")
        except RequestError as error:
            self._streaming_lists.list_failed()
            # Expired between two pages: the next list must not depend on its pages' lifetime.
            expired = is_expired(error) and not first
            page = None  # Hang up: the rest of it is not wanted.
            self._enter(Empty(unpaged=expired))
            yield watcher_error(InitialListFailed, "cannot list", error)
            return
        # The list is as of its first page, also where only a later one has a version.
        version = page.resource_version if first else state.resource_version
        if page.continue_token:
            self._enter(InitPage(page.continue_token, version, state.limit))
            return
        self._streaming_lists.list_done()
        if self._versionless.is_mistake(version):
            self._enter(Empty())
            yield NoResourceVersion("the list has no resourceVersion")
            return
        yield self._listed(version, self._refusals.after_list(), page.shard_selector)

    def _read_streaming_list(self, state: InitialWatch) -> Items:
        owns = self.shard.owns
        failure: WatcherError
        try:
            for line in state.lines:
                match line.type:
                    case "ADDED" | "MODIFIED" | "DELETED" if owns and not owns(line.object):
                        pass
                    case "ADDED" | "MODIFIED":
                        self._room.take()
                        yield InitApply(line.object)
                    case "DELETED":
                        yield Delete(line.object)
                    case "BOOKMARK" if ends_list(line):
                        version = line.object.resource_version
                        if version is None:
                            failure = NoResourceVersion(
                                "the streaming list has no resourceVersion")
                            break
                        state.lines.listed()
                        self._streaming_lists.worked()
                        self._versionless.is_mistake(version)
                        yield self._listed(version, Watching(state.lines))
                        return
                    case "BOOKMARK":
                        pass
                    case "ERROR":
                        failure = watch_error(status_of(line))
                        break
                    case _:
                        raise unknown_type(line)
            else:
                raise RequestError("the server ended it before its end bookmark")
        except RequestError as error:
            failure = watcher_error(InitialListFailed, "the streaming list broke off", error)
        self._streaming_lists.failed(failure)
        self._enter(Empty())
        yield failure

    def _listed(self, version: str | None, state: State, selector: str | None = None) -> InitDone:
        """Go on from a complete list; `selector` as of `ShardFilter.end_list`."""
        self.shard.end_list(selector)
        self._listed_before = True
        self.resource_version = version
        self._enter(state)
        return InitDone(version)

    def _start_watch(self, state: InitListed) -> Items:
        version, ended = self.resource_version, state.ended_without_event
        try:
            if ended >= ENDED and version is not None:
                if went_back(self._source, version):
                    self._enter(Empty())
                    yield WatchFailed(f"the server's resource version is behind {version}")
                    return
                ended = 0
            lines = self._source.lines(resource_version=version, initial=False,
                                       brief=self._unconfirmed)
        except RequestError as error:
            next_state = self._refusals.refused(state, error, self._unconfirmed)
            if next_state is not state:
                self._enter(next_state)
            if not isinstance(next_state, Polling):
                yield watcher_error(WatchStartFailed, "cannot start the watch", error)
            return
        self._refusals.watch_began()
        self._enter(Watching(lines, state.failed_without_event, ended))

    def _read_watch(self, state: Watching) -> Items:
        failed, ended = state.failed_without_event + 1, state.ended_without_event + 1
        owns = self.shard.owns
        try:
            for line in state.lines:
                kind, obj = line
                if owns is not None and kind in OBJECT_EVENTS and not owns(obj):
                    # Nothing happens to it here, but up to its version all is seen.
                    kind = "BOOKMARK"
                if kind == "ERROR":
                    failure: WatcherError = watch_error(status_of(line))
                    self._enter(
                        Empty() if is_expired(failure) else self._resumed(state, failed))
                    yield failure
                    return
                make = OBJECT_EVENTS.get(kind)
                event = bookmark_of(kind, line) if make is None else make(obj)
                version = obj.resource_version
                if version != self.resource_version and not self._moves_on(version, line.type):
                    # A server restored from a backup, or a replica that is behind.
                    known = self.resource_version
                    self._enter(Empty())
                    yield WatchFailed(f"the resource version went from {known} back to {version}")
                    return
                if ended:
                    failed, ended, self._failures_borne = 1, 0, FAILED
                # A bookmark that has not moved the version says nothing.
                if kind != "BOOKMARK" or version == self.resource_version is not None:
                    self._unconfirmed = False
                    yield event
        except RequestError as error:
            if self._refusals.is_final(error):
                self._enter(self._refusals.refused(state, error))
                return
            failure = watcher_error(WatchFailed, "the watch broke off", error)
            self._enter(self._resumed(state, failed))
            yield failure
            return
        version, unconfirmed = self.resource_version, self._unconfirmed
        self._unconfirmed = False
        self._enter(Empty() if version is None else InitListed(ended_without_event=ended))
        if unconfirmed and version is not None:
            yield Bookmark(version)

    def _resumed(self, state: Watching, failed: int) -> State:
        """Return where to go on after a watch that broke."""
        if self.resource_version is None:
            return Empty()
        # Refused reads and cut connections may go on for hours and say nothing about the version,
        # nor does it when a watch has run for a while; one that began and showed nothing may.
        if state.lines.served:
            failed = 0
        if failed < self._failures_borne:
            return InitListed(failed_without_event=failed)
        self._failures_borne = min(2 * self._failures_borne, FAILED_MOST)
        return Empty()

    def _moves_on(self, new: str | None, kind: str) -> bool:
        """Move on to the version of a line; return False where that is an older one."""
        known = self.resource_version
        if known is None or new is None:
            return True
        self.resource_version = newer_version(known, new)
        if self.resource_version == new:
            self._backward = 0
        elif kind != "DELETED" and (compare_versions(new, known) or 0) < 0:
            # (Some servers delete with the version that the object had.)
            self._backward += 1
            return self._backward > BACKWARD
        return True


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

    __reduce_ex__ = no_value("it has a connection of this process")

    def __init__(self, list_func: Any, *args: Any, config: Config | None = None,
                 **kwargs: Any) -> None:
        config = Config() if config is None else config
        if not isinstance(config, Config):
            raise TypeError(f"config must be a Config: {config!r}")
        self._run(ApiSource(list_func, args, kwargs, config), config)

    @classmethod
    def over(cls, source: ApiSource, config: Config, observer: Callable[[str], None],
             since: str | None = None) -> Watcher:
        """Make a watcher over a source that is there already, for a Reflector; see `Machine`."""
        watcher = cls.__new__(cls)
        watcher._run(source, config, observer, since)
        return watcher

    def _run(self, source: ApiSource, config: Config,
             observer: Callable[[str], None] | None = None, since: str | None = None) -> None:
        self._source = source
        self._machine = Machine(source, config, observer, since)
        self._items = self._machine.run()

    def __iter__(self) -> Iterator[Event | WatcherError]:
        # The generator itself, so that each item takes one step less.
        return self._items

    def __next__(self) -> Event | WatcherError:
        return next(self._items)

    @property
    def state(self) -> str:
        """The state of the machine; see `Machine.state`."""
        return self._machine.state

    @property
    def contact(self) -> float | None:
        """When the server was last heard of, on `time.monotonic`; from any thread."""
        return self._source.record.contact

    @property
    def first_list(self) -> float | None:
        """When the first list began of which anything has come, on `time.monotonic`; any thread."""
        return self._source.record.first_list

    @property
    def filtered_by(self) -> str | None:
        """Who leaves out the objects of other shards, as `Status.filtered_by`; from any thread."""
        return self._machine.shard.filtered_by

    def close(self) -> None:
        """End the iteration, whatever it is waiting for; from any thread, any number of times."""
        self._source.close()
