"""kube_reflect.dispatcher: threads that share a subscription, as a work queue."""

from __future__ import annotations

import threading
from typing import Any

from kube_reflect import Applied, Apply

from tests.support.cache_helpers import feed, listed, running
from tests.support.objects import pod
from tests.support.waiting import DEADLINE, wait_until


def test_an_object_is_with_one_thread_at_a_time() -> None:
    writer, _ = listed(pod("a"))
    subscription = writer.subscribe()
    assert subscription.get(timeout=1) == Applied(pod("a"))
    feed(writer, Apply(pod("a", version="2")), Apply(pod("b", version="3")))
    other: list[Any] = []
    with running(lambda: other.append(subscription.get(timeout=DEADLINE))):
        pass
    assert other == [Applied(pod("b", version="3"))], "what this thread works on waits"
    with running(lambda: other.append(subscription.get(timeout=DEADLINE))):
        # By taking again, this thread puts it down; one of the two gets it.
        mine: list[Any] = []
        with running(lambda: feed(writer, Apply(pod("c", version="4")))):
            mine.append(subscription.get(timeout=DEADLINE))
    assert sorted(change.ref.name for change in mine + other[1:]) == ["a", "c"]


def test_who_leaves_the_loop_puts_down_what_it_had() -> None:
    writer, _ = listed(pod("a"))
    subscription = writer.subscribe()
    for change in subscription:
        assert change == Applied(pod("a"))
        break
    feed(writer, Apply(pod("a", version="2")))
    other: list[Any] = []
    with running(lambda: other.append(subscription.get(timeout=DEADLINE))):
        pass
    assert other == [Applied(pod("a", version="2"), pod("a"))]


def test_a_thread_that_ends_with_an_object_in_hand_lets_it_go() -> None:
    writer, _ = listed(pod("a"))
    subscription = writer.subscribe()
    first: list[Any] = []
    with running(lambda: first.append(subscription.get(timeout=DEADLINE))):
        pass
    assert first == [Applied(pod("a"))]
    feed(writer, Apply(pod("a", version="2")))
    assert subscription.get(timeout=DEADLINE) == Applied(pod("a", version="2"), pod("a"))


def test_a_thread_that_waits_for_an_object_notices_that_its_holder_has_ended() -> None:
    writer, _ = listed(pod("a"))
    subscription = writer.subscribe()
    has_it, may_end = threading.Event(), threading.Event()
    got: list[Any] = []

    def holder() -> None:
        subscription.get(timeout=DEADLINE)
        has_it.set()
        may_end.wait(DEADLINE)

    with running(holder):
        assert has_it.wait(DEADLINE)
        feed(writer, Apply(pod("a", version="2")))
        with running(lambda: got.append(subscription.get(timeout=DEADLINE))):
            wait_until(lambda: subscription._waiters._waiting)
            may_end.set()
    assert got == [Applied(pod("a", version="2"), pod("a"))]
