"""kube_reflect.dispatcher"""

from __future__ import annotations

import gc
from typing import Any

import pytest

from kube_reflect import (
    Applied, Apply, Delete, Deleted, Init, InitApply, InitDone, ObjectRef, Resync, Writer,
)

from tests.support.cache_helpers import feed, listed, names, relist, running
from tests.support.follower import Follower, versions
from tests.support.objects import pod
from tests.support.waiting import wait_until


def taken(subscription: Any) -> list[Any]:
    """Take what is pending."""
    changes = []
    while True:
        try:
            change = subscription.get(timeout=0)
        except TimeoutError:
            return changes
        if change is None:
            return changes
        changes.append(change)


def test_it_begins_with_what_is_there() -> None:
    writer, store = listed(pod("a"), pod("b"))
    subscription = writer.subscribe()
    assert taken(subscription) == [Applied(pod("a")), Applied(pod("b"))]
    assert names(subscription.store) == names(store)


def test_it_goes_on_with_what_changes() -> None:
    writer, _ = listed(pod("a"))
    subscription = writer.subscribe()
    taken(subscription)
    feed(writer, Apply(pod("b", version="2")))
    assert subscription.get(timeout=1) == Applied(pod("b", version="2"))
    feed(writer, Apply(pod("a", version="3")))
    assert subscription.get(timeout=1) == Applied(pod("a", version="3"), pod("a"))
    feed(writer, Delete(pod("b", version="4")))
    assert subscription.get(timeout=1) == Deleted(pod("b", version="2"))


def test_changes_can_be_taken_apart() -> None:
    writer, _ = listed(pod("a"))
    subscription = writer.subscribe()
    match subscription.get(timeout=1):
        case Applied(obj, None) as change:
            assert obj == pod("a") and change.is_new
            assert change.ref == ObjectRef.from_object(pod("a"))
            assert change.ref.uid == "uid-a" and change.ref.resource_version == "1"
            assert repr(change) == "Applied(Pod.v1./a.ns, new)"
        case other:
            pytest.fail(f"{other!r}")
    feed(writer, Delete(pod("a")))
    match subscription.get(timeout=1):
        case Deleted(obj, False) as gone:
            assert obj == pod("a") and gone.ref.name == "a"
            assert repr(gone) == "Deleted(Pod.v1./a.ns)"
        case other:
            pytest.fail(f"{other!r}")


def test_changes_can_be_made_and_compared() -> None:
    assert Applied(pod("a")) == Applied(pod("a")) != Applied(pod("a"), pod("a"))
    assert Deleted(pod("a")) != Deleted(pod("a"), inferred=True) and Deleted(1) != Applied(1)
    assert Applied(pod("a")).ref == ObjectRef.from_object(pod("a"))
    assert repr(Deleted(pod("a"), True)) == "Deleted(Pod.v1./a.ns, inferred)"
    assert Resync() == Resync() and len({Resync(), Resync()}) == 1 and repr(Resync()) == "Resync()"


def test_the_objects_are_those_of_the_store() -> None:
    writer, store = listed(pod("a"))
    change = writer.subscribe().get(timeout=1)
    assert isinstance(change, Applied) and change.object is store.get("a", "ns")
    assert change.object is change.object


def test_with_copies_each_change_has_its_own() -> None:
    writer, store = listed(pod("a"), copies=True)
    change = writer.subscribe().get(timeout=1)
    assert isinstance(change, Applied) and change.object == store.get("a", "ns")
    assert change.object is not store.get("a", "ns")


def test_the_objects_alone() -> None:
    writer, _ = listed(pod("a"))
    subscription = writer.subscribe()
    objects = subscription.objects()
    assert next(objects) == pod("a")
    feed(writer, Delete(pod("a")), Apply(pod("b", version="2")))
    assert next(objects) == pod("b", version="2")
    writer.close()
    assert list(objects) == []


def test_deleted_and_made_anew_is_a_deletion_and_an_addition() -> None:
    writer, _ = listed(pod("a", uid="one"))
    subscription = writer.subscribe()
    taken(subscription)
    feed(writer, Apply(pod("a", version="5", uid="two")))
    assert taken(subscription) == [
        Deleted(pod("a", uid="one"), inferred=True), Applied(pod("a", version="5", uid="two"))]


