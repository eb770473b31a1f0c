"""The workers of one reflector: one for all, or one for each namespace."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from kube_reflect.store.core import Core
from kube_reflect.store.feed import Entries, Feed
from kube_reflect.reflector.worker import Worker
from kube_reflect.status import Health, Moment, NamespaceStatus, Phase, is_live

__all__ = ["Task", "Team"]

logger = logging.getLogger("kube_reflect")


class Task:
    """What stays of a watch from one start to the next: its feed and its health."""

    def __init__(self, feed: Feed, health: Health, new_worker: Callable[[Task], Worker]) -> None:
        self.feed = feed
        self.health = health
        self._new_worker = new_worker
        #: Replaced at each start; read by any thread.
        self.worker: Worker | None = None

    @property
    def alive(self) -> bool:
        """Whether the thread is running; from any thread."""
        return self.worker is not None and self.worker.thread.is_alive()

    def start(self) -> None:
        if self.worker is None or not self.worker.is_running():
            before = self.worker
            self.feed.restart()
            self.worker = self._new_worker(self)
            self.worker.start(before)

    @property
    def running(self) -> bool:
        """Whether the thread is running, and has not been told to end; from any thread."""
        return self.worker is not None and self.worker.is_running()

    def close(self) -> Worker | None:
        """Have the thread end; does not wait for that, but gives what to wait for."""
        worker = self.worker
        if worker is not None:
            worker.close()
        return worker

    def after_fork(self) -> None:
        """Know that the thread is gone, in a child process (unless it is the one that forked)."""
        if self.worker is not None and self.worker.thread is not threading.current_thread():
            self.worker = None
            self.health.enter(Phase.STOPPED)

    def status(self, idle_timeout: float, ready: bool) -> NamespaceStatus:
        """How it is; from any thread."""
        moment, staleness = self.health.moment, self.staleness()
        return NamespaceStatus(
            phase=moment.phase, since=moment.since, ready=ready,
            live=self.running and is_live(moment, staleness, idle_timeout), staleness=staleness,
            last_error=moment.error, code=getattr(moment.error, "code", None))

    def staleness(self) -> float | None:
        """Seconds since the last contact, or None; from any thread."""
        contact = self.worker.contact if self.worker is not None else None
        return None if contact is None else max(0.0, time.monotonic() - contact)


class Team:
    """Starts and ends the tasks together.

    It does not know the Reflector, which so can be forgotten while threads are running. Its
    caller sees to it that one thread at a time adds, removes and starts.

    :param core: the cache that all feed.
    :param entries: makes entries for all of them.
    :param name: of the reflector.
    :param new_worker: makes the worker of a scope, for a task.
    """

    def __init__(self, core: Core, entries: Entries, name: str,
                 new_worker: Callable[[str | None, Task], Worker]) -> None:
        self._core = core
        self._entries = entries
        self._name = name
        self._new_worker = new_worker
        #: Who is told of phases. A dict's operations are atomic, and it is copied to iterate.
        self.listeners: dict[object, Callable[[], object]] = {}
        #: By scope. Never changed, but replaced, so that any thread may iterate it.
        self.tasks: dict[str | None, Task] = {}

    def add(self, scope: str | None) -> Task:
        """Add the task of a scope, which the cache is not complete without."""
        name = self._name if scope is None else f"{self._name}:{scope}"
        task = Task(Feed(self._core, self._entries, scope), Health(name, tell=self._tell),
                    lambda task: self._new_worker(scope, task))
        self._core.expect(scope)
        self.tasks = {**self.tasks, scope: task}
        return task

    def remove(self, scope: str | None, timeout: float | None) -> None:
        """End the task of a scope, and take its objects out of the cache."""
        task = self.tasks[scope]
        self.tasks = {name: one for name, one in self.tasks.items() if name != scope}
        worker = task.close()
        if worker is not None:
            worker.join(timeout)
        task.feed.empty()

    def start(self) -> None:
        for task in self.tasks.values():
            task.start()

    def close(self) -> list[Worker]:
        """Have all threads end; does not wait for that, but gives what to wait for. Any thread."""
        return [worker for task in self.tasks.values() if (worker := task.close()) is not None]

    def listen(self, told: Callable[[], object]) -> Callable[[], None]:
        """Have a function called by its thread after each change of a phase; gives what ends it."""
        token = object()
        self.listeners[token] = told
        return lambda: self.listeners.pop(token, None) and None

    def _tell(self) -> None:
        for told in list(self.listeners.values()):
            try:
                told()
            except Exception:
                logger.exception("%s: a phase callback failed", self._name)

    def keeps_up(self) -> bool:
        """Whether all threads are running, so that staleness means something; any thread."""
        tasks = list(self.tasks.values())
        return bool(tasks) and all(task.running for task in tasks)

    def staleness(self) -> float | None:
        """Seconds since the last contact of the task that is worst off; from any thread."""
        found = [task.staleness() for task in self.tasks.values()]
        known = [one for one in found if one is not None]
        return max(known) if known and len(known) == len(found) else None

    def moment(self) -> Moment:
        """The moment of the task that is worst off; from any thread."""
        moments = [task.health.moment for task in self.tasks.values()]
        if not moments:
            return Health(self._name).moment
        worst = max(moments, key=lambda moment: moment.phase.severity)
        error = worst.error
        if error is None:
            error = next((one.error for one in moments if one.error is not None), None)
        return worst._replace(error=error)

    def reconnects(self) -> int:
        """Watches after the first of each task; from any thread."""
        return sum(max(0, task.health.moment.watches - 1) for task in self.tasks.values())
