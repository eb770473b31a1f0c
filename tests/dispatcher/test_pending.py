"""kube_reflect.dispatcher.pending"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube_reflect.store.entries import Key, head_of, pack
from kube_reflect.dispatcher.pending import Pending, Step

from tests.support.cache_helpers import pod

A, B, C = ("ns", "a"), ("ns", "b"), ("ns", "c")


def at(key: Key, version: str, uid: str = "u") -> bytes:
    return pack(pod(key[1], version=version, uid=uid), ())


def nobody(key: Key) -> bool:
    return False


def take(pending: Pending, busy: Any = nobody) -> Step | None:
    with pending.condition:
        return pending.take(busy)


def shown(pending: Pending, busy: Any = nobody) -> list[tuple[str, str | None, str | None]]:
    """Take all, as (name, old version, new version)."""
    steps = []
    while (step := take(pending, busy)) is not None:
        assert step.key is not None
        steps.append((step.key[1], version(step.old), version(step.new)))
    return steps


def version(packed: bytes | None) -> str | None:
    return None if packed is None else head_of(packed).resource_version


def seen(size: int = 10, overflow: str = "coalesce", *keys: Key) -> Pending:
    """Make one that has shown its replay: these, at version 1."""
    pending = Pending(size, overflow)
    pending.replay = {key: at(key, "1") for key in keys}
    assert len(shown(pending)) == len(keys)
    return pending


def test_nothing_is_pending_at_first() -> None:
    pending = Pending(10, "coalesce")
    assert not pending and take(pending) is None


def test_the_replay_comes_first_and_in_order() -> None:
    pending = Pending(10, "coalesce")
    pending.replay = {A: at(A, "1"), B: at(B, "1")}
    pending.changed(C, None, at(C, "2"), False)
    assert A in pending and C in pending
    assert shown(pending) == [("a", None, "1"), ("b", None, "1"), ("c", None, "2")]
    assert not pending and A not in pending


def test_what_changes_before_it_was_replayed_is_shown_once() -> None:
    pending = Pending(10, "coalesce")
    pending.replay = {A: at(A, "1"), B: at(B, "1")}
    pending.changed(A, at(A, "1"), at(A, "2"), False)
    pending.changed(B, at(B, "1"), None, False)
    assert shown(pending) == [("a", None, "2"), ("b", "1", None)]


def test_changes_of_an_object_become_one() -> None:
    pending = seen(10, "coalesce", A)
    for old, new in (("1", "2"), ("2", "3"), ("3", "4")):
        pending.changed(A, at(A, old), at(A, new), False)
    assert shown(pending) == [("a", "1", "4")]


def test_a_deletion_has_the_last_state() -> None:
    pending = seen(10, "coalesce", A)
    pending.changed(A, at(A, "1"), at(A, "2"), False)
    pending.changed(A, at(A, "2"), None, False)
    assert shown(pending) == [("a", "2", None)]


def test_deleted_and_made_anew_is_two_steps() -> None:
    pending = seen(10, "coalesce", A)
    pending.changed(A, at(A, "1"), None, False)
    pending.changed(A, None, at(A, "3", "other"), False)
    pending.changed(A, at(A, "3", "other"), at(A, "4", "other"), False)
    assert shown(pending) == [("a", "1", None), ("a", None, "4")]


def test_what_came_and_went_between_is_not_told() -> None:
    pending = seen(10, "coalesce", A)
    pending.changed(A, at(A, "1"), None, False)
    pending.changed(A, None, at(A, "3", "other"), False)
    pending.changed(A, at(A, "3", "other"), None, False)
    pending.changed(A, None, at(A, "5", "third"), False)
    assert shown(pending) == [("a", "1", None), ("a", None, "5")]


def test_a_short_life_is_told_by_its_end() -> None:
    pending = seen(10, "coalesce")
    pending.changed(A, None, at(A, "1"), False)
    pending.changed(A, at(A, "1"), None, False)
    assert shown(pending) == [("a", "1", None)]


def test_short_lives_do_not_pile_up() -> None:
    pending = seen(10, "coalesce", A)
    pending.changed(A, at(A, "1"), None, False)
    for number in range(100):
        key = ("ns", f"short-{number}")
        pending.changed(key, None, at(key, "1"), False)
        pending.changed(key, at(key, "1"), None, False)
    told = shown(pending)
    assert told[0] == ("a", "1", None), "what was seen is told to be gone"
    assert len(told) <= 2 * 10 + 1


def test_blocking_keeps_every_change() -> None:
    pending = Pending(10, "block")
    pending.replay = {A: at(A, "1")}
    pending.changed(A, at(A, "1"), at(A, "2"), False)
    pending.changed(A, at(A, "2"), None, False)
    pending.changed(A, None, at(A, "3"), False)
    assert shown(pending) == [("a", None, "1"), ("a", "1", "2"), ("a", "2", None), ("a", None, "3")]


def test_too_much_is_a_resync() -> None:
    pending = seen(2, "resync")
    for key in (A, B):
        assert pending.changed(key, None, at(key, "1"), False)
    assert not pending.spent
    pending.changed(C, None, at(C, "1"), False)
    assert take(pending) == Step(None, None, None)
    # Another one takes its place.
    assert pending.spent and take(pending) is None
    assert pending.changed(A, at(A, "1"), at(A, "2"), False)
    assert take(pending) is None


def test_what_is_in_hand_is_passed_over() -> None:
    pending = Pending(10, "coalesce")
    pending.replay = {A: at(A, "1"), B: at(B, "1")}
    pending.changed(C, None, at(C, "1"), False)
    assert shown(pending, lambda key: key in (A, C)) == [("b", None, "1")]
    assert pending and shown(pending) == [("a", None, "1"), ("c", None, "1")]


@pytest.mark.parametrize("end", [Pending.close, Pending.abandon])
def test_one_that_is_closed_wants_nothing(end: Any) -> None:
    pending = Pending(10, "block")
    pending.replay = {A: at(A, "1")}
    end(pending)
    assert pending.is_over() and not pending.changed(B, None, at(B, "1"), False)
    assert not pending.replay and take(pending) is None


def test_one_whose_writer_ended_shows_what_is_pending() -> None:
    pending = Pending(10, "coalesce")
    pending.replay = {A: at(A, "1")}
    pending.ended()
    assert pending.is_over() and not pending.changed(B, None, at(B, "1"), False)
    assert shown(pending) == [("a", None, "1")]


def test_a_child_process_begins_with_a_resync() -> None:
    pending = seen(10, "coalesce", A)
    pending.condition.acquire()
    pending.after_fork()
    assert pending.condition.acquire(blocking=False)
    assert take(pending) == Step(None, None, None)


@given(st.lists(st.tuples(st.sampled_from([A, B, C]), st.sampled_from("adt")), max_size=60),
       st.sampled_from(["coalesce", "block"]), st.integers(1, 100))
def test_the_steps_of_an_object_join(history: list[tuple[Key, str]], overflow: str,
                                     size: int) -> None:
    """Whatever is put and taken: who follows the steps is where the table is in the end."""
    pending = Pending(max(size, 61) if overflow == "block" else size, overflow)
    table: dict[Key, bytes] = {A: at(A, "0", "first")}
    pending.replay = dict(table)
    followed: dict[Key, bytes] = {}

    def follow() -> bool:
        step = take(pending)
        if step is None:
            return False
        assert step.key is not None
        if step.new is None:
            followed.pop(step.key, None)
        else:
            assert step.old == followed.get(step.key)
            followed[step.key] = step.new
        return True

    for number, (key, what) in enumerate(history, 1):
        old = table.get(key)
        if what == "t":
            follow()
        elif what == "a":
            uid = f"uid-{number}" if old is None else head_of(old).uid
            table[key] = at(key, str(number), str(uid))
            pending.changed(key, old, table[key], False)
        elif old is not None:
            del table[key]
            pending.changed(key, old, None, False)
    while follow():
        pass
    assert followed == table