def test_a_list_tells_what_was_missed() -> None:
    writer, _ = listed(pod("gone"), pod("same"), pod("changed"), pod("other", uid="one"))
    subscription = writer.subscribe()
    taken(subscription)
    relist(writer, pod("same"), pod("changed", version="2"), pod("other", uid="two"), pod("new"))
    changes = taken(subscription)
    assert len(changes) == 5
    for change in (
        Deleted(pod("gone"), inferred=True), Applied(pod("changed", version="2"), pod("changed")),
        Deleted(pod("other", uid="one"), inferred=True), Applied(pod("other", uid="two")),
        Applied(pod("new")),
    ):
        assert change in changes


def test_nothing_is_told_of_a_list_under_way() -> None:
    writer, _ = listed(pod("a"))
    subscription = writer.subscribe()
    taken(subscription)
    feed(writer, Init(), InitApply(pod("b")))
    assert taken(subscription) == []
    feed(writer, InitDone("9"))
    assert taken(subscription) == [Deleted(pod("a"), inferred=True), Applied(pod("b"))]


def test_it_may_come_before_the_first_list() -> None:
    writer = Writer()
    subscription = writer.subscribe()
    assert taken(subscription) == []
    relist(writer, pod("a"))
    assert taken(subscription) == [Applied(pod("a"))]


def test_nothing_in_time_is_a_timeout() -> None:
    writer, _ = listed()
    with pytest.raises(TimeoutError, match="no change within 0.01 s"):
        writer.subscribe().get(timeout=0.01)


