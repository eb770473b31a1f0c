"""The thread of a watch, from a start to a close."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable

from kube_reflect import streams
from kube_reflect.backoff import Backoff
from kube_reflect.errors import WatcherError
from kube_reflect.events import Event, Init, InitDone
from kube_reflect.ground.describe import reason_of
from kube_reflect.reflector.health import Health
from kube_reflect.reflector.runner import Runner
from kube_reflect.reflector.warm_start import Share
from kube_reflect.status import Phase
from kube_reflect.store import Cache, NamespaceWriter
from kube_reflect.watcher import Watcher

__all__ = ["Worker"]

logger = logging.getLogger(__name__)

# Seconds between two looks at a thread that is in the way.
_LOOK_AGAIN = 0.05


class _State(enum.Enum):
    NEW = "new"
    #: Another thread, of an earlier start, is still in a callback.
    WAITING = "waiting for the thread before"
    RUNNING = "running"
    ENDED = "ended"


class Worker(Runner):
    """Owns the thread of a watch, and everything that lives as long as it does.

    It knows nothing of the Reflector, so that it does not keep it alive.

    :param new_watcher: makes the watcher, given who is told of its states, and the version that it
        goes on from, if there is one.
    :param cache: what the writer writes to.
    :param writer: of the namespace.
    :param share: returns what an earlier process had of it, and the version of that (None: nothing
        is known), given a function that says when to give up; None: there is no file.
    """

    def __init__(self, new_watcher: Callable[[Callable[[str], None], str | None], Watcher],
                 cache: Cache, writer: NamespaceWriter, backoff: Backoff, health: Health,
                 share: Callable[[Callable[[], bool]], Share | None] | None) -> None:
        super().__init__(health.name)
        self._new_watcher = new_watcher
        self._share = share
        #: Whether what is stored was an earlier process's to begin with.
        self._restored = False
        self._cache = cache
        self._writer = writer
        self._backoff = backoff
        self._health = health
        # Written by the thread alone; NEW until it runs.
        self._state = _State.NEW
        # Set by replace(), from any thread; read by the thread.
        self._replaced = False
        self._before: Worker | None = None
        # Written by the thread, read by close() and by who asks for the last contact.
        self._watcher: Watcher | None = None
        self._contact: float | None = None
        # Whether this watcher has listed everything, so that what is stored is what it has seen.
        self._is_complete = False

    def __repr__(self) -> str:
        return f"<Worker {self._health.name} {'closing' if self._closing else self._state.value}>"

    @property
    def contact(self) -> float | None:
        """When the server was last heard of, on `time.monotonic`; from any thread."""
        watcher = self._watcher
        contact = watcher.contact if watcher is not None else None
        if contact is not None and (
                self._is_complete or (self._contact is None and not self._restored)):
            # Else what is stored is of an earlier watcher, and as old as its last contact.
            self._contact = contact
        return self._contact

    @property
    def answered(self) -> float | None:
        """The same; while a first list is slow, when that began of which something has come."""
        contact, watcher = self.contact, self._watcher
        if contact is None and watcher is not None and not self._restored:
            return watcher.first_list
        return contact

    @property
    def filtered_by(self) -> str | None:
        """Who leaves out the objects of other shards; from any thread."""
        watcher = self._watcher
        return None if watcher is None else watcher.filtered_by

    @property
    def is_alive(self) -> bool:
        """Whether the thread is running, or about to; from any thread, without a lock."""
        state = self._state
        return state is not _State.ENDED and (state is not _State.NEW or self._thread.is_alive())

    def start(self, before: Worker | None = None) -> None:
        """Start the thread.

        :param before: fed the same objects, and may not have ended yet.
        """
        self._before = before
        self._contact = before.contact if before is not None else None
        self._health.enter(Phase.LISTING)
        super().start()

    def close(self) -> None:
        """End the thread, whatever it is waiting for; return at once. From any thread."""
        super().close()
        watcher = self._watcher
        if watcher is not None:
            watcher.close()

    def replace(self) -> None:
        """End it as `close` does; how the watch is, another one says from now on.

        To be called before that one starts. The thread of this one, if its start was interrupted,
        may begin only when the other has long been watching.
        """
        self._replaced = True
        self.close()

    def _wait_for_the_one_before(self) -> None:
        """Wait while the thread before is still in a callback; its last change is an old one."""
        while self._before is not None and not self._closing:
            if not self._before.is_in_the_way():
                # That thread has recorded its own end in the same health; this one is at work.
                self._health.enter(Phase.LISTING)
                self._before = None
            else:
                self._pause(_LOOK_AGAIN)

    def is_in_the_way(self) -> bool:
        """Return whether this thread, or one before it, may still change something."""
        before = self._before
        return self.is_alive or (before is not None and before.is_in_the_way())

    def _run(self) -> None:
        try:
            self._enter(_State.WAITING)
            self._wait_for_the_one_before()
            self._enter(_State.RUNNING)
            self._health.notify()
            while not self._closing:
                try:
                    self._follow()
                except BaseException as error:
                    if self._closing:
                        # It is at its end anyway; the cache may be another's by now.
                        break
                    if not isinstance(error, Exception):
                        raise
                    self._recover(error)
            if not self._replaced:
                self._health.enter(Phase.STOPPED)
                self._health.notify()
        except BaseException as error:
            self._cache.failed(None)
            # Even if the threads of other namespaces go on: readers are to know that one is
            # missing, and not to wait for it. The next start replaces it.
            self._cache.end(error)
            self._health.died(error)
        finally:
            self._enter(_State.ENDED)

    def _enter(self, state: _State) -> None:
        # The log comes last: whatever it raises, the state is what it is.
        before, self._state = self._state, state
        logger.debug("%s: the thread is %s (was: %s)", self._health.name, state.value,
                     before.value)

    def _recover(self, error: Exception) -> None:
        """Go on after what should not have happened, from a new list, like after any failure."""
        logger.exception("%s: unexpected; starting over", self._health.name)
        failure = WatcherError(f"unexpected {reason_of(error)}")
        failure.__cause__ = error
        self._cache.failed(failure)
        self._health.failed(failure)
        self._sleep(self._backoff.next_delay())

    def _restore(self) -> str | None:
        """Restore what an earlier process had; return the version to go on from."""
        share = None if self._share is None else self._share(lambda: self._closing)
        if share is None:
            return None
        self._restored = True
        version, entries = share
        self._writer.restore(entries, version)
        self._health.restored()
        return version

    def _follow(self) -> None:
        self._is_complete = False
        version = self._restore()
        is_confirmed = version is None
        watcher = self._watcher = self._new_watcher(self._health.entered_state, version)
        if self._closing:
            # Between its making and its place in the attribute, close() could not see it.
            watcher.close()
        try:
            for item in streams.backoff(watcher, self._backoff, sleep=self._sleep):
                if self._closing:
                    # Much may have been received already. (It ends by itself, and closes all.)
                    continue
                if isinstance(item, WatcherError):
                    self._cache.failed(item)
                    self._health.failed(item)
                else:
                    try:
                        self._writer.apply(item)
                    except BaseException:
                        self._apply_again(item)
                    if not is_confirmed:
                        # By anything but the beginning of a list, which then does it by its end.
                        is_confirmed = True
                        if not isinstance(item, Init):
                            self._writer.confirm()
                            self._is_complete = True
                    self._is_complete = self._is_complete or isinstance(item, InitDone)
                    self._health.worked(type(item), watcher.contact)
        finally:
            watcher.close()

    def _apply_again(self, event: Event) -> None:
        """Apply an event that has failed; what raises twice is that object's fault.

        That is so whatever it raises: on this thread nobody else's exceptions arrive, so a
        SystemExit is the transform's own.
        """
        writer = self._writer
        try:
            writer.apply(event)
        except BaseException as error:
            # Where the namespace is gone, nothing is to come of the event, nor of its failure; the
            # thread has been told to end.
            if not (writer.is_gone or writer.record_bad_object(event, error)):
                # It is an object's of the list that is complete now, and an index's that was added
                # meanwhile. Which object it is, the next list tells.
                raise RuntimeError(f"user code failed ({reason_of(error)})") from error

    def _sleep(self, seconds: float) -> None:
        self._health.waiting(seconds)
        self._pause(seconds)
