"""The thread of a reflector: one watch, from a start to a close."""

from __future__ import annotations

import atexit
import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue

from kube_reflect import streams
from kube_reflect.store.core import Core
from kube_reflect.store.feed import Feed
from kube_reflect.backoff import Backoff
from kube_reflect.errors import WatcherError
from kube_reflect.events import Event
from kube_reflect.status import Health, Phase
from kube_reflect.watcher import Watcher

__all__ = ["Worker", "applied"]

logger = logging.getLogger("kube_reflect")

# Seconds that threads have to end when the interpreter ends.
_EXIT_TIMEOUT = 1.0
# Seconds between two looks at a thread that is in the way.
_LOOK_AGAIN = 0.05


def applied(core: Core, feed: Feed, stream: Iterable[Event | WatcherError],
            ) -> Iterator[Event | WatcherError]:
    """Apply each event of a stream, remember each error, and pass both on."""
    for item in stream:
        if isinstance(item, WatcherError):
            core.gate.last_error = item
        else:
            feed.apply(item)
        yield item


class Worker:
    """Owns the thread, and everything that lives as long as it does.

    It knows nothing of the Reflector, so that it does not keep it alive.

    :param new_watcher: makes the watcher, given who is told of its states.
    """

    def __init__(self, new_watcher: Callable[[Callable[[str], None]], Watcher], core: Core,
                 feed: Feed, backoff: Backoff, health: Health) -> None:
        self._new_watcher = new_watcher
        self._core = core
        self._feed = feed
        self._backoff = backoff
        self._health = health
        # A queue, not an event: its put is safe within a signal handler or a finalizer that
        # interrupts its get.
        self._wake: SimpleQueue[None] = SimpleQueue()
        # Set by close(), from any thread; read by the thread.
        self._closed = False
        self._before: Worker | None = None
        # Written by the thread, read by close() and by who asks for the last contact.
        self._watcher: Watcher | None = None
        self.thread = threading.Thread(target=self._run, name=f"kube-reflect:{health.name}",
                                       daemon=True)

    @property
    def contact(self) -> float | None:
        """When the server was last heard of, on `time.monotonic`; from any thread."""
        watcher = self._watcher
        return watcher.contact if watcher is not None else None

    def is_running(self) -> bool:
        """Whether the thread runs and has not been told to end; from any thread."""
        return self.thread.is_alive() and not self._closed

    def start(self, before: Worker | None = None) -> None:
        """Start the thread.

        :param before: fed the same objects, and may not have ended yet.
        """
        self._before = before
        self._health.enter(Phase.LISTING)
        _workers.add(self)
        self.thread.start()

    def close(self) -> None:
        """Have the thread end, whatever it is waiting for; does not wait for that. Any thread."""
        self._closed = True
        watcher = self._watcher
        if watcher is not None:
            watcher.close()
        self._wake.put(None)

    def join(self, timeout: float | None) -> bool:
        """Wait for the thread to end, unless it is this one; tell whether it has. Any thread."""
        if self.thread is threading.current_thread():
            return True
        try:
            self.thread.join(timeout)
        except RuntimeError:
            # Within a signal handler, which interrupts its start; it will end at once.
            return True
        return not self.thread.is_alive()

    def _is_closed(self) -> bool:
        return self._closed

    def _wait_for_the_one_before(self) -> None:
        """Wait while the thread before is still in a callback; its last change is an old one."""
        while self._before is not None and not self._is_closed():
            if not self._before.is_in_the_way():
                # Its end was the last thing that the health heard of.
                self._health.enter(Phase.LISTING)
                self._before = None
            else:
                self._pause(_LOOK_AGAIN)

    def is_in_the_way(self) -> bool:
        """Whether this thread, or one before it, may still change something."""
        before = self._before
        return self.thread.is_alive() or (before is not None and before.is_in_the_way())

    def _run(self) -> None:
        try:
            self._wait_for_the_one_before()
            self._health.tell()
            while not self._is_closed():
                try:
                    self._follow()
                except Exception as error:
                    if self._is_closed():
                        break
                    self._recover(error)
            self._health.enter(Phase.STOPPED)
            self._health.tell()
        except BaseException as error:
            self._core.gate.last_error = None
            # Also where the threads of other namespaces go on: nobody is to go on without one
            # unawares, or wait for it. The next start revives it.
            self._core.end(error)
            self._health.died(error)

    def _recover(self, error: Exception) -> None:
        """Go on after what should not have happened, from a new list, like after any failure."""
        logger.exception("%s: unexpected; starting over", self.thread.name)
        failure = WatcherError(f"unexpected {type(error).__name__}: {error}")
        failure.__cause__ = error
        self._core.gate.last_error = failure
        self._health.failed(failure)
        self._sleep(self._backoff.next_delay())

    def _follow(self) -> None:
        watcher = self._watcher = self._new_watcher(self._health.entered_state)
        if self._is_closed():
            # Between its making and its place in the attribute, close() could not see it.
            watcher.close()
        try:
            stream = streams.backoff(watcher, self._backoff, sleep=self._sleep)
            for item in applied(self._core, self._feed, stream):
                if isinstance(item, WatcherError):
                    self._health.failed(item)
                else:
                    self._health.worked()
        finally:
            watcher.close()

    def _sleep(self, seconds: float) -> None:
        self._health.waiting(seconds)
        self._pause(seconds)

    def _pause(self, seconds: float) -> None:
        if not self._is_closed():
            try:
                self._wake.get(timeout=min(seconds, threading.TIMEOUT_MAX))
            except Empty:
                pass


_workers: weakref.WeakSet[Worker] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    """End all threads before the interpreter ends, which else stops them wherever they are.

    Within a system call, for instance, some builds of Python then abort the process.
    """
    running = [worker for worker in list(_workers) if worker.thread.is_alive()]
    for worker in running:
        worker.close()
    deadline = time.monotonic() + _EXIT_TIMEOUT
    for worker in running:
        worker.join(max(0.0, deadline - time.monotonic()))
