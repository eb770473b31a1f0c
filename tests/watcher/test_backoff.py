"""kube_reflect.backoff"""

from __future__ import annotations

import random
from typing import Any

import pytest

from kube_reflect.backoff import Backoff


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def made(draw: float, clock: Clock | None = None, **settings: Any) -> Backoff:
    return Backoff(rng=lambda: draw, timer=clock or Clock(), **settings)


def delays(backoff: Backoff, clock: Clock, count: int, work: float = 0.0,
           **failure: Any) -> list[float]:
    """Fail again and again, each time after some work, and wait as long as told."""
    found = []
    for _ in range(count):
        clock.now += work
        found.append(backoff.next_delay(**failure))
        clock.now += found[-1]
    return found


def test_the_range_doubles_up_to_half_a_minute() -> None:
    clock = Clock()
    assert delays(made(1.0, clock), clock, 9) == pytest.approx(
        [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30, 30])


def test_a_low_draw_has_a_floor() -> None:
    clock = Clock()
    assert delays(made(0.0, clock), clock, 8) == pytest.approx(
        [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 13.4, 20])


@pytest.mark.parametrize("draw", [0.0, 0.25, 0.5, 0.999])
def test_draws_are_spread_over_the_range(draw: float) -> None:
    assert made(draw).next_delay() == pytest.approx(0.2 + 0.6 * draw)


def test_whatever_is_drawn_it_does_not_hammer() -> None:
    clock = Clock()
    backoff = made(0.0, clock)
    started, tries = clock.now, 1
    while clock.now - started < 10:
        clock.now += backoff.next_delay()
        tries += 1
    assert tries <= 7
    delays(backoff, clock, 5)
    assert sum(delays(backoff, clock, 3)) >= 60


def test_a_try_of_two_requests_has_twice_the_maximum_and_no_more() -> None:
    clock = Clock()
    assert delays(made(1.0, clock), clock, 9, requests=2) == pytest.approx(
        [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60, 60])
    assert delays(made(0.0, clock), clock, 12, requests=2)[-3:] == pytest.approx([60, 60, 60])


@pytest.mark.parametrize("draws", [(0.0, 0.0, 0.0, 1.0), (0.0, 1.0, 0.0, 1.0), (0.5, 0.0, 1.0)])
def test_no_pause_is_longer_than_the_trouble_so_far(draws: tuple[float, ...]) -> None:
    clock, drawn = Clock(), iter(draws)
    backoff = Backoff(rng=lambda: next(drawn), timer=clock)
    began = clock.now
    for _ in draws:
        pause = backoff.next_delay(requests=2)
        assert pause <= clock.now - began + 0.8 + 1e-9
        clock.now += pause


@pytest.mark.parametrize(("asked", "delay"), [
    (None, 0.8), (0.0, 0.8), (0.5, 0.8), (7.0, 7.0), (3600.0, 3600.0),
    (10 * 86400.0, 3600.0), (float("inf"), 3600.0),
])
def test_the_server_s_wish_counts_if_it_is_longer_up_to_an_hour(
        asked: float | None, delay: float) -> None:
    assert made(1.0).next_delay(asked) == pytest.approx(delay)


def test_a_range_may_be_longer_than_what_a_server_may_ask_for() -> None:
    backoff = made(1.0, initial=7200.0, maximum=7200.0)
    assert backoff.next_delay(86400.0) == pytest.approx(7200)


def test_a_wish_does_not_change_the_range() -> None:
    clock = Clock()
    backoff = made(1.0, clock)
    assert backoff.next_delay(100.0) == 100.0
    clock.now += 100
    assert backoff.next_delay() == pytest.approx(1.6)


@pytest.mark.parametrize(("health", "delay"), [(0, 3.2), (119.9, 3.2), (120, 0.8), (9999, 0.8)])
def test_only_two_minutes_of_health_start_it_over(health: float, delay: float) -> None:
    clock = Clock()
    backoff = made(1.0, clock)
    delays(backoff, clock, 2)
    clock.now += health
    assert backoff.next_delay() == pytest.approx(delay)


def test_the_delay_itself_is_not_health() -> None:
    clock = Clock()
    backoff = made(1.0, clock)
    assert backoff.next_delay(500.0) == 500.0
    clock.now += 500
    assert backoff.next_delay() == pytest.approx(1.6)


def test_short_successes_in_between_do_not_start_it_over() -> None:
    clock = Clock()
    assert delays(made(1.0, clock), clock, 8, work=60)[-1] == pytest.approx(30)


@pytest.mark.parametrize("ran", [5, 15, 60, 290])
def test_a_watch_that_was_served_is_resumed_at_once(ran: float) -> None:
    clock = Clock()
    backoff = made(1.0, clock)
    delays(backoff, clock, 8)
    assert delays(backoff, clock, 20, work=ran, furthest=2, resumes=True) == pytest.approx(
        [0.8] * 20)


def test_a_watch_that_was_not_served_adds_up() -> None:
    clock = Clock()
    backoff = made(1.0, clock)
    assert delays(backoff, clock, 9, work=4.9, furthest=2, resumes=True)[-1] == pytest.approx(30)


def test_the_time_of_a_list_is_none_of_the_watch_after_it() -> None:
    clock = Clock()
    backoff = made(1.0, clock)
    for _ in range(9):
        clock.now += 20
        backoff.listed()
        pause = backoff.next_delay(requests=2, furthest=2, resumes=True)
        clock.now += pause
    assert pause == pytest.approx(60)


def test_a_try_that_comes_further_than_any_before_starts_it_over() -> None:
    clock = Clock()
    backoff = made(1.0, clock)
    delays(backoff, clock, 6)
    assert delays(backoff, clock, 2, furthest=1) == pytest.approx([0.8, 1.6])
    delays(backoff, clock, 2)
    assert delays(backoff, clock, 2, furthest=1) == pytest.approx([12.8, 25.6])
    assert delays(backoff, clock, 2, furthest=2) == pytest.approx([0.8, 1.6])
    assert delays(backoff, clock, 6)[-1] == pytest.approx(30)


def test_reset_starts_over() -> None:
    clock = Clock()
    backoff = made(1.0, clock)
    delays(backoff, clock, 5)
    backoff.reset()
    assert backoff.next_delay() == pytest.approx(0.8)


def test_its_numbers_can_be_chosen() -> None:
    clock = Clock()
    backoff = made(1.0, clock, initial=1, factor=3, maximum=5, reset_after=0)
    assert backoff.next_delay() == pytest.approx(1)
    backoff = made(1.0, clock, initial=1, factor=3, maximum=5)
    assert delays(backoff, clock, 3) == pytest.approx([1, 3, 5])


@pytest.mark.parametrize("settings", [
    {"initial": 0}, {"initial": -1}, {"initial": 31}, {"maximum": 0.5}, {"factor": 0.9},
    {"reset_after": -1}, {"initial": float("nan")},
])
def test_a_range_that_makes_no_sense_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        Backoff(**settings)


@pytest.mark.parametrize("settings", [
    {"maximum": float("inf")}, {"factor": float("nan")}, {"reset_after": float("nan")},
    {"factor": float("inf")},
])
def test_a_range_without_an_end_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        Backoff(**settings)


def test_two_backoffs_do_not_draw_alike() -> None:
    assert len({Backoff().next_delay() for _ in range(20)}) > 10


def test_what_a_program_has_seeded_is_left_alone() -> None:
    before = random.getstate()
    assert Backoff().next_delay() > 0
    assert random.getstate() == before
