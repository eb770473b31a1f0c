"""kube_reflect.dispatcher.pending"""

from __future__ import annotations

from typing import Any

import pytest

from kube_reflect.dispatcher.pending import State, Step
from kube_reflect.events import Reason
from kube_reflect.ground.locks import Waiters
from kube_reflect.ground.objects import Key
from kube_reflect.store.entry import Entry
from kube_reflect.store.listener import Delta

from tests.support.cache_helpers import running
from tests.support.pending_helpers import Owner, Queue, at, version
from tests.support.waiting import wait_until

pytest.importorskip("hypothesis", reason="property tests need hypothesis, of the extra [dev]")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

A, B, C = ("ns", "a"), ("ns", "b"), ("ns", "c")


def test_nothing_is_pending_at_first() -> None:
    queue = Queue().replay()
    assert not queue.pending and len(queue.pending) == 0 and queue.take() is None


def test_the_replay_comes_first_and_in_order() -> None:
    queue = Queue().replay(A, B)
    queue.tell(C, None, "2")
    assert A in queue.pending and C in queue.pending and len(queue.pending) == 3
    assert queue.shown() == [("a", None, "1"), ("b", None, "1"), ("c", None, "2")]
    assert not queue.pending and A not in queue.pending


def test_what_changes_before_it_was_replayed_is_shown_once() -> None:
    queue = Queue().replay(A, B)
    queue.tell(A, "1", "2")
    queue.tell(B, "1", None)
    assert queue.shown() == [("a", None, "2"), ("b", "1", None)]
    assert queue.pending.dropped == 2


@pytest.mark.parametrize("overflow", ["coalesce", "block"])
def test_what_changes_before_it_begins_comes_after_what_was_there(overflow: str) -> None:
    queue = Queue(overflow=overflow)
    queue.tell(A, "1", "2")
    queue.tell(C, None, "3")
    queue.replay(A, B)
    shown = queue.shown()
    if overflow == "block":
        assert shown == [("b", None, "1"), ("a", None, "1"), ("a", "1", "2"), ("c", None, "3")]
    else:
        assert shown == [("b", None, "1"), ("a", None, "2"), ("c", None, "3")]


def test_changes_of_an_object_become_one() -> None:
    queue = Queue().seen(A)
    for old, new in (("1", "2"), ("2", "3"), ("3", "4")):
        queue.tell(A, old, new)
    assert queue.pending.dropped == 2 and len(queue.pending) == 1
    assert queue.shown() == [("a", "1", "4")]


def test_a_deletion_has_the_last_state_and_its_reason() -> None:
    queue = Queue().seen(A)
    queue.tell(A, "1", "2")
    queue.tell(A, "2", None, reason=Reason.UNWATCHED)
    step = queue.take()
    assert step is not None and step.reason is Reason.UNWATCHED
    assert (version(step.old), step.new) == ("2", None)


def test_deleted_and_made_anew_is_two_steps() -> None:
    queue = Queue().seen(A)
    queue.tell(A, "1", None)
    queue.tell(A, None, "3")
    queue.tell(A, "3", "4")
    assert queue.shown() == [("a", "1", None), ("a", None, "4")]


def test_what_came_and_went_between_is_not_told() -> None:
    queue = Queue().seen(A)
    queue.tell(A, "1", None)
    queue.tell(A, None, "3")
    queue.tell(A, "3", None)
    queue.tell(A, None, "5")
    assert queue.shown() == [("a", "1", None), ("a", None, "5")]


def test_a_short_life_is_told_by_its_end() -> None:
    queue = Queue().seen()
    queue.tell(A, None, "1")
    queue.tell(A, "1", None)
    assert queue.shown() == [("a", "1", None)]


def test_short_lives_do_not_pile_up() -> None:
    queue = Queue().seen(A)
    queue.tell(A, "1", None)
    for number in range(100):
        key = ("ns", f"short-{number}")
        queue.tell(key, None, "1")
        queue.tell(key, "1", None)
    told = queue.shown()
    assert told[0] == ("a", "1", None), "what was seen is told to be gone"
    assert len(told) <= 2 * 10 + 1


def test_blocking_keeps_every_change() -> None:
    queue = Queue(overflow="block").replay(A)
    queue.tell(A, "1", "2")
    queue.tell(A, "2", None)
    queue.tell(A, None, "3")
    assert queue.shown() == [("a", None, "1"), ("a", "1", "2"), ("a", "2", None), ("a", None, "3")]
    assert queue.pending.dropped == 0


