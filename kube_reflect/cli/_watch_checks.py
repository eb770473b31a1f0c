"""What the doctor learns from watching: streaming lists, bookmarks, connections that are cut."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from kube_reflect.cli._connection import Connection
from kube_reflect.cli._discovery import Kind
from kube_reflect.cli._findings import Finding, Level
from kube_reflect.cli._scope import Scope
from kube_reflect.config import Config, InitialListStrategy
from kube_reflect.errors import WatcherError
from kube_reflect.events import InitDone
from kube_reflect.reflector import Reflector
from kube_reflect.status import Status
from kube_reflect.watcher import Watcher

__all__ = ["quiet_watch", "streaming_list"]

OK, WARN, FAIL = Level.OK, Level.WARN, Level.FAIL
#: Selects nothing, so that only the server itself speaks.
_NOBODY = "metadata.name=kube-reflect-doctor-looks-for-nothing"
#: Seconds for a watch that the server is to end soon; it sends a bookmark shortly before.
_SHORT = 5.0
#: The timeout of a long one, in seconds, and within which time a bookmark should come.
_LONG, _BOOKMARK = 290.0, 75.0
_TICK = 0.1


def streaming_list(connection: Connection, kind: Kind, scope: Scope) -> Iterator[Finding]:
    """Try a streaming list of nothing."""
    config = Config(field_selector=_NOBODY, timeout=_SHORT, idle_timeout=10.0,
                    initial_list_strategy=InitialListStrategy.STREAMING_LIST)
    watcher = Watcher(kind.list_function(connection, scope.namespace), config=config)
    try:
        found = next(event for event in watcher if isinstance(event, (InitDone, WatcherError)))
    finally:
        watcher.close()
    if isinstance(found, InitDone):
        yield Finding(OK, "streaming list", "the server has it")
    elif found.code in (400, 422):
        yield Finding(OK, "streaming list", "the server does not have it, as Kubernetes 1.34 "
                      "and later do; lists come in pages")
    else:
        yield Finding(FAIL, "streaming list", f"{found}")


def quiet_watch(connection: Connection, kind: Kind, scope: Scope, wait: float | None,
                tick: Callable[[float], object] = lambda passed: None) -> Iterator[Finding]:
    """Watch nothing for a while, to see bookmarks, and whether somebody cuts the connection.

    :param wait: seconds to watch; None for a short look at bookmarks only.
    :param tick: called now and then with the seconds that have passed.
    """
    timeout = _SHORT if wait is None else _LONG
    config = Config(field_selector=_NOBODY, timeout=timeout,
                    initial_list_strategy=InitialListStrategy.LIST_WATCH)
    seen = _Seen()
    until = time.monotonic() + (_SHORT + 1 if wait is None else wait)
    pause = threading.Event()
    with Reflector(kind.list_function(connection, scope.namespace), config=config, model=dict,
                   when_not_ready="empty",
                   name="doctor") as reflector:
        while time.monotonic() < until and not (wait is None and seen.bookmark is not None):
            pause.wait(_TICK)
            seen.look(reflector.status)
            tick(time.monotonic() - seen.began)
        status = reflector.status
    if seen.since is None:
        yield Finding(FAIL, "watch", f"it does not begin: {status.last_error or 'no answer'}")
        return
    yield _bookmarks(seen, wait)
    if wait is not None:
        yield _cuts(seen, wait, status)


class _Seen:
    """What happened to a watch, in seconds from its start."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        #: When the first watch began.
        self.since: float | None = None
        self.bookmark: float | None = None
        #: How long each watch lived that ended.
        self.cuts: list[float] = []
        self._events = 0
        self._last = 0.0

    def look(self, status: Status) -> None:
        """Compare a status with the one before."""
        now = time.monotonic()
        if self.since is None:
            if not status.live:
                return
            self.since = self._last = now
        if status.events > self._events and self.bookmark is None:
            self.bookmark = now - self.since
        self._events = status.events
        if status.reconnects > len(self.cuts):
            self.cuts.append(now - self._last)
            self._last = now


def _bookmarks(seen: _Seen, wait: float | None) -> Finding:
    if seen.bookmark is not None:
        when = "" if wait is None else f", the first after {seen.bookmark:.0f} s"
        return Finding(OK, "bookmarks", f"the server sends them{when}")
    if wait is None or wait < _BOOKMARK:
        return Finding(OK, "bookmarks", f"none within {wait or _SHORT:g} s, which says nothing: "
                       "they come about once a minute; --wait 90 would tell")
    return Finding(WARN, "bookmarks", "none came",
                   "a quiet watch cannot be told from a dead one, and is begun anew after "
                   "Config(idle_timeout=150) seconds; look at what stands between")


def _cuts(seen: _Seen, wait: float, status: Status) -> Finding:
    if not seen.cuts:
        note = "" if wait >= 60 else "; load balancers cut after 60 s or more: --wait 300"
        return Finding(OK, "connection", f"a quiet watch lived through {wait:g} s{note}")
    shortest = min(seen.cuts)
    why = f" ({status.last_error})" if status.last_error is not None else ""
    return Finding(WARN, "connection", f"a quiet watch was cut {len(seen.cuts)} times in "
                   f"{wait:g} s, after {shortest:.0f} s at the earliest{why}",
                   "nothing is lost, it is resumed; to spare the reconnects, raise the idle "
                   f"timeout of the load balancer or proxy above {_BOOKMARK:.0f} s")
