"""The Reflector: a watcher, a writer, and the thread that moves events between them."""

from __future__ import annotations

import itertools
import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any

from kube_reflect import streams
from kube_reflect._core import IndexFunction, checked_timeout
from kube_reflect.backoff import Backoff
from kube_reflect.config import Config
from kube_reflect.errors import WatcherError
from kube_reflect.events import Event
from kube_reflect.status import Health, Phase, Status
from kube_reflect.store import Store, Writer
from kube_reflect.watcher import Watcher
from kube_reflect.wire import model_of

__all__ = ["Reflector", "reflect"]

logger = logging.getLogger("kube_reflect")

_numbers = itertools.count(1)


def reflect(writer: Writer, stream: Iterable[Event | WatcherError],
            ) -> Iterator[Event | WatcherError]:
    """Apply each event of a stream to a cache, and pass it on, errors too.

    Nothing happens unless somebody iterates. When the iteration ends, so does the writer.

    :param writer: what to apply them to; it feeds from this stream only.
    :param stream: a watcher, or a stream made from one.
    :raises ValueError: at once, if the writer feeds from a stream already.
    """
    if not isinstance(writer, Writer):
        raise TypeError(f"writer must be a Writer: {writer!r}")
    writer._claim()
    return _closing(writer, _applied(writer, stream))


def _closing(writer: Writer, stream: Iterator[Event | WatcherError],
             ) -> Iterator[Event | WatcherError]:
    try:
        yield from stream
    finally:
        writer.close()


def _applied(writer: Writer, stream: Iterable[Event | WatcherError],
             ) -> Iterator[Event | WatcherError]:
    for item in stream:
        if isinstance(item, WatcherError):
            writer._note_error(item)
        else:
            writer.apply_watcher_event(item)
        yield item


