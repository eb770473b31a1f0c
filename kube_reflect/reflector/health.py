"""The record of one watch: its phase, its errors, its counts; and what the log says of them."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from kube_reflect.errors import (
    InitialListFailed, NoResourceVersion, WatcherError, WatchFailed,
)
from kube_reflect.events import Event, Init, InitDone
from kube_reflect.status import Phase

__all__ = ["Health", "PhaseRecord"]

logger = logging.getLogger(__name__)

#: Seconds without another failure after which a failure is over.
_STEADY = 10.0
#: Seconds after which the log says again what is still wrong.
_REMIND = 60.0
_PHASES = {
    "Empty": Phase.LISTING,
    "InitPage": Phase.LISTING,
    "InitialWatch": Phase.LISTING,
    "InitListed": Phase.CONNECTING,
    "Watching": Phase.WATCHING,
    "Polling": Phase.POLLING,
}


class PhaseRecord(NamedTuple):
    """A phase, and what led to it.

    :param since: in seconds since the epoch.
    :param error: the last one.
    :param watches: how many have begun by now.
    :param retry_at: when the pause ends, in seconds since the epoch; None: there is none.
    :param backoff: seconds of the pause.
    """

    phase: Phase
    since: float
    error: BaseException | None = None
    watches: int = 0
    retry_at: float | None = None
    backoff: float = 0.0


class Health:
    """Keeps the record of one watch.

    The watch's thread writes it, and who starts and closes it; any thread reads `record`, one
    tuple that is replaced whole, so that what it says belongs together, and copies the counts.

    :param name: of the watch, for the log.
    :param notify: called by the watch's thread after each change of the phase.
    :param clock: seconds since the epoch.
    :param timer: seconds on a monotonic clock.
    """

    def __init__(self, name: str, *, notify: Callable[[], object] = lambda: None,
                 clock: Callable[[], float] = time.time,
                 timer: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._notify = notify
        self._notified: Phase | None = None
        self._clock = clock
        self._timer = timer
        self.record = PhaseRecord(Phase.STOPPED, clock())
        self.failures: Counter[str] = Counter()
        self.events: Counter[str] = Counter()
        self.relist_reasons: Counter[str] = Counter()
        self.reconnect_reasons: Counter[str] = Counter()
        #: Seconds from the arrival of the last event to when it could be read.
        self.event_lag: float | None = None
        self.last_list_seconds: float | None = None
        # The rest belongs to the watch's thread. Of each kind of failure: when and on which level
        # the log said it, and until when it counts as wrong.
        self._announced: dict[tuple[type, int | None], tuple[float, int]] = {}
        self._unsteady_until = 0.0
        self._list_began: float | None = None
        self._has_list = False
        self._last_failure: str | None = None

    def __repr__(self) -> str:
        return f"<Health {self.name} {self.record.phase.value}>"

    def enter(self, phase: Phase, error: BaseException | None = None, watches: int = 0) -> None:
        """Begin a phase.

        :param error: what led to it, if something went wrong.
        :param watches: how many watches began with it.
        """
        record = self.record
        since = record.since if phase is record.phase else self._clock()
        self.record = PhaseRecord(phase, since, record.error if error is None else error,
                                  record.watches + watches)

    def notify(self) -> None:
        """Call the listener if the phase has changed; for the watch's thread."""
        phase = self.record.phase
        if phase is not self._notified:
            self._notified = phase
            self._notify()

    def entered_state(self, state: str) -> None:
        """Enter the phase of a state of the watcher."""
        phase = _PHASES[state]
        if phase is Phase.WATCHING and self.record.watches:
            self.reconnect_reasons[self._last_failure or "Ended"] += 1
        self.enter(phase, watches=1 if phase is Phase.WATCHING else 0)
        self.notify()

    def failed(self, error: WatcherError) -> None:
        """Record a failure; the log has each kind once, and reminders, until all is well again."""
        kind = type(error), error.code
        self._last_failure = type(error).__name__ + (f":{error.code}" if error.code else "")
        self.failures[self._last_failure] += 1
        self.enter(Phase.BACKING_OFF, error)
        now = self._timer()
        # A watch that is cut, and resumed at the first try, is nothing to worry about.
        level = (logging.INFO if isinstance(error, WatchFailed) and now >= self._unsteady_until
                 else logging.WARNING)
        last = self._announced.get(kind)
        if last is None or last[1] < level:
            self._announced[kind] = now, level
            logger.log(level, "%s: %s; trying again until it works", self.name, error)
        elif now - last[0] >= _REMIND:
            self._announced[kind] = now, last[1]
            logger.log(last[1], "%s: still: %s; trying again until it works", self.name, error)
        self._unsteady_until = now + _STEADY
        if isinstance(error, (InitialListFailed, NoResourceVersion)):
            self._list_began = None
        self.notify()

    def restored(self) -> None:
        """Record that the cache has what an earlier process listed."""
        self._has_list = True
        self.enter(Phase.CONNECTING)
        self.notify()

    def waiting(self, seconds: float) -> None:
        """Record how long the pause after a failure will be."""
        self._unsteady_until = self._timer() + seconds + _STEADY
        self.record = self.record._replace(retry_at=self._clock() + seconds, backoff=seconds)

    def worked(self, kind: type[Event], arrived: float | None = None) -> None:
        """Record an event that was applied.

        :param kind: its class.
        :param arrived: when it came, on the monotonic clock.
        """
        if kind is Init:
            self._list_began = self._timer()
            if self._has_list:
                polled = self.record.phase is Phase.POLLING
                self.relist_reasons[self._last_failure or ("Polled" if polled else "Started")] += 1
        elif kind is InitDone:
            self._has_list, self._last_failure = True, None
            if self._list_began is not None:
                self.last_list_seconds = self._timer() - self._list_began
            self._list_began = None
        elif self._list_began is not None:
            # An object of the list, or one that is gone since it began: it may yet fail.
            return
        else:
            self._last_failure = None
            self.events[kind.__name__] += 1
            if arrived is not None:
                self.event_lag = max(0.0, self._timer() - arrived)
        if self._announced and self._timer() >= self._unsteady_until:
            worst = max(level for _, level in self._announced.values())
            self._announced.clear()
            logger.log(min(worst, logging.INFO), "%s: in touch with the API server again",
                       self.name)

    def died(self, error: BaseException) -> None:
        """Record the end of the thread."""
        self.enter(Phase.DEAD, error)
        logger.error("%s: the thread died of %r; the cache is not kept up any more",
                     self.name, error)
        self.notify()
