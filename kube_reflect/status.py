"""How a reflector is: what it is doing, since when, and what went wrong last."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

__all__ = ["Memory", "NamespaceStatus", "Phase", "Status"]


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
    #: The kind cannot be watched: it is listed, again and again.
    POLLING = "polling"
    #: Something failed; waiting before the next try.
    BACKING_OFF = "backing off"
    #: The thread is gone, and not because anybody closed it.
    DEAD = "dead"

    @property
    def severity(self) -> int:
        """How far from watching it is."""
        return _SEVERITY.index(self)


_SEVERITY = (Phase.WATCHING, Phase.POLLING, Phase.CONNECTING, Phase.LISTING, Phase.BACKING_OFF,
             Phase.STOPPED, Phase.DEAD)


class _Plain:
    """Can be turned into what JSON knows (a mixin of dataclasses)."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON: phases by their value, errors by their text."""
        return {one.name: _plain(getattr(self, one.name))
                for one in fields(self)}  # type: ignore[arg-type]


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    if isinstance(value, _Plain):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return value


@dataclass(frozen=True)
class NamespaceStatus(_Plain):
    """One of several namespaces that a reflector watches: as a `Status`, of it alone.

    ``staleness`` is in seconds, and None as long as the server was never heard of.
    """

    phase: Phase
    since: float
    ready: bool
    live: bool
    staleness: float | None
    last_error: BaseException | None
    code: int | None


@dataclass(frozen=True)
class Status(_Plain):
    """A reflector at one moment.

    It goes through `pickle`, `copy.deepcopy` and `dataclasses.asdict`; `to_dict` is for JSON. An
    error comes out of these without its cause, which may hold anything.

    :param phase: what it is doing.
    :param since: when the phase began, in seconds since the epoch.
    :param ready: whether the store is complete: all has been listed since the start (or the fork).
        What was there before may be read meanwhile, and `staleness` says how old it is.
    :param live: whether the store is being kept up at this moment: a watch is running, and has
        been heard of within the idle deadline (with several namespaces, that of each).
    :param last_contact: when the server was last heard of (a complete list, an event, a bookmark,
        or the clean end of a watch), in seconds since the epoch; None if never.
    :param staleness: seconds since then; through a slow first list, since that began.
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
    :param bytes_at_rest: bytes of the objects, packed.
    :param failures: how often something went wrong, by what: the class of the error, and after a
        colon its HTTP status, if it had one (``WatchStartFailed:403``).
    :param events_by_type: events applied, by the name of their class.
    :param relist_reasons: lists begun anew, by the class of the error that led to it.
    :param reconnect_reasons: watches after the first, by the class of the error that had ended the
        one before, or ``Ended`` where the server did as it was asked to.
    :param event_lag: seconds from the arrival of the last event to when it could be read; None
        before the first. A subscriber that has the writer wait shows here.
    :param retry_at: when the next try is, in seconds since the epoch; None if none is due.
    :param backoff: seconds of the present pause; 0 if there is none.
    :param last_list_seconds: how long the last complete list took.
    :param shard: which one it has, as ``2/5`` (counted from 0) or ``2/5 by namespace``; None: all.
    :param filtered_by: who leaves out the objects of other shards: ``server``, or ``client``, where
        some have come since the last list began; None: there was nothing yet to tell it by.
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
    bytes_at_rest: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    events_by_type: Mapping[str, int] = field(default_factory=dict)
    relist_reasons: Mapping[str, int] = field(default_factory=dict)
    reconnect_reasons: Mapping[str, int] = field(default_factory=dict)
    event_lag: float | None = None
    retry_at: float | None = None
    backoff: float = 0.0
    last_list_seconds: float | None = None
    shard: str | None = None
    filtered_by: str | None = None


@dataclass(frozen=True)
class Memory:
    """What a store holds in memory at one moment.

    :param objects: objects in the store.
    :param bytes_at_rest: bytes of these objects, packed. Their keys, and their places in the
        store and its indexes, come on top, with some 500 bytes an object.
    :param decoded: objects that are decoded too, since somebody has read them.
    """

    objects: int
    bytes_at_rest: int
    decoded: int
