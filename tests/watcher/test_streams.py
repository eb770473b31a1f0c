"""kube_reflect.streams"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from kube_reflect.backoff import Backoff
from kube_reflect.errors import InitialListFailed, WatchFailed
from kube_reflect.events import Apply, Bookmark, Delete, Init, InitApply, InitDone
from kube_reflect.streams import applied_objects, backoff, modify, touched_objects

from tests.support.machine_scripts import pod

FAILED, CUT = InitialListFailed("no", retry_after=9.0), WatchFailed("cut")
STREAM: list[Any] = [
    FAILED, Init(), InitApply(pod("a")), InitApply(pod("b")), InitDone("10"),
    Apply(pod("c", "11")), Bookmark("12"), Delete(pod("a", "13")), CUT, Apply(pod("d", "14"))]


def policy() -> Backoff:
    return Backoff(initial=1, maximum=100, rng=lambda: 1.0, timer=lambda: 0.0)


def test_backoff_passes_everything_on() -> None:
    passed = list(backoff(STREAM, policy(), sleep=lambda seconds: None))
    assert all(one is other for one, other in zip(passed, STREAM, strict=True))


def test_backoff_waits_after_errors_only() -> None:
    slept: list[float] = []
    assert len(list(backoff(STREAM, policy(), sleep=slept.append))) == len(STREAM)
    # The first as long as the server asked.
    assert slept == [9.0, 2.0]


def test_backoff_waits_twice_as_long_where_each_try_is_a_list_and_a_watch() -> None:
    slept: list[float] = []
    loop = [Init(), InitDone("1"), CUT] * 2
    assert list(backoff(loop, policy(), sleep=slept.append)) == loop
    assert slept == [2.0, 4.0]


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


def test_backoff_counts_a_list_between_errors_once() -> None:
    slept: list[float] = []
    stream: list[Any] = [Init(), InitDone("1"), CUT, CUT, Init(), InitDone("2"), CUT]
    assert len(list(backoff(stream, policy(), sleep=slept.append))) == 7
    assert slept == [2.0, 2.0, 8.0]


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
