"""The Reflector: a watcher, a writer, and the thread that moves events between them."""

from __future__ import annotations

import itertools
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any

from kube_reflect import _locks
from kube_reflect.store.readiness import checked_timeout
from kube_reflect.dispatcher.handlers import Handler
from kube_reflect.store.options import IndexFunction, Transform
from kube_reflect.reflector.watchers import Watchers, checked_config, checked_namespaces
from kube_reflect.reflector.worker import applied
from kube_reflect.backoff import Backoff
from kube_reflect.config import Config
from kube_reflect.dispatcher.subscription import Subscription
from kube_reflect.errors import WatcherError
from kube_reflect.events import Event
from kube_reflect.status import Status
from kube_reflect.store.store import Store, Writer
from kube_reflect.client import ListFunction, eager_maker

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
    except Exception as error:
        # Those who wait are to hear why.
        writer._core.end(error)
        raise
    finally:
        writer.close()


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
    :param compress: deflate the objects; see `Writer`.
    :param detect_mutations: find readers who change what they share; see `Writer`.
    :param metadata_only: ask only for the metadata. A mapping is then a PartialObjectMetadata
        (apiVersion and kind say so) with metadata; K is that, as a dict, or what ``model`` makes
        of it. Refs have the kind that the list function tells, which typed methods and resources
        of the dynamic client do, and `CustomObjectsApi` does not; else they have none.
    :param new_client: called after a 401, before the next request, by the reflector's thread:
        gives an ApiClient to go on with, such as ``kubernetes.config.new_client_from_config``
        does. Without it, the client's own ways to fresh credentials are all there is.
    :param namespaces: watch each of these by itself, into one store; the list function takes a
        ``namespace``. The store and `Status.ready` are ready once all have been listed, and
        `Status.live` while all are kept up; phase and last error are those of the one that is
        worst off; `Status.namespaces` has readiness and errors of each. Where the thread of one
        dies (of a SystemExit in a callback, say) the others go on, but all subscriptions end: a
        subscriber is not to miss a namespace unawares.
    :param backoff: how long to wait after failures; with ``namespaces``, a function that makes
        one for each.
    :param name: for the threads and the log.
    :param kwargs: for the list function.
    :raises TypeError: for what is no list function, or lacks arguments.
    :raises ValueError: for arguments that the watcher sets by itself, or a `Backoff` that several
        namespaces would share.
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
        compress: bool = False,
        detect_mutations: bool | None = None,
        metadata_only: bool = False,
        new_client: Callable[[], Any] | None = None,
        namespaces: Iterable[str] | None = None,
        backoff: Backoff | Callable[[], Backoff] | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._config = checked_config(config)
        if name is not None and not isinstance(name, str):
            raise TypeError(f"name must be a string or None: {name!r}")
        #: The name of the reflector, as in the names of its threads.
        self.name = name if name is not None else f"reflector-{next(_numbers)}"
        scopes = [None] if namespaces is None else checked_namespaces(namespaces)
        self._several = namespaces is not None
        watchers = Watchers(list_func, args, kwargs, self._config,
                            metadata_only=metadata_only, several=self._several,
                            glancing=transform is None, new_client=new_client)
        if model is None:
            model = dict if metadata_only else eager_maker(ListFunction(list_func).model)
        self._writer = Writer(
            watchers.resource, model=model, transform=transform, indexers=indexers,
            copies=copies, compress=compress, detect_mutations=detect_mutations)
        self._writer._claim()
        self._writer._core.gate.obstacle = "the reflector was never started"
        self._team = watchers.team(self._writer._core, self._writer._entries, self.name, backoff)
        for scope in scopes:
            self._team.add(scope)
        # Guards the fields below, and the team's tasks; reentrant, for a close() in a signal
        # handler.
        self._lock = threading.RLock()
        self._running = False
        self._handlers: list[Handler] = []
        self._finalizer: weakref.finalize[Any, Any] | None = None
        self._store: weakref.ref[Store[Any]] | None = None
        self._pid = os.getpid()
        _locks.register(self)

    fork_rank = 2

    def after_fork(self) -> None:
        """Hear that this is a child process, where the thread is gone; the next use starts it.

        Python's own forks tell by themselves. It is for servers that fork in another way, such
        as uWSGI: call it in its ``postfork`` hook.
        """
        _locks.renew()
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        self._lock = threading.RLock()
        for task in self._team.tasks.values():
            task.after_fork()
        for handler in self._handlers:
            handler.after_fork()
        if self._running:
            weak = weakref.ref(self)

            def revive() -> None:
                reflector = weak()
                if reflector is not None:
                    reflector.start()

            self._writer._core.revive = revive

    def start(self) -> Reflector:
        """Start the thread, if it is not running; returns self, at once."""
        _locks.renew()
        with self._lock:
            self._writer._core.revive = None
            self._writer._core.gate.obstacle = ""
            # Ended without a close: the thread died.
            if not self._running or self._writer._core.ended:
                self._writer._reopen()
                self._running = True
            if not self._team.tasks:
                # There is no namespace to wait for.
                self._writer._core.open_gate()
            self._team.start()
            for handler in self._handlers:
                handler.start()
            if not self._running:
                # Closed meanwhile, by a signal handler of this very thread.
                self._team.close()
                self._writer.close()
            if self._finalizer is None:
                # Runs at interpreter exit too, so that no thread is caught in the middle.
                self._finalizer = weakref.finalize(self, self._team.close)
        return self

    def close(self, timeout: float | None = 5.0) -> None:
        """Stop the thread, and wait for its end; its readers keep the last state.

        It may be called in any state, any number of times, and from a callback on a thread of
        the reflector, which then does not wait for itself. `start` begins anew.

        :param timeout: seconds to wait at most; None waits for as long as it takes.
        """
        _locks.renew()
        timeout = checked_timeout(timeout)
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            self._running = False
            self._writer._core.revive = None
            # These and no later ones: another thread may start it again at once.
            workers, handlers = self._team.close(), list(self._handlers)
        self._writer._core.unblock()
        if not all([worker.join(_left(deadline)) for worker in workers]):
            logger.warning("%s: the thread did not end within %s s", self.name, timeout)
        with self._lock:
            if self._running:
                return
            self._writer.close()
        if any(handler.is_current_thread() for handler in handlers):
            # Two callbacks that close would wait for each other.
            return
        if not all([handler.join(_left(deadline)) for handler in handlers]):
            logger.warning("%s: a callback did not end within %s s", self.name, timeout)

    def add_namespace(self, namespace: str) -> None:
        """Watch another namespace; the store is not ready again until that is listed too.

        :raises ValueError: if the reflector was not made with ``namespaces``, or has this one.
        """
        _locks.renew()
        [scope] = checked_namespaces([namespace])
        with self._lock:
            self._check_several()
            if scope in self._team.tasks:
                raise ValueError(f"namespace {namespace!r} is watched already")
            task = self._team.add(scope)
            if self._running:
                task.start()

    def remove_namespace(self, namespace: str, timeout: float | None = 5.0) -> None:
        """Watch a namespace no more, and take its objects out of the store.

        Subscribers hear of them as deleted. The store is ready if all others have been listed.

        :param timeout: seconds to wait for the thread at most.
        :raises ValueError: if the reflector does not watch it.
        """
        _locks.renew()
        timeout = checked_timeout(timeout)
        with self._lock:
            self._check_several()
            if namespace not in self._team.tasks:
                raise ValueError(f"namespace {namespace!r} is not watched")
            # A subscriber that has the writer wait may be waiting for this very thread.
            self._writer._core.unblock()
            try:
                self._team.remove(namespace, timeout)
            finally:
                if self._running or self._finalizer is None:
                    self._writer._core.unblock(False)

    def _check_several(self) -> None:
        if not self._several:
            raise ValueError("the reflector was made for one list; give it namespaces=[…]")

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
        after each `start`. A slow callback does not hold up the cache. A reflector that has been
        started runs on for its handlers, until it is closed.

        :param on_add: given an object that was not there.
        :param on_update: given the old object and the new one.
        :param on_delete: given the last state of an object that is gone.
        :param on_resync: called before all objects are added anew (``overflow="resync"``).
        :raises TypeError: for what cannot be called.
        :raises ValueError: if there is nothing to call.
        """
        _locks.renew()
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

    def add_index(self, name: str, function: IndexFunction) -> None:
        """Add an index over what is there and what will come; see `Writer.add_index`.

        :raises ValueError: if there is an index of that name.
        :raises TypeError: for what cannot be called.
        """
        self._writer.add_index(name, function)

    def on_phase(self, callback: Callable[[Status], object]) -> Callable[[], None]:
        """Have a function told of the status after each change of the phase.

        It is called by the reflector's thread, without a lock, so what takes long holds up the
        cache. What it raises is logged. It may close the reflector.

        :param callback: given a `Status`; of several namespaces, each tells of its own changes.
        :return: a function that ends it; from any thread.
        :raises TypeError: for what cannot be called.
        """
        if not callable(callback):
            raise TypeError(f"callback must be a function of a Status: {callback!r}")
        weak = weakref.ref(self)

        def tell() -> None:
            reflector = weak()
            if reflector is not None:
                callback(reflector.status)

        return self._team.listen(tell)

    def _forget_handler(self, handler: Handler) -> None:
        with self._lock:
            if handler in self._handlers:
                self._handlers.remove(handler)

    @property
    def status(self) -> Status:
        """How it is at this moment; some microseconds, no network."""
        core, tasks = self._writer._core, self._team.tasks
        core.touch()
        with core.lock.gen_rlock():
            version, events, relists = core.resource_version, core.events, core.relists
            objects, awaited = len(core.table.packed), set(core.awaited)
        idle = self._config.idle_timeout
        return Status.of(
            self._team.moment(), alive=all(task.alive for task in tasks.values()) and bool(tasks),
            running=self._team.keeps_up(),
            staleness=self._team.staleness(), idle_timeout=idle,
            ready=core.gate.ready, resource_version=version,
            relists=relists, reconnects=self._team.reconnects(),
            events=events, objects=objects, poisoned=core.poisoned,
            namespaces={scope: task.status(idle, scope not in awaited)
                        for scope, task in tasks.items() if scope is not None})


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
