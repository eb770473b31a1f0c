"""The Reflector: a watcher, a writer, and the thread that moves events between them."""

from __future__ import annotations

import itertools
import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any

from kube_reflect._core import IndexFunction, checked_timeout
from kube_reflect._feed import Feed, Transform
from kube_reflect._handlers import Handler
from kube_reflect._worker import Worker, applied
from kube_reflect.backoff import Backoff
from kube_reflect.config import Config
from kube_reflect.dispatcher import Subscription
from kube_reflect.errors import WatcherError
from kube_reflect.events import Event
from kube_reflect.status import Health, Status
from kube_reflect.store import Store, Writer
from kube_reflect.watcher import Watcher
from kube_reflect.wire import model_of

__all__ = ["Handler", "Reflector", "reflect"]

logger = logging.getLogger("kube_reflect")

_numbers = itertools.count(1)


def reflect(writer: Writer, stream: Iterable[Event | WatcherError],
            ) -> Iterator[Event | WatcherError]:
    """Apply each event of a stream to a cache, and pass it on, errors too.

    Nothing happens unless somebody iterates. When the iteration ends, so does the writer.

    :param writer: what to apply them to; it feeds from this stream only.
    :param stream: a watcher, or a stream made from one.
    :raises ValueError: at once, if the writer feeds from a stream already.
    :raises TypeError: at once, for what is no Writer.
    """
    if not isinstance(writer, Writer):
        raise TypeError(f"writer must be a Writer: {writer!r}")
    writer._claim()
    return _closing(writer, applied(writer._core, writer._feed, stream))


def _closing(writer: Writer, stream: Iterator[Event | WatcherError],
             ) -> Iterator[Event | WatcherError]:
    try:
        yield from stream
    finally:
        writer.close()