def test_too_much_is_a_resync_by_another() -> None:
    queue = Queue(2, "resync").seen()
    for key in (A, B):
        assert queue.tell(key, None, "1")
    assert queue.pending.state is State.CHANGES
    queue.tell(C, None, "1")
    assert queue.pending.state is State.OVERFLOWED and queue.pending and queue.take() is None
    assert queue.tell(A, "1", "2") and queue.take() is None
    assert queue.pending.dropped == 3
    queue.pending = queue.pending.successor()
    queue.replay(B)
    assert repr(queue.pending) == "<Pending a resync is due, 2 pending, 3 dropped>"
    assert queue.take() == Step(None, None, None)
    assert queue.shown() == [("b", None, "1")]


def test_who_is_told_of_too_much_before_the_replay_is_shown_nothing_without_a_resync() -> None:
    queue = Queue(2, "resync")
    queue.pending = queue.pending.successor()
    for key in (A, B, C):
        queue.tell(key, "1", "2")
    queue.replay(A, B, C)
    assert queue.pending.state is State.OVERFLOWED and queue.take() is None


def test_nothing_comes_before_a_resync_that_may_be_put_back() -> None:
    queue = Queue(2, "resync")
    queue.pending = queue.pending.successor()
    queue.replay(A)
    taken: list[Any] = []

    def interrupted() -> None:
        with queue.lock:
            taken.append(queue.pending.take_locked())
            queue.pending.settle_locked()

    with running(interrupted):
        pass
    assert taken[0].step.key is None and queue.pending.state is State.RESYNC
    with queue.lock:
        queue.pending.take_locked()
        assert queue.pending.take_locked() is None
        queue.pending.settle_locked()
    assert queue.take() == Step(None, None, None)
    assert queue.shown() == [("a", None, "1")]


def test_what_another_thread_works_on_is_passed_over() -> None:
    queue = Queue().replay(A, B)
    queue.tell(C, None, "1")
    thread, go_on = queue.processed_by_another_thread(A, B)
    queue.tell(A, "1", "2")
    queue.tell(B, "1", "2")
    assert queue.shown() == [("c", None, "1")] and queue.pending
    go_on.set()
    thread.join()
    assert queue.shown() == [("a", "1", "2"), ("b", "1", "2")]


@pytest.mark.parametrize("overflow", ["coalesce", "block"])
@pytest.mark.parametrize(("first", "later", "coalesced"), [
    ([("1", "2")], [], [("1", "2")]),
    ([("1", "2")], [("2", "3")], [("1", "3")]),
    ([("1", "2")], [("2", None)], [("2", None)]),
    ([("1", "2")], [("2", None), (None, "3")], [("2", None), (None, "3")]),
    ([("1", None)], [], [("1", None)]),
    ([("1", None)], [(None, "3")], [("1", None), (None, "3")]),
    ([("1", None)], [(None, "3"), ("3", None)], [("1", None)]),
    ([("1", None), (None, "3")], [("3", "4")], [("1", None), (None, "4")]),
])
def test_what_was_not_returned_is_put_back(overflow: str, first: Any, later: Any,
                                           coalesced: Any) -> None:
    queue = Queue(overflow=overflow).seen(A)
    for change in first:
        queue.tell(A, *change)
    with queue.lock:
        assert queue.pending.take_locked() is not None
    for change in later:
        queue.tell(A, *change)
    expected = [*first, *later] if overflow == "block" else coalesced
    assert queue.shown() == [("a", *change) for change in expected]
    assert len(queue.pending) == 0 and not queue.processing.get(B)


def test_of_the_replay_too_what_was_not_returned_is_put_back() -> None:
    queue = Queue().replay(A, B)
    with queue.lock:
        assert queue.pending.take_locked() is not None
    assert queue.shown() == [("b", None, "1"), ("a", None, "1")]


@pytest.mark.parametrize("overflow", ["coalesce", "block", "resync"])
def test_a_change_that_is_told_again_is_ignored(overflow: str) -> None:
    queue = Queue(overflow=overflow).seen(A)
    deltas = [Delta(1, 7, A, at(A, "1"), at(A, "2")), Delta(1, 9, B, None, at(B, "3")),
              Delta(2, 8, C, None, at(C, "4"))]
    for delta in deltas:
        for _ in range(3):
            assert queue.pending.changed(delta)
    assert queue.pending.changed(deltas[0]), "that of another writer does not matter"
    assert queue.shown() == [("a", "1", "2"), ("b", None, "3"), ("c", None, "4")]
    assert queue.pending.changed(deltas[1]) and queue.shown() == []


