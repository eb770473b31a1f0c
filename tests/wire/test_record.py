"""kube_reflect.wire.record: what something between here and the server is used to do."""

from __future__ import annotations

import pytest

from kube_reflect.wire.record import ServerRecord

from tests.watcher.test_backoff import Clock


def record_of(*ages: float, clock: Clock | None = None) -> ServerRecord:
    record = ServerRecord(clock or Clock())
    for age in ages:
        record.watch_cut(age)
    return record


@pytest.mark.parametrize("ages", [(60.0, 60.1, 60.2), (61, 60, 64), (15, 15, 15),
                                  (2, 60, 60, 60), (0.1, 30, 60, 61, 60)])
def test_watches_that_are_cut_at_a_regular_age_are_asked_to_end_before(
        ages: tuple[float, ...]) -> None:
    assert record_of(*ages).limited(290) == pytest.approx(0.9 * min(ages[-3:]))
    assert record_of(*ages).limited(5) == 5


@pytest.mark.parametrize("ages", [(), (60, 60), (60, 60, 30), (60, 90, 120), (3, 3, 3, 3),
                                  (60, 60, 5, 60, 60)])
def test_other_cuts_mean_nothing(ages: tuple[float, ...]) -> None:
    assert record_of(*ages).limited(290) == 290


def test_a_clean_end_between_is_no_habit() -> None:
    record = record_of(60, 60)
    record.watch_ended()
    record.watch_cut(60)
    assert record.limited(290) == 290


def test_after_half_an_hour_it_is_tried_anew() -> None:
    clock = Clock()
    record = record_of(60, 60, 60, clock=clock)
    clock.now += 1799
    assert record.limited(290) == pytest.approx(54)
    clock.now += 2
    assert record.limited(290) == 290
    record.watch_cut(60)
    assert record.limited(290) == 290
