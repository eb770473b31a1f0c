"""The watches of one reflector: one for all, or one for each namespace."""

from __future__ import annotations

import functools
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from kube_reflect.backoff import Backoff
from kube_reflect.config import Config
from kube_reflect.reflector.health import Health, PhaseRecord
from kube_reflect.reflector.runner import Runner
from kube_reflect.reflector.warm_start import WarmFile
from kube_reflect.reflector.watchers import WatcherFactory
from kube_reflect.reflector.worker import Worker
from kube_reflect.status import NamespaceStatus, Phase, Status
from kube_reflect.store import Cache, NamespaceWriter

__all__ = ["NamespaceWatch", "Namespaces"]

logger = logging.getLogger(__name__)


class NamespaceWatch:
    """What stays of a watch from one start to the next: its writer and its health."""

    def __init__(self, writer: NamespaceWriter, health: Health,
                 new_worker: Callable[[], Worker]) -> None:
        self.writer = writer
        self.health = health
        self._new_worker = new_worker
        # Replaced at each start; read by any thread.
        self._worker: Worker | None = None
        #: The last contact of a worker that is gone, on `time.monotonic`.
        self._contact: float | None = None

    def __repr__(self) -> str:
        return f"<NamespaceWatch {self.health.name} {self.health.record.phase.value}>"

    @property
    def is_alive(self) -> bool:
        """Whether the thread is running; from any thread."""
        worker = self._worker
        return worker is not None and worker.is_alive

    @property
    def is_running(self) -> bool:
        """Whether the thread is running, and has not been told to end; from any thread."""
        worker = self._worker
        return worker is not None and worker.is_running

    def start(self) -> None:
        """Start a thread, if there is none that goes on."""
        before = self._worker
        if before is None or not before.is_running:
            if before is not None:
                # One that was interrupted in its start may yet begin.
                before.replace()
            # First its place, then its start: a thread that nobody knows would be lost.
            worker = self._worker = self._new_worker()
            worker.start(before)

    def close(self) -> Worker | None:
        """End the thread; return at once what to wait for."""
        worker = self._worker
        if worker is not None:
            worker.close()
        return worker

    def after_fork(self) -> None:
        """Forget the thread, which is gone (unless it is the one that forked)."""
        worker = self._worker
        if worker is not None and not worker.is_current_thread:
            self._contact = worker.contact
            self._worker = None
            self.health.enter(Phase.STOPPED)

    @property
    def filtered_by(self) -> str | None:
        """Who leaves out the objects of other shards; from any thread."""
        worker = self._worker
        return None if worker is None else worker.filtered_by

    def staleness(self) -> float | None:
        """Return seconds since the last contact, or None; from any thread."""
        worker = self._worker
        contact = worker.contact if worker is not None else None
        return _seconds_since(self._contact if contact is None else contact)

    def shown_staleness(self) -> float | None:
        """Return the staleness as a status has it: of a slow first list, how long it has taken."""
        staleness, worker = self.staleness(), self._worker
        if staleness is None and worker is not None:
            return _seconds_since(worker.answered)
        return staleness

    def is_live(self, config: Config) -> bool:
        """Return whether a watch is running, and has been heard of within its deadline."""
        staleness, phase = self.staleness(), self.health.record.phase
        if not self.is_running or staleness is None:
            return False
        if phase is Phase.POLLING:
            return staleness <= config.idle_timeout + config.poll_interval
        return phase is Phase.WATCHING and staleness <= config.idle_timeout

    def status(self, config: Config, ready: bool) -> NamespaceStatus:
        """Return how it is; from any thread."""
        record = self.health.record
        return NamespaceStatus(
            phase=record.phase, since=record.since, ready=ready, live=self.is_live(config),
            staleness=self.shown_staleness(), last_error=record.error,
            code=getattr(record.error, "code", None))


