"""A reflector's life: what its public face and its store hold on to, and its threads do not."""

from __future__ import annotations

import enum
import logging
import os
import weakref
from collections.abc import Callable
from typing import Any

from kube_reflect.dispatcher import Handler
from kube_reflect.ground import locks
from kube_reflect.ground.forgotten import WeakBag, when_forgotten
from kube_reflect.ground.locks import Deadline, new_lock
from kube_reflect.reflector.namespaces import Namespaces, NamespaceWatch
from kube_reflect.store import Cache

__all__ = ["Engine", "close_all"]

logger = logging.getLogger(__name__)


class _State(enum.Enum):
    NEW = "never started"
    #: Its watches are still to be told to begin anew.
    STARTING = "starting"
    RUNNING = "running"
    CLOSED = "closed"


class Engine:
    """Starts and closes the threads of one reflector; all methods from any thread.

    The reflector and its store hold it; the threads do not. When it is forgotten, they end.

    :param name: of the reflector.
    :param cache: what the threads feed.
    :param namespaces: the watches.
    :param what: what it watches and where it was made; two that live and are alike are worth a
        warning. None: nobody can tell.
    """

    def __init__(self, name: str, cache: Cache, namespaces: Namespaces,
                 what: tuple[Any, ...] | None) -> None:
        self.name = name
        self.cache = cache
        self.namespaces = namespaces
        self._what = what
        # Guards what is below, and which watches and handlers there are; but a signal handler may
        # close it amid a start, and so who goes on from one state looks first, without a call
        # between.
        self._lock = new_lock()
        self._state = _State.NEW
        self._handlers: tuple[Handler[Any], ...] = ()
        # What calls off that the threads end when this is forgotten; None: there are none.
        self._keep: Callable[[], object] | None = None
        self._pid = os.getpid()
        cache.not_begun("the reflector was never started")
        locks.register(self, Engine.after_fork, 3)

    def __repr__(self) -> str:
        return f"<Engine {self.name} {self._state.value}>"

    @property
    def _is_running(self) -> bool:
        return self._state in (_State.STARTING, _State.RUNNING)

    def after_fork(self) -> None:
        """Arrange for the next use to start again what ran in the parent."""
        locks.renew()
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        self.namespaces.after_fork()
        if self._is_running:
            # What is there is the parent's: it may be read, and is not complete.
            self.cache.begin()
            weak = weakref.ref(self)

            def restart() -> None:
                engine = weak()
                if engine is not None:
                    engine.start()

            self.cache.restart_on_use(restart)

    def start(self) -> None:
        """Start the threads that are not running. An interrupted start is completed by another."""
        locks.renew()
        self._warn_of_another()
        with self._lock:
            self.cache.restart_on_use(None)
            # Ended without a close: a thread died.
            if self._state is not _State.RUNNING or self.cache.ended:
                self._state = _State.STARTING
                # Those that go on, since a close was interrupted or another's thread died, would
                # not list again, and the cache waits for a list of each.
                self.namespaces.close()
                self.cache.begin()
                if self._state is _State.STARTING:
                    self._state = _State.RUNNING
            if self._keep is None:
                # First, for who is interrupted from here on may forget it.
                self._keep = when_forgotten(self, self.namespaces.close)
            self.namespaces.start()
            for handler in self._handlers:
                handler.start()
            if self._state is _State.CLOSED:
                # Closed meanwhile, by a signal handler of this very thread.
                self.namespaces.close()
                self.cache.end()

    def close(self, timeout: float | None) -> None:
        """Stop the threads, and wait for their end; see `Reflector.close`."""
        locks.renew()
        deadline = Deadline(timeout)
        if not locks.wait_until_free(deadline, self._lock):
            self._end_though_locked(deadline)
            return
        with self._lock:
            self._close_state()
            self.cache.restart_on_use(None)
            # These and no later ones: another thread may start it again at once.
            workers, handlers = self.namespaces.close(), self._handlers
        self.cache.unblock()
        late = [worker.what for worker in workers if not worker.join(deadline.left())]
        for what in dict.fromkeys(late):
            logger.warning("%s: %s did not end %s", self.name, what, deadline)
        if not locks.wait_until_free(deadline, self._lock):
            self._end_though_locked(deadline)
            return
        with self._lock:
            if self._is_running:
                return
            self.cache.end()
            keep, self._keep = self._keep, None
            if keep is not None:
                keep()
        if any(handler.is_current_thread() for handler in handlers):
            # Two callbacks that close would wait for each other.
            return
        if not all([handler.join(deadline.left()) for handler in handlers]):
            logger.warning("%s: a callback did not end %s", self.name, deadline)

    def _close_state(self) -> None:
        if self._state is not _State.NEW:
            self._state = _State.CLOSED

    def _end_though_locked(self, deadline: Deadline) -> None:
        """End the threads, though another thread starts or closes it, and is stuck in there."""
        self._close_state()
        self.abandon()
        logger.warning("%s: another thread kept it locked; it was not closed wholly %s",
                       self.name, deadline)

    def abandon(self) -> None:
        """End it in the middle of anything, and so without waiting for a thread."""
        self.namespaces.close()
        self.cache.end()

    def add_namespace(self, namespace: str) -> None:
        """Watch another namespace.

        :raises ValueError: if it is watched already.
        """
        locks.renew()
        with self._lock:
            if namespace in self.namespaces.watches:
                raise ValueError(f"namespace {namespace!r} is watched already")
            try:
                watch = self.namespaces.add(namespace)
                if self._is_running:
                    watch.start()
            except BaseException:
                # As if nobody had asked for it; else the cache would wait for its list for ever.
                self.namespaces.undo_add(namespace)
                raise

    def remove_namespace(self, namespace: str, timeout: float | None) -> None:
        """Watch a namespace no more, and take its objects out of the cache.

        :raises ValueError: if it is not watched.
        :raises TimeoutError: if another thread keeps the reflector or its store locked.
        """
        locks.renew()
        deadline = Deadline(timeout)
        if not (locks.wait_until_free(deadline, self._lock) and self.cache.is_free(deadline)):
            raise TimeoutError(f"another thread kept {self.name} locked {deadline}")
        watch = self.namespaces.watches.get(namespace)
        try:
            with self._lock:
                if watch is None or self.namespaces.watches.get(namespace) is not watch:
                    raise ValueError(f"namespace {namespace!r} is not watched")
                self.namespaces.remove_watch(namespace)
            # Without the lock, for the thread may be in a callback that wants it.
            self._end_watch(watch, deadline)
        except BaseException:
            # Also where an exception ends the waiting: nobody keeps these objects up any more.
            if watch is not None and self.namespaces.watches.get(namespace) is not watch:
                self._end_watch(watch, Deadline(0))
            raise

    def _end_watch(self, watch: NamespaceWatch, deadline: Deadline) -> None:
        """Remove what is left of a watch that nobody knows any more; it may be called again."""
        worker = watch.close()
        # A subscriber that has the writer wait may be waiting for this very thread.
        self.cache.unblock()
        if worker is not None:
            worker.join(deadline.left())
        watch.writer.remove()
        if self._state is not _State.CLOSED:
            self.cache.unblock(False)

    def add_handler(self, new_handler: Callable[[str, Callable[[Handler[Any]], None]],
                                                Handler[Any]]) -> Handler[Any]:
        """Add a handler, and start it if the reflector is running.

        :param new_handler: makes it, given its name and who is told when it is removed.
        """
        locks.renew()
        with self._lock:
            before = self._handlers
            try:
                handler = new_handler(f"{self.name}:handler-{len(before) + 1}",
                                      self._forget_handler)
                self._handlers = (*before, handler)
                if self._is_running:
                    handler.start()
            except BaseException:
                # Nobody gets it, and so nobody could remove it.
                for one in self._handlers[len(before):]:
                    one.remove()
                raise
        return handler

    def _forget_handler(self, handler: Handler[Any]) -> None:
        with self._lock:
            self._handlers = tuple(one for one in self._handlers if one is not handler)

    def _warn_of_another(self) -> None:
        _engines.add(self)
        if self._what is None or self._is_running:
            return
        others = [one for one in _engines
                  if one is not self and one._is_running and one._what == self._what]
        if len(others) == 1:
            logger.warning(
                "%s: %s watches the same, made by the same line, and was not closed; "
                "kube_reflect.close_all() closes all", self.name, others[0].name)


_engines: WeakBag[Engine] = WeakBag()


def close_all(timeout: float | None = 5.0) -> None:
    """Close all reflectors of this process that are running; in a notebook, say.

    From any thread.

    :param timeout: seconds to wait for the threads of all of them, or None.
    """
    deadline = Deadline(timeout)
    for engine in _engines:
        engine.close(deadline.left())