class _Task:
    """What stays of a watch from one start to the next: its feed, its health, its worker."""

    def __init__(self, feed: Feed, health: Health, make_worker: Callable[[_Task], Worker]) -> None:
        self.feed = feed
        self.health = health
        self._make_worker = make_worker
        self.worker: Worker | None = None

    def start(self) -> None:
        if self.worker is None or not self.worker.is_running():
            self.feed.restart()
            self.worker = self._make_worker(self)
            self.worker.start()


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
        transform: Transform | None = None,
        indexers: Mapping[str, IndexFunction] | None = None,
        copies: bool = False,
        backoff: Backoff | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._config = config if config is not None else Config()
        if backoff is not None and not isinstance(backoff, Backoff):
            raise TypeError(f"backoff must be a Backoff: {backoff!r}")
        policy = backoff if backoff is not None else Backoff()
        #: The name of the reflector, as in the names of its threads.
        self.name = name if name is not None else f"reflector-{next(_numbers)}"

        def new_watcher(observer: Callable[[str], None]) -> Watcher:
            return Watcher(list_func, *args, config=config, _observer=observer, **kwargs)

        # Made only to have mistakes in the arguments said here and now; it opens nothing.
        new_watcher(lambda state: None).close()
        self._writer = Writer(model=model if model is not None else model_of(list_func),
                              transform=transform, indexers=indexers, copies=copies)
        self._writer._claim()
        core, thread_name = self._writer._core, self.name
        self._task = _Task(
            self._writer._feed, Health(self.name),
            lambda task: Worker(new_watcher, core, task.feed, policy, task.health, thread_name))
        core.staleness = _staleness_of(weakref.ref(self._task))
        # Guards the fields below; reentrant, for a close() in a signal handler.
        self._lock = threading.RLock()
        self._running = False
        self._handlers: list[Handler] = []
        self._finalizer: weakref.finalize[Any, Any] | None = None
        self._store: weakref.ref[Store[Any]] | None = None

    def start(self) -> Reflector:
        """Start the thread, if it is not running; returns self, at once."""
        with self._lock:
            if not self._running:
                self._writer._reopen()
                self._running = True
            self._task.start()
            for handler in self._handlers:
                handler.start()
            if self._finalizer is not None:
                self._finalizer.detach()
            assert self._task.worker is not None
            # Runs at interpreter exit too, so that no thread is caught in the middle.
            self._finalizer = weakref.finalize(self, self._task.worker.close)
        return self

    def close(self, timeout: float | None = 5.0) -> None:
        """Stop the thread, and wait for its end; its readers keep the last state.

        It may be called in any state, any number of times, and from a callback on a thread of
        the reflector, which then does not wait for itself. `start` begins anew.

        :param timeout: seconds to wait at most; None waits for as long as it takes.
        """
        timeout = checked_timeout(timeout)
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            self._running = False
            worker, handlers = self._task.worker, list(self._handlers)
        if worker is not None:
            worker.close()
            self._writer._core.unblock()
            if worker.thread is not threading.current_thread():
                worker.thread.join(_left(deadline))
                if worker.thread.is_alive():
                    logger.warning("%s: the thread did not end within %s s", self.name, timeout)
        self._writer.close()
        for handler in handlers:
            handler.join(_left(deadline))

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

    def subscribe(self, *, buffer_size: int = 1024,
                  overflow: str = "coalesce") -> Subscription[Any]:
        """Give a subscriber all that is there, and then each change; see `Subscription`.

        It may be called at any time, before `start` too. A subscription ends with `close`.

        :param buffer_size: pending changes at which the subscriber counts as slow.
        :param overflow: what then happens: ``coalesce``, ``block`` or ``resync``.
        :raises ValueError: for a buffer size below 1, or an unknown overflow.
        """
        return Subscription(self._writer._core, self.store, buffer_size=buffer_size,
                            overflow=overflow)

    def add_handler(
        self,
        on_add: Callable[[Any], object] | None = None,
        on_update: Callable[[Any, Any], object] | None = None,
        on_delete: Callable[[Any], object] | None = None,
        on_resync: Callable[[], object] | None = None,
        *,
        buffer_size: int = 1024,
        overflow: str = "coalesce",
    ) -> Handler:
        """Have callbacks told of each change, on a thread of their own.

        It begins with ``on_add`` for all that is there, also when it is added late, and again
        after each `start`. A slow callback does not hold up the cache.

        :param on_add: given an object that was not there.
        :param on_update: given the old object and the new one.
        :param on_delete: given the last state of an object that is gone.
        :param on_resync: called before all objects are added anew (``overflow="resync"``).
        :raises TypeError: for what cannot be called.
        :raises ValueError: if there is nothing to call.
        """
        with self._lock:
            handler = Handler(
                f"{self.name}:handler-{len(self._handlers) + 1}",
                on_add, on_update, on_delete, on_resync,
                lambda: self._writer.subscribe(buffer_size=buffer_size, overflow=overflow),
                self._forget_handler)
            self._handlers.append(handler)
            if self._running:
                handler.start()
        return handler

    def _forget_handler(self, handler: Handler) -> None:
        with self._lock:
            if handler in self._handlers:
                self._handlers.remove(handler)

    @property
    def status(self) -> Status:
        """How it is at this moment; some microseconds, no network."""
        core, moment, worker = self._writer._core, self._task.health.moment, self._task.worker
        with core.lock.gen_rlock():
            version, events, lists = core.resource_version, core.events, core.lists
            objects = len(core.table.packed)
        return Status.of(
            moment, alive=worker is not None and worker.thread.is_alive(),
            staleness=core.staleness(), idle_timeout=self._config.idle_timeout,
            ready=core.gate.ready, resource_version=version, relists=max(0, lists - 1),
            events=events, objects=objects, poisoned=core.poisoned)


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def _staleness_of(task: weakref.ref[_Task]) -> Callable[[], float | None]:
    def staleness() -> float | None:
        strong = task()
        worker = strong.worker if strong is not None else None
        contact = worker.contact if worker is not None else None
        return None if contact is None else max(0.0, time.monotonic() - contact)

    return staleness