class Namespaces:
    """Starts and ends the watches together; a `Keeper` of the cache.

    It does not know the Reflector, which so can be forgotten while threads are running. Its
    caller sees to it that one thread at a time adds, removes and starts.

    :param cache: the cache that all feed.
    :param name: of the reflector.
    :param watchers: makes the watcher of a namespace.
    :param new_backoff: makes the backoff of each.
    :param file: from which they start warm, if there is one.
    """

    def __init__(self, cache: Cache, name: str, watchers: WatcherFactory,
                 new_backoff: Callable[[], Backoff], file: WarmFile | None = None) -> None:
        self._cache = cache
        self._name = name
        self._file = file
        self._watchers = watchers
        self._new_backoff = new_backoff
        # Called at each change of a phase. A dict's operations are atomic, and it is copied to
        # iterate.
        self._callbacks: dict[object, Callable[[], object]] = {}
        #: By namespace, or None. Never changed, but replaced, so that any thread may iterate it.
        self.watches: dict[str | None, NamespaceWatch] = {}
        cache.kept_by(self)

    def add(self, namespace: str | None) -> NamespaceWatch:
        """Add the watch of a namespace, which the cache is not complete without."""
        name = self._name if namespace is None else f"{self._name}:{namespace}"
        writer = NamespaceWriter(self._cache, namespace)
        health = Health(name, notify=self._notify)
        new_watcher = functools.partial(self._watchers.new, namespace)
        share = None if self._file is None else functools.partial(self._file.share, namespace)

        def new_worker() -> Worker:
            return Worker(new_watcher, self._cache, writer, self._new_backoff(), health, share)

        watch = NamespaceWatch(writer, health, new_worker)
        self.watches = {**self.watches, namespace: watch}
        return watch

    def remove_watch(self, namespace: str | None) -> NamespaceWatch:
        """Remove a watch and return it; the caller ends it, and removes its objects."""
        watch = self.watches[namespace]
        self.watches = {name: one for name, one in self.watches.items() if name != namespace}
        return watch

    def undo_add(self, namespace: str | None) -> None:
        """Leave nothing of a namespace, however far its adding has come."""
        if namespace in self.watches:
            watch = self.remove_watch(namespace)
            watch.close()
            # Its thread may be in the middle of an event, which is then to come to nothing.
            watch.writer.remove()
        else:
            NamespaceWriter(self._cache, namespace).remove()

    def _with_threads(self) -> list[NamespaceWatch | WarmFile]:
        watches = self.watches.values()
        return [*watches] if self._file is None else [*watches, self._file]

    def start(self) -> None:
        """Start the threads that are not running."""
        for one in self._with_threads():
            one.start()

    def close(self) -> list[Runner]:
        """End all threads; return at once what to wait for. From any thread."""
        return [thread for one in self._with_threads() if (thread := one.close()) is not None]

    def after_fork(self) -> None:
        """Forget the threads, which are gone."""
        for one in self._with_threads():
            one.after_fork()

    def on_phase(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Register a function that a watch's thread calls after each change of its phase.

        :return: a function that ends it.
        """
        token = object()
        self._callbacks[token] = callback
        return lambda: self._callbacks.pop(token, None) and None

    def _notify(self) -> None:
        # Who waits until the cache is live looks again.
        self._cache.notify()
        for callback in list(self._callbacks.values()):
            try:
                callback()
            except BaseException:
                # A SystemExit too: on this thread, nobody but the callback itself can mean it.
                logger.exception("%s: a phase callback failed", self._name)

    def staleness(self) -> float | None:
        """Return seconds since the last contact; None: never, infinity: nobody keeps it up."""
        watches = self.watches.values()
        if not watches or not all(watch.is_running for watch in watches):
            return math.inf
        return _worst(watch.staleness() for watch in watches)

    def is_live(self) -> bool:
        """Return whether all watches are running, and are heard of."""
        watches = self.watches.values()
        return bool(watches) and all(watch.is_live(self._watchers.config) for watch in watches)

    def _worst_record(self) -> PhaseRecord:
        records = [watch.health.record for watch in self.watches.values()]
        if not records:
            return PhaseRecord(Phase.STOPPED, time.time())
        worst = max(records, key=lambda record: record.phase.severity)
        errors = [one.error for one in (worst, *records) if one.error is not None]
        return worst._replace(error=errors[0] if errors else None)

    def status(self) -> Status:
        """Return how all of it is; from any thread. It waits for no lock, and asks no server."""
        cache, config, watches = self._cache, self._watchers.config, self.watches
        record = self._worst_record()
        contact = _worst(watch.staleness() for watch in watches.values())
        staleness = _worst(watch.shown_staleness() for watch in watches.values())
        counters, awaited = cache.counters, cache.awaited
        health = [watch.health for watch in watches.values()]
        file_failures = {} if self._file is None or not self._file.failures else {
            "WarmStartFailed": self._file.failures}
        return Status(
            phase=record.phase, since=record.since, ready=cache.ready,
            live=self.is_live(),
            last_contact=None if contact is None else time.time() - contact,
            staleness=staleness, last_error=record.error,
            code=getattr(record.error, "code", None),
            resource_version=counters.resource_version, relists=counters.relists,
            reconnects=sum(max(0, one.record.watches - 1) for one in health),
            events=counters.events, objects=cache.objects,
            poisoned=cache.poisoned,
            thread_alive=bool(watches) and all(watch.is_alive for watch in watches.values()),
            namespaces={namespace: watch.status(config, namespace not in awaited)
                        for namespace, watch in watches.items() if namespace is not None},
            bytes_at_rest=counters.bytes_at_rest,
            failures=_sum([*(one.failures for one in health), file_failures]),
            events_by_type=_sum(one.events for one in health),
            relist_reasons=_sum(one.relist_reasons for one in health),
            reconnect_reasons=_sum(one.reconnect_reasons for one in health),
            event_lag=_longest(one.event_lag for one in health),
            retry_at=record.retry_at, backoff=record.backoff,
            last_list_seconds=_longest(one.last_list_seconds for one in health),
            shard=None if config.shard is None else str(config.shard),
            filtered_by=_common(watch.filtered_by for watch in watches.values()))


def _seconds_since(moment: float | None) -> float | None:
    return None if moment is None else max(0.0, time.monotonic() - moment)


def _longest(times: Iterable[float | None]) -> float | None:
    return max((one for one in times if one is not None), default=None)


def _worst(ages: Iterable[float | None]) -> float | None:
    """Return the greatest of ages; None if one is not known, or there are none."""
    found = list(ages)
    return None if None in found else _longest(found)


def _common(found: Iterable[str | None]) -> str | None:
    """Return "client" if one says so, else what all say, else None."""
    said = set(found)
    return "client" if "client" in said else said.pop() if len(said) == 1 else None


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        # A copy in one call, for its thread goes on counting.
        total.update(dict(one))
    return dict(total)
