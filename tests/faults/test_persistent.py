"""What fails for ever is tried for ever, seldom, and said once."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import pytest

from kube_reflect import (
    Backoff, Config, InitialListStrategy, Phase, Reflector, Watcher, WatcherError, streams,
)
from kube_reflect.testing import FaultServer, Request, faults

from tests.support.waiting import wait_until

from ._common import (
    AUTO, LIST_WATCH, NAMESPACE, VirtualTime, api, check_in_step, check_no_traceback, config, pod,
    reflector, said,
)


@dataclass(frozen=True)
class Case:
    """A fault that does not go away, and what the library makes of it.

    :param code: the HTTP status in `Status.code`.
    :param error: the name of the error in `Status.last_error`; None where it may be several.
    :param level: on which the log tells it; a watch that gets somewhere is nothing to warn of.
    """

    fault: faults.Fault
    when: str | Callable[[Request], bool] | None = None
    code: int | None = None
    error: str | None = None
    strategies: tuple[InitialListStrategy, ...] = (AUTO, LIST_WATCH)
    level: int = logging.WARNING

    @property
    def waits(self) -> bool:
        """Whether the server asks to wait longer than a test can."""
        return bool(getattr(self.fault, "retry_after", None))

    def config(self, strategy: InitialListStrategy, idle_timeout: float) -> Config:
        """Make a config that waits for long only where there is something to wait for."""
        return config(strategy, idle_timeout=idle_timeout if self.fault in SILENCES else 30.0)


HOUR = datetime.now(timezone.utc) + timedelta(hours=1)
LISTS, WATCHES = "InitialListFailed", "WatchFailed"
SILENCES = (faults.Silent(), faults.HeadersOnly(), faults.HalfLine())

CASES = {
    "silent": Case(faults.Silent(), None, None, LISTS),
    "silent watch": Case(faults.Silent(), faults.plain_watch, None, "WatchStartFailed",
                         (LIST_WATCH,)),
    "headers and nothing": Case(faults.HeadersOnly(), None, None, LISTS),
    "headers and no line": Case(faults.HeadersOnly(), "watch", None, None),
    "half a line and silence": Case(faults.HalfLine(), None, None, LISTS),
    "half a line in the watch": Case(faults.HalfLine(), "watch", None, None),
    "half a line and the end": Case(faults.HalfLine("close"), None, None, LISTS),
    "half a line and the end in the watch": Case(faults.HalfLine("close"), "watch"),
    "hung up": Case(faults.HangUp(), None, None, LISTS),
    "reset": Case(faults.Reset(), None, None, LISTS),
    "reset watch": Case(faults.HalfLine("reset"), "watch"),
    "ends at once": Case(faults.EndAtOnce(), None, None, LISTS),
    "watch ends at once": Case(faults.EndAtOnce(), "watch"),
    "watch ends after its first lines": Case(faults.Stop(1, then="end"), "watch",
                                             level=logging.INFO),
    "401": Case(faults.Status(401), None, 401, LISTS),
    "403": Case(faults.Status(403), None, 403, LISTS),
    "403 to watch": Case(faults.Status(403), faults.plain_watch, 403, "WatchStartFailed",
                         (LIST_WATCH,)),
    "404": Case(faults.Status(404), None, 404, LISTS),
    "408": Case(faults.Status(408), None, 408, LISTS),
    "429": Case(faults.Status(429), None, 429, LISTS),
    "429 with seconds": Case(faults.Status(429, retry_after=4), None, 429, LISTS),
    "429 with no seconds": Case(faults.Status(429, retry_after=0), None, 429, LISTS),
    "429 with a date": Case(faults.Status(429, retry_after=HOUR), None, 429, LISTS),
    "500": Case(faults.Status(500), None, 500, LISTS),
    "502 with HTML": Case(faults.Html(), None, 502, LISTS),
    "503": Case(faults.Status(503), None, 503, LISTS),
    "503 with seconds": Case(faults.Status(503, retry_after=7), None, 503, LISTS),
    "503 with a date": Case(faults.Status(503, retry_after=HOUR), None, 503, LISTS),
    "503 to watch": Case(faults.Status(503), faults.plain_watch, 503, "WatchStartFailed",
                         (LIST_WATCH,)),
    "410": Case(faults.Status(410), None, 410, LISTS),
    "410 to watch": Case(faults.Status(410), faults.plain_watch, 410, "WatchStartFailed",
                         (LIST_WATCH,)),
    "410 as an event": Case(faults.ErrorEvent(), "watch", 410, "WatchError"),
    "an error without anything": Case(faults.ErrorEvent(None, ""), "watch", None, "WatchError"),
    "null": Case(faults.Lines(faults.NULL), "watch"),
    "truncated JSON": Case(faults.Lines(faults.TRUNCATED), "watch"),
    "invalid UTF-8": Case(faults.Lines(faults.INVALID_UTF8), "watch"),
    "unknown type": Case(faults.Lines(faults.UNKNOWN_TYPE), "watch"),
    "no object": Case(faults.Lines(faults.NO_OBJECT), "watch"),
}
TABLE = [pytest.param(case, strategy, id=f"{name}, {strategy.value}")
         for name, case in CASES.items() for strategy in case.strategies]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(bookmark_interval=0.1) as running:
        for name in ("a", "b", "c"):
            running.create(pod(name))
        yield running


def followed(server: FaultServer, settings: Config, seconds: float,
             ) -> tuple[list[float], list[WatcherError]]:
    """When requests came, and the errors, on a clock that only the backoff moves on.

    It moves on as little as the backoff may let it.
    """
    clock = VirtualTime()
    times: list[float] = []
    errors = []
    watcher = Watcher(api(server).list_namespaced_pod, NAMESPACE, config=settings)
    policy = Backoff(rng=lambda: 0.0, timer=clock)
    for item in streams.backoff(watcher, policy, sleep=clock.sleep):
        times += [clock.now] * (len(server.requests) - len(times))
        if isinstance(item, WatcherError):
            errors.append(item)
            if clock.now >= seconds:
                break
    watcher.close()
    return times, errors


@pytest.mark.parametrize("case, strategy", TABLE)
def test_few_requests_however_long_it_lasts(
        server: FaultServer, case: Case, strategy: InitialListStrategy) -> None:
    server.fault(case.fault, when=case.when)
    times, errors = followed(server, case.config(strategy, 0.15), 240.0)
    assert len([when for when in times if when < 10]) <= 12
    once_backed_off = range(90, 180, 7)
    most = max(len([when for when in times if start <= when < start + 60])
               for start in once_backed_off)
    assert most <= 3
    assert errors[-1].code == case.code
    if case.error is not None:
        assert type(errors[-1]).__name__ == case.error


@pytest.mark.slow
@pytest.mark.parametrize("case, strategy", TABLE)
def test_it_is_said_once_and_over_when_it_is_over(
        server: FaultServer, case: Case, strategy: InitialListStrategy,
        caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    injection = server.fault(case.fault, when=case.when)
    with reflector(server, case.config(strategy, 1.0)) as running:
        injection.wait(1 if case.waits else 3)
        seen = []

        def backing_off() -> bool:
            seen.append(running.status)
            return seen[-1].phase is Phase.BACKING_OFF

        wait_until(backing_off)
        assert seen[-1].code == case.code and seen[-1].thread_alive and not seen[-1].live
        assert case.error in (None, type(seen[-1].last_error).__name__)
        if case.waits:
            return
        told = [one for one in said(caplog.records, case.level) if "trying again" in one]
        assert 1 <= len(told) <= (1 if case.error else 3)
        injection.remove()
        check_in_step(running, server)
        server.create(pod("later"))
        check_in_step(running, server)
    assert len(said(caplog.records)) <= (1 if case.error else 3)
    check_no_traceback(caplog.records)


REAL = ["reset", "ends at once", "watch ends at once", "403", "503", "410 as an event",
        "half a line and the end in the watch", "null"]


@pytest.mark.slow
def test_the_first_ten_seconds_as_they_are() -> None:
    """On a real clock, with the default settings, all at the same time."""
    servers, reflectors = [], []
    with contextlib.ExitStack() as stack:
        for name in REAL:
            server = stack.enter_context(FaultServer())
            server.create(pod("a"))
            server.fault(CASES[name].fault, when=CASES[name].when)
            servers.append(server)
            reflectors.append(stack.enter_context(Reflector(
                api(server).list_namespaced_pod, NAMESPACE)))
        began = servers[0].wait_for_request(lambda request: True).time
        threading.Event().wait(10.0)
        made = {name: len([request for request in server.requests
                           if request.time < began + 10.0])
                for name, server in zip(REAL, servers)}
        assert all(running.status.thread_alive for running in reflectors)
    assert max(made.values()) <= 12, made
    assert min(made.values()) >= 3, made
