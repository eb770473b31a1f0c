"""How a reflector is: what it is doing, since when, and what went wrong last."""

from __future__ import annotations

import enum
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from kube_reflect.errors import WatcherError

__all__ = ["Health", "Moment", "NamespaceStatus", "Phase", "Status", "is_live"]

logger = logging.getLogger("kube_reflect")

#: Seconds without a further failure after which one is over.
_STEADY = 10.0


class Phase(enum.Enum):
    """What a reflector is doing."""

    #: Not started, or closed.
    STOPPED = "stopped"
    #: Getting the objects that are there.
    LISTING = "listing"
    #: About to watch, from the last resource version.
    CONNECTING = "connecting"
    #: A watch is running.
    WATCHING = "watching"
    #: Something failed; waiting before the next try.
    BACKING_OFF = "backing off"
    #: The thread is gone, and not because anybody closed it.
    DEAD = "dead"

    @property
    def severity(self) -> int:
        """How far from watching it is."""
        return _SEVERITY.index(self)


_SEVERITY = (Phase.WATCHING, Phase.CONNECTING, Phase.LISTING, Phase.BACKING_OFF, Phase.STOPPED,
             Phase.DEAD)
_PHASES = {
    "Empty": Phase.LISTING,
    "InitPage": Phase.LISTING,
    "InitialWatch": Phase.LISTING,
    "InitListed": Phase.CONNECTING,
    "Watching": Phase.WATCHING,
}


@dataclass(frozen=True)
class NamespaceStatus:
    """One of several namespaces that a reflector watches, at one moment.

    :param phase: what it is doing.
    :param since: when the phase began, in seconds since the epoch.
    :param ready: whether this namespace has been listed.
    :param live: whether it is being kept up at this moment.
    :param staleness: seconds since the server was last heard of; None if never.
    :param last_error: the last thing that went wrong, also if it is over.
    :param code: its HTTP status, if it had one.
    """

    phase: Phase
    since: float
    ready: bool
    live: bool
    staleness: float | None
    last_error: BaseException | None
    code: int | None


@dataclass(frozen=True)
class Status:
    """A reflector at one moment.

    :param phase: what it is doing.
    :param since: when the phase began, in seconds since the epoch.
    :param ready: whether the store has ever been complete; of several namespaces, whether all
        have been listed.
    :param live: whether the store is being kept up at this moment: a watch is running, and has
        been heard of within the idle deadline (with several namespaces, that of each).
    :param last_contact: when the server was last heard of (a whole page, an event, a bookmark,
        or the clean end of a watch), in seconds since the epoch; None if never.
    :param staleness: seconds since then.
    :param last_error: the last thing that went wrong, also if it is over; None if nothing did.
    :param code: its HTTP status, if it had one.
    :param resource_version: up to which the store has seen everything.
    :param relists: complete lists after the first (of each namespace).
    :param reconnects: watches after the first (of each namespace).
    :param events: events applied, bookmarks included, lists not.
    :param objects: objects in the store.
    :param poisoned: times an object could not be stored, indexed or decoded.
    :param thread_alive: whether the thread is running.
    :param namespaces: by namespace, where the reflector watches several.
    """

    phase: Phase
    since: float
    ready: bool
    live: bool
    last_contact: float | None
    staleness: float | None
    last_error: BaseException | None
    code: int | None
    resource_version: str | None
    relists: int
    reconnects: int
    events: int
    objects: int
    poisoned: int
    thread_alive: bool
    namespaces: Mapping[str, NamespaceStatus]

    @classmethod
    def of(cls, moment: Moment, *, alive: bool, running: bool, staleness: float | None,
           idle_timeout: float, ready: bool, resource_version: str | None, relists: int,
           reconnects: int, events: int, objects: int, poisoned: int,
           namespaces: Mapping[str, NamespaceStatus]) -> Status:
        """Put together what the health, the store and the thread know."""
        live = running and is_live(moment, staleness, idle_timeout)
        return cls(
            phase=moment.phase, since=moment.since, ready=ready, live=live,
            last_contact=None if staleness is None else time.time() - staleness,
            staleness=staleness, last_error=moment.error,
            code=getattr(moment.error, "code", None), resource_version=resource_version,
            relists=relists, reconnects=reconnects, events=events,
            objects=objects, poisoned=poisoned, thread_alive=alive,
            namespaces=MappingProxyType(dict(namespaces)))


class Moment(NamedTuple):
    """A phase, and what led to it."""

    phase: Phase
    since: float
    error: BaseException | None
    watches: int


def is_live(moment: Moment, staleness: float | None, idle_timeout: float) -> bool:
    """Whether a watch is running, and has been heard of within the idle deadline."""
    return (moment.phase is Phase.WATCHING and staleness is not None
            and staleness <= idle_timeout)


class Health:
    """Keeps the record of a reflector's phase and errors.

    The reflector's thread writes it, and `close`; any thread reads `moment`, one tuple that is
    replaced whole, so that what it says belongs together.

    :param name: of the reflector, for the log.
    :param tell: called by the reflector's thread after each change of the phase.
    :param clock: seconds since the epoch.
    :param timer: seconds on a monotonic clock.
    """

    def __init__(self, name: str, *, tell: Callable[[], object] = lambda: None,
                 clock: Callable[[], float] = time.time,
                 timer: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._tell = tell
        self._told: Phase | None = None
        self._clock = clock
        self._timer = timer
        self.moment = Moment(Phase.STOPPED, clock(), None, 0)
        #: What the log was told is wrong, since it last was right, and until when it counts as
        #: wrong; the writing thread's own.
        self._announced: set[tuple[type, int | None]] = set()
        self._unsteady_until = 0.0

    def enter(self, phase: Phase, error: BaseException | None = None, watches: int = 0) -> None:
        """Begin a phase.

        :param error: what led to it, if something went wrong.
        :param watches: how many watches began with it.
        """
        moment = self.moment
        since = moment.since if phase is moment.phase else self._clock()
        self.moment = Moment(phase, since, moment.error if error is None else error,
                             moment.watches + watches)

    def tell(self) -> None:
        """Tell who listens, if the phase is another; for the reflector's thread."""
        phase = self.moment.phase
        if phase is not self._told:
            self._told = phase
            self._tell()

    def entered_state(self, state: str) -> None:
        """Hear of a state of the watcher."""
        self.enter(_PHASES[state], watches=1 if state == "Watching" else 0)
        self.tell()

    def failed(self, error: WatcherError) -> None:
        """Record a failure; the log hears of each kind once, until all is well again."""
        self.enter(Phase.BACKING_OFF, error)
        kind = type(error), error.code
        if kind not in self._announced:
            self._announced.add(kind)
            logger.warning("%s: %s; trying again until it works", self.name, error)
        self._unsteady_until = self._timer() + _STEADY
        self.tell()

    def waiting(self, seconds: float) -> None:
        """Hear how long the pause after a failure will be."""
        self._unsteady_until = self._timer() + seconds + _STEADY

    def worked(self) -> None:
        """Hear that something came from the server."""
        if self._announced and self._timer() >= self._unsteady_until:
            self._announced.clear()
            logger.info("%s: in touch with the API server again", self.name)

    def died(self, error: BaseException) -> None:
        """Record the end of the thread."""
        self.enter(Phase.DEAD, error)
        logger.error("%s: the thread died of %r; the cache is not kept up any more",
                     self.name, error)
        self.tell()