def test_one_that_is_closed_wants_nothing() -> None:
    queue = Queue(overflow="block").replay(A)
    with queue.lock:
        queue.pending.close_locked()
    assert queue.pending.is_over() and not queue.tell(B, None, "1")
    assert len(queue.pending) == 0 and queue.take() is None


def test_one_that_is_forgotten_wants_nothing() -> None:
    owner = Owner()
    queue = Queue(overflow="block", owner=owner).replay(A)
    assert queue.tell(B, None, "1")
    del owner
    assert queue.pending.is_over() and not queue.tell(C, None, "1")
    assert len(queue.pending) == 0


def test_one_whose_writer_ended_shows_what_is_pending() -> None:
    queue = Queue().replay(A)
    queue.pending.ended()
    assert queue.pending.is_over() and not queue.tell(B, None, "1")
    assert "the writer has ended" in repr(queue.pending)
    assert queue.shown() == [("a", None, "1")]


def test_one_that_lasts_goes_on_with_the_next_writer() -> None:
    queue = Queue(lasting=True).replay(A)
    queue.pending.ended()
    assert not queue.pending.is_over() and queue.tell(B, None, "1")
    assert queue.shown() == [("a", None, "1"), ("b", None, "1")]


@pytest.mark.parametrize("end", ["take", "close", "unblock", "end", "forget"])
def test_a_writer_that_waits_is_let_go(end: str) -> None:
    owners = [Owner()]
    queue = Queue(1, "block", owner=owners[0]).replay()
    queue.tell(A, None, "1")
    told: list[bool] = []
    with running(lambda: told.append(queue.tell(B, None, "1"))):
        wait_until(lambda: queue.pending._room._waiting, "the writer waits")
        assert told == []
        match end:
            case "take":
                assert queue.take() is not None
            case "close":
                with queue.lock:
                    queue.pending.close_locked()
            case "unblock":
                queue.pending.unblock()
            case "end":
                queue.pending.ended()
            case "forget":
                owners.clear()
    assert told == [end in ("take", "unblock")]
    if end == "unblock":
        assert queue.tell(C, None, "1")
        queue.pending.unblock(False)
        assert len(queue.pending) == 3


def test_a_child_process_begins_with_a_resync() -> None:
    queue = Queue().seen(A)
    queue.tell(A, "1", "2")
    queue.pending.after_fork(Waiters(), {})
    assert queue.pending.state is State.OVERFLOWED and queue.pending.dropped == 1


@given(st.lists(st.tuples(st.sampled_from([A, B, C]), st.sampled_from("adtpr")), max_size=60),
       st.sampled_from(["coalesce", "block"]), st.integers(1, 100))
def test_the_steps_of_an_object_join(history: list[tuple[Key, str]], overflow: str,
                                     size: int) -> None:
    """Whatever is put, taken and put back: who follows the steps is where the table is."""
    queue = Queue(max(size, 61) if overflow == "block" else size, overflow)
    table: dict[Key, Entry] = {A: at(A, "0", "first")}
    queue.pending.begin(dict(table))
    followed: dict[Key, Entry] = {}

    def follow() -> bool:
        step = queue.take()
        if step is None:
            return False
        assert step.key is not None
        if step.new is None:
            followed.pop(step.key, None)
        else:
            assert step.old is followed.get(step.key)
            followed[step.key] = step.new
        return True

    for number, (key, what) in enumerate(history, 1):
        old = table.get(key)
        if what == "t":
            follow()
        elif what == "p":
            # Taken and, at the next take, put back.
            with queue.lock:
                queue.pending.settle_locked()
                queue.pending.take_locked()
        elif what == "a":
            uid = f"uid-{number}" if old is None else old.uid
            table[key] = at(key, str(number), str(uid))
            queue.tell_of(key, old, table[key])
        elif what == "d" and old is not None:
            del table[key]
            queue.tell_of(key, old, None)
        assert queue.pending._count == sum(map(len, queue.pending._steps.values()))
    while follow():
        pass
    assert followed == table and len(queue.pending) == 0
