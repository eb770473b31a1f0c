"""Writers of a namespace each that share a cache, and objects that are not as they should be."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from kube_reflect.dispatcher import Applied, Deleted, Subscription
from kube_reflect.events import Apply, Delete, Init, InitApply, InitDone, Reason
from kube_reflect.store import Cache, Delta, NamespaceWriter, Store, StoreOptions
from kube_reflect.store.listener import Listener
from kube_reflect.store.writing import Forgotten

from tests.support.cache_helpers import feed, listed, names, relist, running
from tests.support.interrupts import Abort
from tests.support.objects import pod
from tests.support.waiting import DEADLINE, wait_until


def writers() -> tuple[Cache, NamespaceWriter, NamespaceWriter]:
    """A cache with a writer for each of the namespaces a and b, both of them listed."""
    cache = Cache(None, StoreOptions())
    a, b = (NamespaceWriter(cache, namespace) for namespace in ("a", "b"))
    for one in (a, b):
        assert not Store(cache).ready
        for event in (Init(), InitDone("1")):
            one.apply(event)
    assert Store(cache).ready
    return cache, a, b


def test_a_writer_whose_namespace_is_gone_in_the_middle_of_a_list_adds_nothing(
        caplog: pytest.LogCaptureFixture) -> None:
    cache, a, b = writers()
    b.apply(Init())
    b.apply(InitApply(pod("x", "b")))
    b.remove()
    for event in (InitApply(pod("y", "b")), InitDone("7"), Apply(pod("z", "b"))):
        with pytest.raises(Forgotten):
            b.apply(event)
    a.apply(Apply(pod("mine", "a")))
    assert names(Store(cache).state()) == ["mine"] and not caplog.records


def raise_once(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """Have the next call of a method be interrupted before it has done anything."""
    method, errors = getattr(owner, name), [Abort()]

    def interrupted(self: Any, *args: Any) -> Any:
        if errors:
            raise errors.pop()
        return method(self, *args)

    monkeypatch.setattr(owner, name, interrupted)


def check_bytes(cache: Cache) -> None:
    assert cache.counters.bytes_at_rest == sum(
        len(entry.packed) for entry in cache.table.entries.values())


def test_what_an_interrupted_removal_has_begun_comes_before_another_s_list(
        monkeypatch: pytest.MonkeyPatch) -> None:
    cache, a, b = writers()
    b.apply(Apply(pod("x", "b")))
    raise_once(monkeypatch, Cache, "settle_locked")
    with pytest.raises(Abort):
        b.remove()
    for event in (Init(), InitApply(pod("mine", "a")), InitDone("7")):
        a.apply(event)
    b.remove()
    assert names(Store(cache).state()) == ["mine"] and b.is_gone
    check_bytes(cache)


@pytest.mark.parametrize("event", [InitApply, Apply])
@pytest.mark.parametrize("owner, method", [
    (Cache, "settle_locked"), (NamespaceWriter, "_notify_listeners")])
def test_an_interrupted_removal_is_told_though_its_thread_is_at_work(
        monkeypatch: pytest.MonkeyPatch, owner: Any, method: str, event: Any) -> None:
    def remove() -> None:
        raise_once(monkeypatch, owner, method)
        with pytest.raises(Abort):
            b.remove()
        b.remove()

    def transform(mapping: dict[str, Any]) -> dict[str, Any]:
        if mapping["metadata"]["name"] == "late" and not b.is_gone:
            with running(remove):
                pass
        return mapping

    cache = Cache(None, StoreOptions(transform=transform))
    b = NamespaceWriter(cache, "b")
    for one in (Init(), InitApply(pod("x", "b")), InitDone("1")):
        b.apply(one)
    subscription = Subscription(cache, Store(cache))
    assert take(subscription, 1) == ["x"]
    b.apply(Init())
    try:
        b.apply(event(pod("late", "b")))
    except Forgotten:
        # As the thread does with what has failed.
        with pytest.raises(Forgotten):
            b.apply(event(pod("late", "b")))
    change = subscription.get(DEADLINE)
    assert isinstance(change, Deleted) and change.reason is Reason.UNWATCHED
    assert subscription.pending == 0 and not cache.table.entries
    check_bytes(cache)


class Told(Listener):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.deltas: list[Delta] = []

    def changed(self, delta: Delta) -> bool:
        self.deltas.append(delta)
        return True

    def ended(self) -> None:
        return None

    def is_over(self) -> bool:
        return False


def test_two_threads_that_complete_one_change_tell_it_once(
        monkeypatch: pytest.MonkeyPatch) -> None:
    cache, _, b = writers()
    b.apply(Apply(pod("x", "b")))
    told = Told()
    cache.subscribe(told)
    raise_once(monkeypatch, NamespaceWriter, "_notify_listeners")
    with pytest.raises(Abort):
        b.remove()
    number, left = cache.next_number, [b.settle]

    def next_number() -> int:
        # Both have begun to find out what there is to tell.
        if left:
            with running(left.pop()):
                pass
        return number()

    monkeypatch.setattr(cache, "next_number", next_number)
    b.settle()
    assert not left
    assert [(delta.key, delta.reason) for delta in told.deltas] == [
        (("b", "x"), Reason.UNWATCHED)]


def take(subscription: Subscription[Any], count: int) -> list[str]:
    taken = []
    for _ in range(count):
        change = subscription.get(DEADLINE)
        assert isinstance(change, Applied)
        taken.append(change.ref.name)
    return sorted(taken)


def test_a_list_is_told_whole_while_another_writer_goes_on() -> None:
    cache, a, b = writers()
    store: Store[Any] = Store(cache)
    subscription = Subscription(cache, store, overflow="block", buffer_size=1)
    failed: list[BaseException] = []

    def run(one: NamespaceWriter, *events: Any) -> threading.Thread:
        def go() -> None:
            try:
                for event in events:
                    one.apply(event)
            except BaseException as error:
                failed.append(error)
        thread = threading.Thread(target=go)
        thread.start()
        return thread

    objects = [InitApply(pod(f"p{number}", "a")) for number in range(5)]
    first = run(a, Init(), *objects, InitDone("9"))
    # It has swapped, and waits in the middle of telling.
    wait_until(lambda: len(store) == 5)
    second = run(b, Apply(pod("x", "b")), Apply(pod("y", "b")))
    wait_until(lambda: store.get("x", "b") is not None)
    assert take(subscription, 7) == ["p0", "p1", "p2", "p3", "p4", "x", "y"]
    for thread in (first, second):
        thread.join(DEADLINE)
    assert not failed
    with pytest.raises(TimeoutError):
        subscription.get(0)
    cache.end()
    assert subscription.get() is None


def test_a_transform_may_take_the_version_out() -> None:
    def without_version(obj: dict[str, Any]) -> dict[str, Any]:
        del obj["metadata"]["resourceVersion"]
        return obj

    writer, store = listed(pod("a", version="5"), transform=without_version)
    event = Apply(pod("a", version="107"))
    feed(writer, event)
    assert store.resource_version == "107"
    assert event.object["metadata"]["resourceVersion"] == "107"


def test_a_transform_that_takes_the_name_and_fails_leaves_nothing_old() -> None:
    broken = threading.Event()

    def transform(obj: dict[str, Any]) -> dict[str, Any]:
        if broken.is_set():
            del obj["metadata"]["name"]
            raise ValueError("no more")
        return obj

    writer, store = listed(pod("a"), pod("b"), transform=transform)
    broken.set()
    feed(writer, Apply(pod("a", version="2")))
    assert names(store.state()) == ["b"]


@pytest.mark.parametrize("spoil", [
    lambda obj: obj["metadata"].update(namespace=7),
    lambda obj: obj["metadata"].update(namespace=["ns"]),
], ids=["a number", "a list"])
def test_an_object_with_no_namespace_to_speak_of_is_left_out(
        spoil: Callable[[dict[str, Any]], None]) -> None:
    bad = pod("bad")
    spoil(bad)
    writer, store = listed(pod("a"), bad)
    feed(writer, Apply(bad), Delete(bad))
    assert [ref.name for ref in store.keys()] == ["a"]
    assert writer._cache.bad_objects.count == 3


def test_odd_metadata_spoils_no_read() -> None:
    odd = pod("odd")
    odd["metadata"].update(uid=7, resourceVersion=8, labels={"a": 9, "b": "c"})
    writer, store = listed(odd, pod("plain", labels={"a": "1"}))
    feed(writer, Apply({**pod("more"), "apiVersion": "a/b/c"}))
    assert names(store.state(labels="b=c")) == ["odd"]
    assert names(store.state(labels="a>0")) == ["plain"]
    with writer.subscribe() as subscription:
        assert take(subscription, 3) == ["more", "odd", "plain"]


def test_it_is_not_ready_again_before_a_list_is_complete() -> None:
    writer, store = listed(pod("a"))
    feed(writer, Init(), InitApply(pod("b")))
    assert names(store.state()) == ["a"]
    relist(writer, pod("b"))
    assert names(store.state()) == ["b"]
