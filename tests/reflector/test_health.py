"""kube_reflect.reflector.health: phases, errors, counts, and what the log says of them."""

from __future__ import annotations

import logging

import pytest

from kube_reflect.errors import InitialListFailed, WatchFailed
from kube_reflect.events import Apply, Bookmark, Delete, Init, InitApply, InitDone
from kube_reflect.reflector.health import Health
from kube_reflect.status import Phase

FORBIDDEN = InitialListFailed("cannot list: HTTP 403", code=403)
REFUSED = InitialListFailed("cannot list: refused")
CUT = WatchFailed("it was cut")


class Time:
    """A clock, and a timer, that move when they are told to."""

    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def health(clock: Time, caplog: pytest.LogCaptureFixture) -> Health:
    caplog.set_level(logging.INFO, "kube_reflect")
    return Health("name", clock=clock, timer=clock)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.levelname for record in caplog.records]


@pytest.mark.parametrize(("state", "phase"), [
    ("Empty", Phase.LISTING), ("InitPage", Phase.LISTING), ("InitialWatch", Phase.LISTING),
    ("InitListed", Phase.CONNECTING), ("Watching", Phase.WATCHING),
])
def test_each_state_of_the_watcher_is_a_phase(health: Health, state: str, phase: Phase) -> None:
    assert health.record.phase is Phase.STOPPED
    health.entered_state(state)
    assert health.record.phase is phase


def test_a_phase_knows_since_when(health: Health, clock: Time) -> None:
    health.enter(Phase.LISTING)
    clock.now += 5
    health.entered_state("InitPage")
    assert health.record.since == 5000
    health.entered_state("InitListed")
    assert health.record.since == 5005


def test_each_kind_of_failure_is_said_once(
        health: Health, caplog: pytest.LogCaptureFixture) -> None:
    for error in (FORBIDDEN, FORBIDDEN, REFUSED, REFUSED, FORBIDDEN):
        health.failed(error)
        health.waiting(1.0)
    assert said(caplog) == ["WARNING"] * 2
    assert health.record.error is FORBIDDEN and health.record.phase is Phase.BACKING_OFF


def test_a_failure_is_over_after_some_time_of_work(
        health: Health, clock: Time, caplog: pytest.LogCaptureFixture) -> None:
    health.worked(Bookmark)
    assert said(caplog) == []
    health.failed(FORBIDDEN)
    health.waiting(3.0)
    clock.now += 12.9
    health.worked(Bookmark)
    health.failed(FORBIDDEN)
    assert said(caplog) == ["WARNING"]
    clock.now += 10
    health.worked(Bookmark)
    health.worked(Bookmark)
    assert said(caplog) == ["WARNING", "INFO"]
    health.failed(FORBIDDEN)
    assert said(caplog) == ["WARNING", "INFO", "WARNING"]
    assert health.record.error is FORBIDDEN


def test_a_thread_that_died_is_said_aloud(
        health: Health, caplog: pytest.LogCaptureFixture) -> None:
    death = MemoryError("no more")
    health.died(death)
    assert health.record.phase is Phase.DEAD and health.record.error is death
    assert said(caplog) == ["ERROR"] and "no more" in caplog.text


def test_a_watch_that_is_cut_and_resumed_is_nothing_to_worry_about(
        health: Health, clock: Time, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        health.failed(CUT)
        health.waiting(0.0)
        clock.now += 30
        health.worked(Bookmark)
    assert set(said(caplog)) == {"INFO"}
    # At the second try it is something.
    health.failed(CUT)
    health.failed(CUT)
    assert said(caplog)[-1] == "WARNING"
    before = len(said(caplog))
    health.failed(CUT)
    assert len(said(caplog)) == before


def test_the_log_is_reminded_of_an_outage_that_lasts(
        health: Health, clock: Time, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(13):
        health.failed(FORBIDDEN)
        health.waiting(10.0)
        clock.now += 10
    assert said(caplog) == ["WARNING"] * 3
    assert "still: cannot list: HTTP 403" in caplog.text


def test_what_happens_is_counted(health: Health, clock: Time) -> None:
    health.worked(Init)
    health.worked(InitApply)
    clock.now += 2
    health.worked(InitDone)
    assert health.last_list_seconds == 2 and not health.relist_reasons
    health.worked(Apply)
    health.worked(Bookmark)
    health.failed(CUT)
    health.failed(FORBIDDEN)
    health.worked(Init)
    assert health.events == {"Apply": 1, "Bookmark": 1}
    assert health.failures == {"WatchFailed": 1, "InitialListFailed:403": 1}
    assert health.relist_reasons == {"InitialListFailed:403": 1}


def test_a_pause_is_there_to_be_seen_until_it_ends(health: Health, clock: Time) -> None:
    health.failed(FORBIDDEN)
    health.waiting(3.0)
    assert (health.record.retry_at, health.record.backoff) == (5003, 3.0)
    health.entered_state("Empty")
    assert (health.record.retry_at, health.record.backoff) == (None, 0.0)


def test_what_is_gone_since_a_list_began_is_no_event(health: Health, clock: Time) -> None:
    health.worked(Init)
    health.worked(InitDone)
    health.worked(Apply, clock.now)
    arrived, clock.now = clock.now, clock.now + 600
    health.worked(Init)
    # (Nothing of a list counts as a contact before its end.)
    health.worked(Delete, arrived)
    assert health.event_lag == 0.0 and dict(health.events) == {"Apply": 1}
    health.worked(InitDone)
    health.worked(Delete, clock.now)
    assert health.event_lag == 0.0 and dict(health.events) == {"Apply": 1, "Delete": 1}