@pytest.mark.parametrize(("settings", "error", "says"), [
    ({"buffer_size": 0}, ValueError, "1 or more"),
    ({"buffer_size": -5}, ValueError, "1 or more"),
    ({"buffer_size": 1.5}, TypeError, "integer"),
    ({"buffer_size": True}, TypeError, "integer"),
    ({"buffer_size": None}, TypeError, "integer"),
    ({"overflow": "drop"}, ValueError, "coalesce, block, resync"),
    ({"overflow": None}, ValueError, "coalesce, block, resync"),
])
def test_mistakes_are_said_at_once(settings: Any, error: type[Exception], says: str) -> None:
    writer, _ = listed()
    with pytest.raises(error, match=says):
        writer.subscribe(**settings)


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_a_timeout_that_is_none_is_refused(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout"):
        Writer().subscribe().get(timeout)


def test_a_slow_subscriber_gets_the_newest_state_and_every_deletion() -> None:
    writer, store = listed(*(pod(f"p{number}") for number in range(10)))
    subscription = writer.subscribe(buffer_size=3)
    follower = Follower(subscription)
    follower.drain()
    for version in range(2, 200):
        feed(writer, Apply(pod(f"p{version % 10}", version=str(version))))
    for number in range(5):
        feed(writer, Delete(pod(f"p{number}", version="300")))
    changes = taken(subscription)
    assert len(changes) == 10
    for change in changes:
        follower.take(change)
    assert follower.versions() == versions(store)
    assert sorted(uid for uid, _ in follower.deleted) == [f"uid-p{number}" for number in range(5)]


def test_a_slow_subscriber_can_have_the_writer_wait() -> None:
    writer, store = listed(version="0")
    subscription = writer.subscribe(buffer_size=2, overflow="block")
    applied: list[int] = []

    def write() -> None:
        for version in range(1, 8):
            feed(writer, Apply(pod("a", version=str(version))))
            applied.append(version)
        writer.close()

    with running(write):
        wait_until(lambda: store.resource_version == "3", "two pending, and one waiting")
        assert applied == [1, 2]
        follower = Follower(subscription)
        changes = []
        for change in subscription:
            changes.append(change)
            follower.take(change)
    assert [change.object["metadata"]["resourceVersion"] for change in changes] == list("1234567")


@pytest.mark.parametrize("end", ["close", "forget"])
def test_a_writer_does_not_wait_for_a_subscriber_that_is_gone(end: str) -> None:
    writer, store = listed(version="0")
    subscriptions = [writer.subscribe(buffer_size=1, overflow="block")]
    with running(lambda: feed(writer, *(Apply(pod("a", version=str(n))) for n in range(1, 5)))):
        wait_until(lambda: store.resource_version == "2", "the writer waits")
        if end == "close":
            subscriptions[0].close()
        subscriptions.clear()
        gc.collect()
    assert store.resource_version == "4"


def test_a_slow_subscriber_can_have_a_resync() -> None:
    writer, store = listed(pod("a"), pod("b"))
    subscription = writer.subscribe(buffer_size=3, overflow="resync")
    follower = Follower(subscription)
    follower.drain()
    feed(writer, *(Apply(pod(f"p{number}", version="5")) for number in range(4)),
         Delete(pod("a", version="6")))
    changes = taken(subscription)
    assert changes[0] == Resync() and all(isinstance(one, Applied) for one in changes[1:])
    for change in changes:
        follower.take(change)
    assert follower.resyncs == 1 and follower.versions() == versions(store)
    feed(writer, Delete(pod("b", version="7")))
    assert taken(subscription) == [Deleted(pod("b"))], "after a resync it goes on as before"


def test_a_resync_wakes_the_threads_that_wait() -> None:
    writer, _ = listed()
    subscription = writer.subscribe(buffer_size=2, overflow="resync")
    got: list[Any] = []

    def work() -> None:
        for change in subscription:
            got.append(change)

    with running(work, work, work):
        for number in range(300):
            feed(writer, Apply(pod(f"p{number % 7}", version=str(number + 1))))
        last = pod("last", version="999")
        feed(writer, Apply(last))
        wait_until(lambda: any(isinstance(one, Applied) and one.object == last
                               for one in list(got)), "the last change")
        subscription.close()
    assert got


@pytest.mark.parametrize("overflow", ["coalesce", "resync"])
def test_a_sleeping_subscriber_does_not_hold_the_store(overflow: str) -> None:
    writer, store = listed()
    subscription = writer.subscribe(buffer_size=1, overflow=overflow)
    for number in range(1, 2001):
        feed(writer, Apply(pod(f"p{number % 100}", version=str(number))))
    assert store.resource_version == "2000" and len(store) == 100
    follower = Follower(subscription)
    follower.drain()
    assert follower.versions() == versions(store)


def test_what_nobody_takes_does_not_pile_up() -> None:
    writer, store = listed()
    subscription = writer.subscribe(buffer_size=10)
    for number in range(1000):
        feed(writer, Apply(pod(f"p{number}", version=str(2 * number + 1))),
             Delete(pod(f"p{number}", version=str(2 * number + 2))))
    assert len(taken(subscription)) <= 21 and store.is_empty()


def test_a_thousand_subscribers() -> None:
    writer, store = listed(pod("a"), pod("b"))
    subscriptions = [writer.subscribe() for _ in range(1000)]
    feed(writer, Apply(pod("c", version="2")), Delete(pod("a", version="3")))
    for subscription in subscriptions:
        follower = Follower(subscription)
        follower.drain()
        assert follower.versions() == versions(store)


def test_a_forgotten_subscription_is_dropped() -> None:
    writer, _ = listed(pod("a"))
    subscription = writer.subscribe()
    kept = writer.subscribe()
    del subscription
    gc.collect()
    feed(writer, Apply(pod("b", version="2")))
    assert len(writer._cache.listeners) == 1
    assert taken(kept) == [Applied(pod("a")), Applied(pod("b", version="2"))]


def test_a_closed_subscription_is_dropped() -> None:
    writer, _ = listed(pod("a"))
    with writer.subscribe() as subscription:
        assert subscription.get(timeout=1) == Applied(pod("a"))
    subscription.close()
    assert subscription.is_over and subscription.get() is None and list(subscription) == []
    feed(writer, Apply(pod("b", version="2")))
    assert writer._cache.listeners == () and subscription.get(timeout=0) is None


def test_close_wakes_all_who_wait() -> None:
    writer, _ = listed()
    subscription = writer.subscribe()
    ended: list[Any] = []
    with running(*[lambda: ended.append(subscription.get())] * 5):
        wait_until(lambda: len(subscription._waiters._waiting) == 5)
        subscription.close()
    assert ended == [None] * 5


def test_when_the_writer_ends_what_is_pending_is_still_there() -> None:
    writer, _ = listed(pod("a"))
    subscription = writer.subscribe()
    feed(writer, Apply(pod("b", version="2")))
    writer.close()
    assert list(subscription) == [Applied(pod("a")), Applied(pod("b", version="2"))]
    assert subscription.get() is None and subscription.is_over


def test_the_end_of_the_writer_wakes_who_waits() -> None:
    writer, _ = listed()
    subscription = writer.subscribe()
    ended: list[Any] = []
    with running(lambda: ended.append(subscription.get())):
        writer.close()
    assert ended == [None]


def test_after_the_end_of_the_writer_there_is_the_replay() -> None:
    writer, _ = listed(pod("a"))
    writer.close()
    assert list(writer.subscribe()) == [Applied(pod("a"))]
