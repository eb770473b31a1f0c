"""Decoder.holds: a function fails of one object, and the others are answered."""

from __future__ import annotations

from typing import Any

import pytest

from kube_reflect import Apply, ConditionFailed

from tests.support.cache_helpers import feed, listed
from tests.support.objects import pod


class Made:
    """What a model makes; it refuses those that are called bad."""

    def __init__(self, mapping: dict[str, Any]) -> None:
        if mapping["spec"].get("bad"):
            raise ValueError("bad")
        self.name = mapping["metadata"]["name"]


class TimeLimit(Exception):
    """What a signal's handler raises."""


def test_what_the_model_refused_spoils_no_question(caplog: pytest.LogCaptureFixture) -> None:
    _, store = listed(pod("a"), pod("b", bad=True), pod("c"), model=Made)
    for read in (store, store.snapshot()):
        assert [one.name for one in read.state(where=lambda one: one.name != "a")] == ["c"]
        assert read.find(lambda one: one.name == "c").name == "c"
        assert read.find(lambda one: one.name == "d") is None
    said = [record.getMessage() for record in caplog.records if "a function failed" in record.msg
            % record.args]
    assert len(said) == 1 and "AttributeError" in said[0] and "b.ns" in said[0]
    assert store._cache.poisoned > 1


def test_who_waits_waits_until_it_is_read_as_it_should_be() -> None:
    writer, store = listed(pod("a", bad=True), model=Made)
    with pytest.raises(TimeoutError):
        store.wait_for("a", lambda one: one.name == "a", 0, namespace="ns")
    feed(writer, Apply(pod("a", version="2")))
    found = store.wait_for("a", lambda one: one is not None and one.name == "a", 1,
                           namespace="ns")
    assert isinstance(found, Made)


def test_a_function_that_knows_mappings_is_asked() -> None:
    _, store = listed(pod("a"), pod("b", bad=True), model=Made)
    assert len(store.state(where=lambda one: isinstance(one, dict))) == 1


def test_what_a_function_raises_of_sound_objects_comes_out() -> None:
    _, store = listed(pod("a"), pod("b", bad=True), model=Made)
    store.state()
    with pytest.raises(ZeroDivisionError):
        store.state(where=lambda one: isinstance(one, Made) and 1 / 0)
    _, mappings = listed(pod("a"))
    with pytest.raises(AttributeError):
        mappings.state(where=lambda one: one.name)


@pytest.mark.parametrize("error", [TimeLimit("now"), ConditionFailed("never")])
def test_what_comes_once_or_speaks_for_itself_comes_out(error: Exception) -> None:
    _, store = listed(pod("b", bad=True), model=Made)
    errors = [error]

    def ask(one: Any) -> bool:
        if errors and not isinstance(one, Made):
            raise errors.pop()
        return True

    with pytest.raises(type(error)):
        store.state(where=ask)
    assert len(store.state(where=ask)) == 1