class _Worker:
    """One life of the thread: from a start to a close.

    It knows nothing of the Reflector, so that it does not keep it alive.
    """

    def __init__(self, new_watcher: Callable[[Callable[[str], None]], Watcher], writer: Writer,
                 backoff: Backoff, health: Health, name: str) -> None:
        self._new_watcher = new_watcher
        self._writer = writer
        self._backoff = backoff
        self.health = health
        # A queue, not an event: its put is safe within a signal handler or a finalizer that
        # interrupts its get.
        self._wake: SimpleQueue[None] = SimpleQueue()
        # Set by close(), from any thread; read by the thread.
        self._closed = False
        #: Written by the thread, read by close().
        self.watcher: Watcher | None = None
        self.thread = threading.Thread(target=self._run, name=f"kube-reflect:{name}", daemon=True)

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Have the thread end, whatever it is waiting for; does not wait for it."""
        self._closed = True
        watcher = self.watcher
        if watcher is not None:
            watcher.close()
        self._wake.put(None)

    def _run(self) -> None:
        try:
            while not self.is_closed():
                try:
                    self._follow()
                except Exception as error:
                    if self.is_closed():
                        break
                    failure = WatcherError(f"unexpected: {type(error).__name__}: {error}")
                    failure.__cause__ = error
                    logger.exception("an error that should not be; starting over")
                    self._writer._note_error(failure)
                    self.health.failed(failure)
                    self._sleep(self._backoff.next_delay())
            self.health.enter(Phase.STOPPED)
        except BaseException as error:
            self.health.died(error)
            self._writer._core.gate.drop(error)

    def _follow(self) -> None:
        watcher = self.watcher = self._new_watcher(self.health.entered_state)
        if self.is_closed():
            watcher.close()
        try:
            stream = streams.backoff(watcher, self._backoff, sleep=self._sleep)
            for item in _applied(self._writer, stream):
                if isinstance(item, WatcherError):
                    self.health.failed(item)
                else:
                    self.health.worked()
        finally:
            watcher.close()

    def _sleep(self, seconds: float) -> None:
        self.health.waiting(seconds)
        if not self.is_closed():
            try:
                self._wake.get(timeout=min(seconds, threading.TIMEOUT_MAX))
            except Empty:
                pass


class Reflector:
    """A background thread that keeps a `Store` in step with the API server.

    Nothing starts before `start`; `with` starts and closes. All methods may be called from any
    thread. The reflector runs until it is closed, or neither it nor its store is referenced any
    more.

    :param list_func: what one gives the official `Watch`; see `Watcher`.
    :param args: for the list function.
    :param config: selectors, timeouts and strategy.
    :param model: makes a K of a mapping. By default K is what the list function returns: a V1Pod
        for ``list_namespaced_pod``, a dict for custom objects. ``dict`` leaves the mapping.
    :param transform: changes each mapping before it is stored; see `Writer`.
    :param indexers: functions of the mapping, by the name of the index; see `Writer`.
    :param copies: give each read a K of its own.
    :param backoff: how long to wait after failures.
    :param name: for the thread and the log.
    :param kwargs: for the list function.
    :raises TypeError: for what is no list function, or lacks arguments.
    :raises ValueError: for arguments that the watcher sets by itself.
    """

    def __init__(
        self,
        list_func: Any,
        *args: Any,
        config: Config | None = None,
        model: Callable[[dict[str, Any]], Any] | None = None,
        transform: Callable[[dict[str, Any]], Mapping[str, Any]] | None = None,
        indexers: Mapping[str, IndexFunction] | None = None,
        copies: bool = False,
        backoff: Backoff | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._config = config if config is not None else Config()
        if backoff is not None and not isinstance(backoff, Backoff):
            raise TypeError(f"backoff must be a Backoff: {backoff!r}")
        self._backoff = backoff if backoff is not None else Backoff()

        def new_watcher(observer: Callable[[str], None]) -> Watcher:
            return Watcher(list_func, *args, config=config, _observer=observer, **kwargs)

        # Made only to have mistakes in the arguments said here and now; it opens nothing.
        new_watcher(lambda state: None).close()
        self._new_watcher = new_watcher
        #: The name of the reflector, as in the name of its thread.
        self.name = name if name is not None else f"reflector-{next(_numbers)}"
        self._writer = Writer(model=model if model is not None else model_of(list_func),
                              transform=transform, indexers=indexers, copies=copies)
        self._writer._claim()
        self._writer._core.staleness = self._make_staleness()
        self._health = Health(self.name)
        # Guards the two fields below; reentrant, for a close() in a signal handler.
        self._lock = threading.RLock()
        self._worker: _Worker | None = None
        self._finalizer: weakref.finalize[Any, Any] | None = None
        self._store: weakref.ref[Store[Any]] | None = None

    def start(self) -> Reflector:
        """Start the thread, if it is not running; returns self, at once."""
        with self._lock:
            worker = self._worker
            if worker is not None and not worker.is_closed() and worker.thread.is_alive():
                return self
            self._writer._reopen()
            self._health.enter(Phase.LISTING)
            worker = _Worker(self._new_watcher, self._writer, self._backoff, self._health,
                             self.name)
            self._worker = worker
            worker.thread.start()
            if self._finalizer is not None:
                self._finalizer.detach()
            # Runs at interpreter exit too, so that no thread is caught in the middle.
            self._finalizer = weakref.finalize(self, worker.close)
        return self

    def close(self, timeout: float | None = 5.0) -> None:
        """Stop the thread, and wait for its end; its readers keep the last state.

        It may be called in any state, any number of times, and from a callback on the thread
        itself, which then does not wait. `start` begins anew.

        :param timeout: seconds to wait at most; None waits for as long as it takes.
        """
        timeout = checked_timeout(timeout)
        with self._lock:
            worker = self._worker
        if worker is not None:
            worker.close()
            if worker.thread is not threading.current_thread():
                worker.thread.join(timeout)
                if worker.thread.is_alive():
                    logger.warning("%s: the thread did not end within %s s", self.name, timeout)
        self._writer.close()

    def __enter__(self) -> Reflector:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self.close()

    @property
    def store(self) -> Store[Any]:
        """The cache; the same handle for all who ask."""
        # Held weakly, for the handle holds the reflector; strongly they would never be freed
        # without a garbage collection.
        store = self._store() if self._store is not None else None
        if store is None:
            store = Store(self._writer._core, self)
            self._store = weakref.ref(store)
        return store

    @property
    def status(self) -> Status:
        """How it is at this moment; some microseconds, no network."""
        core, moment, worker = self._writer._core, self._health.moment, self._worker
        with core.lock.gen_rlock():
            version, events, lists = core.resource_version, core.events, core.lists
            objects = len(core.table.packed)
        alive = worker is not None and worker.thread.is_alive()
        staleness = core.staleness()
        live = (alive and moment.phase is Phase.WATCHING and staleness is not None
                and staleness <= self._config.idle_timeout)
        return Status(
            phase=moment.phase, since=moment.since, ready=core.gate.ready, live=live,
            last_contact=None if staleness is None else time.time() - staleness,
            staleness=staleness, last_error=moment.error,
            code=getattr(moment.error, "code", None), resource_version=version,
            relists=max(0, lists - 1), reconnects=max(0, moment.watches - 1), events=events,
            objects=objects, poisoned=core.poisoned, thread_alive=alive)

    def _make_staleness(self) -> Callable[[], float | None]:
        weak = weakref.ref(self)

        def staleness() -> float | None:
            reflector = weak()
            worker = reflector._worker if reflector is not None else None
            watcher = worker.watcher if worker is not None else None
            contact = watcher.contact if watcher is not None else None
            return None if contact is None else max(0.0, time.monotonic() - contact)

        return staleness
