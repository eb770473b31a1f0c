"""User code that fails, and user code that is interrupted: whose fault it is, and what is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kube_reflect import Apply, Delete, FieldError, Init, InitApply, InitDone, Writer

from tests.support.cache_helpers import feed, listed, names, relist
from tests.support.objects import pod


class SoftTimeLimitExceeded(Exception):
    """What a worker raises by a signal handler, wherever the program is."""


class Interrupted:
    """A function of the user that is interrupted when it is called for the n-th time."""

    def __init__(self, at: int, function: Callable[[Any], Any] = lambda obj: obj) -> None:
        self._left = at
        self._function = function

    def __call__(self, obj: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            raise SoftTimeLimitExceeded
        return self._function(obj)


def test_a_model_that_is_interrupted_spoils_nothing() -> None:
    class Model(dict[str, Any]):
        pass

    _, store = listed(pod("a"), model=Interrupted(1, Model))
    with pytest.raises(SoftTimeLimitExceeded):
        store.get("a", "ns")
    assert type(store.get("a", "ns")) is Model and store._cache.bad_objects.count == 0
    assert store.get("a", "ns") is store.state()[0]


@pytest.mark.parametrize("event", [Apply(pod("b")), Delete(pod("a")), Init()],
                         ids=["Apply", "Delete", "a list"])
@pytest.mark.parametrize("what", ["transform", "index"])
def test_user_code_on_the_way_in_that_is_interrupted_spoils_nothing(what: str, event: Any) -> None:
    function = Interrupted(2, lambda obj: ["x"] if what == "index" else obj)
    writer, store = listed(pod("a"), **(
        {"indexers": {"i": function}} if what == "index" else {"transform": function}))
    events = [event] if not isinstance(event, Init) else [
        Init(), InitApply(pod("a", version="2")), InitApply(pod("b")), InitDone("200")]
    if isinstance(event, Delete):
        feed(writer, event)
        assert names(store) == []
        return
    with pytest.raises(SoftTimeLimitExceeded):
        feed(writer, *events)
    assert names(store) == ["a"] and writer._cache.bad_objects.count == 0
    feed(writer, *events)
    assert names(store) == ["a", "b"]
    if what == "index":
        assert names(store.by_index("i", "x")) == ["a", "b"]


def test_a_condition_or_filter_that_is_interrupted_says_so() -> None:
    _, store = listed(pod("a"))
    for read in (lambda one: store.state(where=one), lambda one: store.find(one),
                 lambda one: store.wait_for("a", one, 1, namespace="ns"),
                 lambda one: store.snapshot().state(where=one)):
        with pytest.raises(SoftTimeLimitExceeded):
            read(Interrupted(1))
        assert read(Interrupted(2))
    assert not store._cache.waiters._waiting and not store._cache.listeners


def test_what_one_got_for_a_refused_object_is_not_kept_for_others() -> None:
    def refuse(obj: dict[str, Any]) -> Any:
        raise ValueError("never")

    _, store = listed(pod("a"), model=refuse)
    one, other = store.get("a", "ns"), store.get("a", "ns")
    assert one == other == pod("a") and one is not other
    one["metadata"]["name"] = "mine"
    assert store.state() == [pod("a")]


def test_a_model_that_refuses_is_said_once_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(obj: dict[str, Any]) -> Any:
        raise ValueError(f"spec.size: not {obj['spec']['size']}\nfor further information …")

    writer, store = listed(pod("a", size=0), model=refuse)
    for number in range(1, 51):
        feed(writer, Apply(pod("a", version=str(number + 1), size=number)))
        for _ in range(3):
            assert store.get("a", "ns")["spec"]["size"] == number
    assert writer._cache.bad_objects.count == 50
    said = [record.getMessage() for record in caplog.records]
    # The first time, and at 10.
    assert len(said) == 2 and "10 times" in said[1]
    assert "Pod.v1./a.ns" in said[0] and "spec.size: not 1" in said[0]
    assert all("\n" not in one for one in said)


def test_an_index_function_that_fails_is_said_once_an_object(
        caplog: pytest.LogCaptureFixture) -> None:
    writer, store = listed(indexers={"size": lambda obj: [obj["spec"]["size"]]})
    for number in range(60):
        feed(writer, Apply(pod("ab"[number % 2], version=str(number + 1))))
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 3 and "'size'" in said[0] and "KeyError" in said[0]
    assert {one.split(":")[0] for one in said[:2]} == {"Pod.v1./a.ns", "Pod.v1./b.ns"}
    assert store.index_values("size") == [] and len(store) == 2


class Drivers:
    """A model that reads all but one field of some objects."""

    def __init__(self, obj: dict[str, Any]) -> None:
        self.name = obj["metadata"]["name"]
        self._drivers = obj["spec"].get("drivers")

    @property
    def drivers(self) -> list[str]:
        if self._drivers is None:
            raise FieldError(f"CSINode {self.name}: spec.drivers: should be a list, is null")
        return list(self._drivers)


def test_a_field_that_cannot_be_read_spoils_its_object_alone(
        caplog: pytest.LogCaptureFixture) -> None:
    writer, store = listed(pod("a", drivers=["x"]), pod("b"), pod("c", drivers=[]), model=Drivers)
    assert [one.name for one in store.state(where=lambda one: one.drivers)] == ["a"]
    found = store.find(lambda one: one.drivers == [])
    assert found is not None and found.name == "c"
    with pytest.raises(TimeoutError) as caught:
        store.wait_for("b", lambda one: one.drivers, 0.01, namespace="ns")
    assert "Pod.v1./b.ns" in str(caught.value)
    feed(writer, Apply(pod("b", version="2", drivers=["y"])))
    assert store.wait_for("b", lambda one: one.drivers, 1, namespace="ns").name == "b"
    assert "spec.drivers: should be a list, is null" in caplog.text
    assert writer._cache.bad_objects.count >= 2


def test_the_cause_goes_with_the_object() -> None:
    """After a relist what was refused is tried again, where it has changed."""
    def picky(obj: dict[str, Any]) -> Any:
        if obj["spec"].get("bad"):
            raise ValueError("bad")
        return obj

    writer = Writer(model=picky)
    relist(writer, pod("a", bad=True))
    store = writer.as_reader()
    assert names(store.state()) == ["a"] and writer._cache.bad_objects.count == 1
    relist(writer, pod("a"))
    assert store.get("a", "ns") is store.get("a", "ns")
    assert writer._cache.bad_objects.count == 1
