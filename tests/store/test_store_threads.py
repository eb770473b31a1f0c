"""kube_reflect.store: readiness, and what threads see while a writer writes."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest

from kube_reflect.errors import (
    InitialListFailed, KubeReflectError, NotReady, WatchFailed, WriterDropped,
)
from kube_reflect.events import Apply, Bookmark, Delete, Init, InitApply, InitDone
from kube_reflect.streams import reflect
from kube_reflect.store import Store, Writer

from tests.support.cache_helpers import feed, listed, names, relist, running
from tests.support.objects import pod
from tests.support.waiting import DEADLINE

READERS = 3


def test_ready_is_after_the_first_complete_list() -> None:
    writer = Writer()
    store = writer.as_reader()
    for event in (Bookmark("1"), Apply(pod("a")), Init(), InitApply(pod("a"))):
        feed(writer, event)
        assert not store.ready
    feed(writer, InitDone("2"))
    assert store.ready
    feed(writer, Init())
    assert store.ready


def test_waiting_for_what_is_ready_takes_no_time() -> None:
    _, store = listed(pod("a"))
    store.wait_until_ready()
    store.wait_until_ready(timeout=0)
    assert store.ready


def test_who_waits_before_the_list_is_woken_by_it() -> None:
    writer = Writer()
    seen: list[list[str]] = []

    def wait() -> None:
        store = writer.as_reader()
        store.wait_until_ready(timeout=DEADLINE)
        seen.append(names(store))

    with running(*[wait] * READERS):
        relist(writer, pod("a"), pod("b"))
    assert seen == [["a", "b"]] * READERS


def test_a_list_that_is_too_late_is_not_ready() -> None:
    writer = Writer()
    store = writer.as_reader()
    feed(writer, Init(), InitApply(pod("a")))
    with pytest.raises(NotReady, match="0.02 s") as caught:
        store.wait_until_ready(timeout=0.02)
    assert isinstance(caught.value, TimeoutError) and isinstance(caught.value, KubeReflectError)
    assert caught.value.__cause__ is None
    feed(writer, InitDone("1"))
    store.wait_until_ready(timeout=0)
    assert store.ready


def test_not_ready_says_what_went_wrong_last() -> None:
    writer = Writer()
    store = writer.as_reader()
    errors = [InitialListFailed("cannot list: HTTP 500", code=500),
              InitialListFailed("cannot list: HTTP 403: pods is forbidden", code=403)]
    stream = reflect(writer, errors)
    assert next(stream) is errors[0] and next(stream) is errors[1]
    with pytest.raises(NotReady, match="pods is forbidden") as caught:
        store.wait_until_ready(timeout=0)
    assert caught.value.__cause__ is errors[1]
    stream.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("timeout", [-1, -0.001, float("nan")])
def test_a_timeout_that_is_no_span_is_a_value_error(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout"):
        Writer().as_reader().wait_until_ready(timeout=timeout)


@pytest.mark.parametrize("timeout", ["5", True, [1]])
def test_a_timeout_that_is_no_number_is_a_type_error(timeout: Any) -> None:
    with pytest.raises(TypeError, match="timeout"):
        Writer().as_reader().wait_until_ready(timeout=timeout)


@pytest.mark.parametrize("timeout", [None, float("inf"), 1e30])
def test_any_long_wait_is_possible(timeout: float | None) -> None:
    writer = Writer()
    store = writer.as_reader()
    with running(lambda: store.wait_until_ready(timeout=timeout)):
        relist(writer)
    assert store.ready


def dropped_by(end: Callable[[list[Writer]], object]) -> list[BaseException]:
    """Wait in threads, end the writer, and give what they were told."""
    writers = [Writer()]
    store = writers[0].as_reader()
    told: list[BaseException] = []
    waiting = threading.Barrier(READERS + 1)

    def wait() -> None:
        waiting.wait(DEADLINE)
        try:
            store.wait_until_ready(timeout=DEADLINE)
        except BaseException as error:
            told.append(error)

    with running(*[wait] * READERS):
        waiting.wait(DEADLINE)
        end(writers)
    with pytest.raises(WriterDropped):
        store.wait_until_ready()
    return told


@pytest.mark.parametrize("end", [
    lambda writers: writers[0].close(), lambda writers: writers.clear(),
    lambda writers: [writers[0].close(), writers[0].close()],
])
def test_who_waits_for_a_writer_that_is_gone_is_told(end: Any) -> None:
    told = dropped_by(end)
    assert [type(error) for error in told] == [WriterDropped] * READERS


def test_a_writer_in_a_cycle_is_gone_when_it_is_collected() -> None:
    def end(writers: list[Any]) -> None:
        writers[0].itself = writers[0]
        writers.clear()
        gc.collect()

    assert [type(error) for error in dropped_by(end)] == [WriterDropped] * READERS


def test_dropped_says_what_went_wrong_last() -> None:
    writer, error = Writer(), InitialListFailed("cannot list: HTTP 403", code=403)
    assert list(reflect(writer, [error])) == [error]
    with pytest.raises(WriterDropped, match="HTTP 403") as caught:
        writer.as_reader().wait_until_ready()
    assert caught.value.__cause__ is error


def test_a_ready_store_stays_ready_and_readable_without_its_writer() -> None:
    writer, store = listed(pod("a"))
    del writer
    gc.collect()
    store.wait_until_ready(timeout=0)
    assert store.ready and names(store) == ["a"]


@pytest.mark.parametrize("rounds", [50, pytest.param(200, marks=pytest.mark.slow)])
def test_readers_see_whole_lists_only(rounds: int) -> None:
    size = 40
    lists = [[pod(f"p{n}", f"ns{n % 2}", str(version), number=version)
              for n in range(size)] for version in range(rounds)]
    writer, store = listed(*lists[0], indexers={"all": lambda obj: ["x"]})
    done = threading.Event()

    def version_of(objects: list[Any], expected: int) -> int:
        versions = {one["spec"]["number"] for one in objects}
        assert len(objects) == expected and len(versions) == 1, versions
        return int(versions.pop())

    def read_much() -> None:
        last = 0
        while not done.is_set():
            seen = [version_of(store.state(), size), version_of(store.by_index("all", "x"), size),
                    version_of(store.state(namespace="ns1"), size // 2),
                    version_of(store.state(where=lambda obj: True), size)]
            assert seen == sorted(seen) and seen[0] >= last
            last = seen[-1]

    def read_snapshots() -> None:
        while not done.is_set():
            kept = store.snapshot()
            version = version_of(kept.state(), size)
            assert kept.resource_version == f"list-{version}"
            assert version_of(kept.by_index("all", "x"), size) == version
            assert len(kept) == len(kept.keys()) == size
            assert kept.get("p1", "ns1")["spec"]["number"] == version

    relist(writer, *lists[0], version="list-0")
    with running(read_much, read_snapshots):
        try:
            for number, objects in enumerate(lists):
                relist(writer, *objects, version=f"list-{number}")
        finally:
            done.set()
    assert store.resource_version == f"list-{rounds - 1}"


def test_readers_see_an_object_and_its_indexes_change_together() -> None:
    writer, store = listed(pod("a", node=0), indexers={"node": lambda obj: [obj["spec"]["node"]]})
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            kept = store.snapshot()
            (value,) = kept.index_values("node")
            (found,) = kept.by_index("node", value)
            assert found["spec"]["node"] == value == kept.get("a", "ns")["spec"]["node"]
            assert kept.resource_version == found["metadata"]["resourceVersion"]

    feed(writer, Apply(pod("a", version="200", node=0)))
    with running(*[read] * 2):
        try:
            for number in range(500):
                feed(writer, Apply(pod("a", version=str(200 + number), node=number)))
        finally:
            done.set()
    assert store.get("a", "ns")["spec"]["node"] == 499


def test_readers_never_see_an_object_go_back() -> None:
    writer, store = listed(pod("a", n=0), pod("b", n=0))
    done = threading.Event()

    def read(one: Callable[[Store[Any]], Any]) -> Callable[[], None]:
        def body() -> None:
            last = 0
            while not done.is_set():
                number = one(store)["spec"]["n"]
                assert number >= last
                last = number
        return body

    reads: list[Callable[[Store[Any]], Any]] = [
        lambda store: store.get("a", "ns"), lambda store: store.state(namespace="ns")[0],
        lambda store: next(one for one in store.state() if one["metadata"]["name"] == "a"),
        lambda store: store.find(lambda obj: obj["metadata"]["name"] == "a")]
    with running(*map(read, reads)):
        try:
            for number in range(1, 400):
                feed(writer, Apply(pod("a", version=str(number), n=number)))
                if number % 50 == 0:
                    relist(writer, pod("a", version=str(number), n=number), pod("b", n=number))
        finally:
            done.set()
    assert store.get("a", "ns")["spec"]["n"] == 399


def test_readers_come_and_go_while_objects_do() -> None:
    writer, store = listed()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            for ref in store.keys():
                found = store.get(ref)
                assert found is None or found["metadata"]["name"] == ref.name
            assert len(store.state()) <= 20

    with running(*[read] * 2):
        try:
            for number in range(1000):
                name = f"p{number % 20}"
                feed(writer, (Delete if number % 3 == 0 else Apply)(pod(name, version=str(number))))
        finally:
            done.set()
    assert len(store) == len(store.state()) == len(store.keys())


@pytest.mark.parametrize("error", [InitialListFailed("no"), WatchFailed("cut")])
def test_errors_in_a_stream_change_nothing(error: Exception) -> None:
    writer = Writer()
    store = writer.as_reader()
    events = [Init(), InitApply(pod("a")), InitDone("1"), error, Init(), InitApply(pod("b")),
              error]
    assert list(reflect(writer, events)) == events  # type: ignore[arg-type]
    assert names(store) == ["a"]
