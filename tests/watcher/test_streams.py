"""kube_reflect.streams"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from kube_reflect.backoff import Backoff
from kube_reflect.errors import (
    InitialListFailed, NoResourceVersion, WatchError, WatchFailed, WatchStartFailed,
)
from kube_reflect.events import Apply, Bookmark, Delete, Init, InitApply, InitDone
from kube_reflect.ground.objects import Object
from kube_reflect.streams import (
    applied_objects, backoff, modify, predicate_filter, reflect, touched_objects,
)

from tests.support.machine_scripts import pod
from tests.watcher.test_backoff import Clock

FAILED, CUT = InitialListFailed("no", retry_after=9.0), WatchFailed("cut")
STREAM: list[Any] = [
    FAILED, Init(), InitApply(pod("a")), InitApply(pod("b")), InitDone("10"),
    Apply(pod("c", "11")), Bookmark("12"), Delete(pod("a", "13")), CUT, Apply(pod("d", "14"))]


def policy(clock: Clock | None = None) -> Backoff:
    return Backoff(initial=1, maximum=100, rng=lambda: 1.0, timer=clock or Clock())


def pauses(stream: list[Any]) -> list[float]:
    """Return how long is waited after each error, where nothing but that takes time."""
    clock, slept = Clock(), []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.now += seconds

    assert list(backoff(stream, policy(clock), sleep=sleep)) == stream
    return slept


def test_backoff_passes_everything_on() -> None:
    passed = list(backoff(STREAM, policy(), sleep=lambda seconds: None))
    assert all(one is other for one, other in zip(passed, STREAM, strict=True))


def test_backoff_waits_after_errors_only() -> None:
    # The first as long as the server asked; with the second, a watch had begun.
    assert pauses(STREAM) == [9.0, 1.0]
    assert pauses([WatchStartFailed("no")] * 4) == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize("loop", [
    [Init(), InitDone("1"), CUT], [Init(), InitDone("1"), Apply(pod("a", "2")), CUT],
    [WatchError("gone", code=410)], [NoResourceVersion("none")],
    [WatchError("gone", status={"reason": "Expired"})],
])
def test_backoff_has_twice_the_maximum_where_each_try_is_a_list_and_a_watch(
        loop: list[Any]) -> None:
    assert pauses(loop * 10)[-3:] == [128.0, 200.0, 200.0]


@pytest.mark.parametrize("error", [CUT, WatchStartFailed("no"), WatchError("no", code=500),
                                   InitialListFailed("no")])
def test_backoff_has_the_maximum_where_each_try_is_one_request(error: Any) -> None:
    assert pauses([error] * 9)[-3:] == [64.0, 100.0, 100.0]


def test_backoff_starts_over_where_the_list_works_again() -> None:
    lists = [InitialListFailed("no")] * 6
    assert pauses([*lists, Init(), InitDone("1"), WatchStartFailed("no")])[-2:] == [32.0, 1.0]


def test_backoff_passes_an_error_on_before_it_waits() -> None:
    log: list[Any] = []
    for item in backoff([CUT, Init()], policy(), sleep=log.append):
        log.append(item)
    assert log == [CUT, 1.0, Init()]


def test_backoff_asks_for_nothing_before_it_is_asked() -> None:
    asked: list[Any] = []

    def stream() -> Iterator[Any]:
        for item in STREAM:
            asked.append(item)
            yield item

    items = backoff(stream(), policy(), sleep=lambda seconds: None)
    assert asked == []
    assert list(itertools.islice(items, 2)) == STREAM[:2] == asked


class Cache:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def claim(self) -> None:
        self.told.append("claimed")

    def apply_watcher_event(self, event: Any) -> None:
        self.told.append(event)

    def failed(self, error: Any) -> None:
        self.told.append(error)

    def close(self, reason: Any = None) -> None:
        self.told.append(reason)


def test_reflect_applies_events_and_passes_everything_on() -> None:
    cache = Cache()
    passing = reflect(cache, STREAM)
    assert cache.told == ["claimed"]
    for item in passing:
        assert item is cache.told[-1]
    assert cache.told == ["claimed", *STREAM, None]


def test_reflect_says_why_it_ends() -> None:
    cache, error = Cache(), KeyError("odd")

    def stream() -> Iterator[Any]:
        yield Init()
        raise error

    with pytest.raises(KeyError):
        list(reflect(cache, stream()))
    assert cache.told[-2:] == [error, None]


def test_modify_changes_objects_and_nothing_else() -> None:
    def named(obj: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"was": obj["metadata"]["name"]}

    passed = list(modify(STREAM, named))
    assert passed == [
        FAILED, Init(), InitApply({"was": "a"}), InitApply({"was": "b"}), InitDone("10"),
        Apply({"was": "c"}), Bookmark("12"), Delete({"was": "a"}), CUT, Apply({"was": "d"})]
    assert passed[0] is FAILED and passed[8] is CUT


def test_applied_objects_are_those_that_are_there() -> None:
    assert list(applied_objects(STREAM)) == [
        FAILED, pod("a"), pod("b"), pod("c", "11"), CUT, pod("d", "14")]


def test_touched_objects_are_the_deleted_ones_too() -> None:
    assert list(touched_objects(STREAM)) == [
        FAILED, pod("a"), pod("b"), pod("c", "11"), pod("a", "13"), CUT, pod("d", "14")]


def test_an_object_that_cannot_be_read_is_passed_on_as_it_is() -> None:
    bad = Object.parse(b'{"metadata":{"name":"a"},"spec":' + b"[" * 40_000 + b"]" * 40_000 + b"}")
    stream: list[Any] = [Init(), InitApply(bad), InitDone("1"), Apply(bad), Apply(pod("b"))]
    passed = list(modify(stream, lambda obj: {**obj, "seen": True}))
    assert passed[:4] == stream[:4] and passed[3].object is bad
    assert passed[4].object["seen"]
    assert list(predicate_filter(stream, lambda obj: obj["metadata"]["name"])) == stream
