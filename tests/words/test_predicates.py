"""kube_reflect.predicates, and the streams made with them"""

from __future__ import annotations

from typing import Any

import pytest

from kube_reflect import (
    Apply, Bookmark, Delete, Init, InitApply, InitDone, InitialListFailed, WatchFailed, predicates,
)
from kube_reflect.predicates import combine, fallback
from kube_reflect.streams import applied_objects, predicate_filter

ERROR = WatchFailed("cut")


def thing(name: str = "a", uid: str = "u", **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "ns", "uid": uid, **metadata}, "spec": {}}


@pytest.mark.parametrize(("predicate", "field", "one", "two"), [
    (predicates.generation, "generation", 1, 2),
    (predicates.resource_version, "resourceVersion", "1", "2"),
    (predicates.labels, "labels", {"app": "web"}, {"app": "db"}),
    (predicates.labels, "labels", {"app": "web"}, {"app": "web", "tier": "1"}),
    (predicates.annotations, "annotations", {"a": "1"}, {"a": "2"}),
    (predicates.finalizers, "finalizers", ["x"], ["x", "y"]),
])
def test_a_predicate_tells_by_its_field(predicate: Any, field: str, one: Any, two: Any) -> None:
    assert predicate(thing(**{field: one})) == predicate(thing(**{field: one}, other=1))
    assert predicate(thing(**{field: one})) != predicate(thing(**{field: two}))
    assert predicate(thing(**{field: one})) != predicate(thing())
    assert isinstance(predicate(thing(**{field: one})), int)


def test_the_order_of_labels_does_not_count() -> None:
    one, two = {"a": "1", "b": "2"}, {"b": "2", "a": "1"}
    assert predicates.labels(thing(labels=one)) == predicates.labels(thing(labels=two))


@pytest.mark.parametrize("obj", [thing(), {"metadata": None}, {}])
def test_what_is_not_there(obj: Any) -> None:
    assert predicates.generation(obj) is None and predicates.resource_version(obj) is None
    for predicate in (predicates.labels, predicates.annotations, predicates.finalizers):
        assert predicate(obj) == predicate(thing(labels={}, annotations=None, finalizers=[]))
        assert predicate(obj) is not None


def test_combine_tells_by_all() -> None:
    both = combine(predicates.generation, predicates.labels)
    assert both(thing(generation=1)) != both(thing(generation=2))
    assert both(thing(labels={"a": "1"})) != both(thing(labels={"a": "2"}))
    assert both(thing(generation=1)) == both(thing(generation=1, resourceVersion="9"))
    neither = combine(predicates.generation, predicates.resource_version)
    assert neither(thing()) is None
    assert neither(thing(generation=1)) != neither(thing(resourceVersion="1"))


def test_fallback_tells_by_the_first_that_there_is() -> None:
    either = fallback(predicates.generation, predicates.resource_version)
    assert either(thing(generation=1, resourceVersion="1")) == either(
        thing(generation=1, resourceVersion="2"))
    assert either(thing(resourceVersion="1")) != either(thing(resourceVersion="2"))
    assert either(thing()) is None


@pytest.mark.parametrize("join", [combine, fallback])
def test_what_is_no_predicate_is_refused(join: Any) -> None:
    for arguments in ((), (predicates.labels, "labels"), (None,)):
        with pytest.raises(TypeError, match="predicate"):
            join(*arguments)


def passed(*stream: Any, predicate: Any = predicates.generation, **more: Any) -> list[Any]:
    return list(predicate_filter(stream, predicate, **more))


def test_an_object_passes_when_the_value_changes() -> None:
    first, same, other = Apply(thing(generation=1)), Apply(thing(generation=1, x=1)), Apply(
        thing(generation=2))
    assert passed(first, same, other, same) == [first, other, same]


def test_objects_do_not_mix() -> None:
    stream = [Apply(thing("a", generation=1)), Apply(thing("b", generation=1))]
    assert passed(*stream, *stream) == stream


def test_a_new_object_under_an_old_name_passes() -> None:
    stream = [Apply(thing(uid="one", generation=1)), Apply(thing(uid="two", generation=1))]
    assert passed(*stream, stream[1]) == stream


def test_an_object_without_a_value_passes() -> None:
    assert len(passed(*[Apply(thing())] * 3)) == 3
    assert len(passed(*[Apply({"kind": "Odd"})] * 3)) == 3


def test_everything_else_passes() -> None:
    rest = [Init(), InitDone("1"), Bookmark("2"), ERROR, InitialListFailed("x")]
    assert passed(*rest, *rest) == rest * 2


def test_deletions_pass_and_are_remembered_as_such() -> None:
    made, gone = Apply(thing(generation=1)), Delete(thing(generation=1))
    assert passed(made, gone, gone, made, made) == [made, gone, gone, made]


def test_a_relist_shows_what_is_new() -> None:
    a, b, changed = (InitApply(thing("a", generation=1)), InitApply(thing("b", generation=1)),
                     InitApply(thing("a", generation=2)))
    assert passed(Init(), a, b, InitDone("1"), Init(), changed, b, InitDone("2")) == [
        Init(), a, b, InitDone("1"), Init(), changed, InitDone("2")]


def test_what_a_new_list_does_not_have_is_forgotten() -> None:
    a, b = thing("a", generation=1), thing("b", generation=1)
    stream = predicate_filter([
        Init(), InitApply(a), InitApply(b), InitDone("1"),
        # A list that broke off says nothing.
        Init(), InitApply(a), ERROR,
        Init(), InitApply(b), InitDone("2"), Apply(a), Apply(b)], predicates.generation)
    assert list(applied_objects(stream)) == [a, b, ERROR, a]


def test_what_was_deleted_in_a_streaming_list_is_forgotten() -> None:
    a = thing("a", generation=1)
    stream = [Init(), InitApply(a), Delete(a), InitDone("1"), Apply(a)]
    assert passed(*stream) == stream


def test_streams_of_objects_are_filtered_too() -> None:
    one, two = thing(generation=1), thing(generation=2)
    assert list(predicate_filter(
        applied_objects([Apply(one), ERROR, Apply(one), Apply(two)]), predicates.generation,
    )) == [one, ERROR, two]


def test_what_was_not_seen_for_long_is_forgotten() -> None:
    now = [0.0]
    items = iter([(0.0, "a"), (0.0, "b"), (50.0, "a"), (99.0, "b"), (149.0, "a"), (199.0, "b"),
                  (298.9, "b"), (400.0, "a")])

    def stream() -> Any:
        for now[0], name in items:
            yield Apply(thing(name, generation=1))

    times = [(now[0], item.object["metadata"]["name"]) for item in predicate_filter(
        stream(), predicates.generation, 100, timer=lambda: now[0])]
    assert times == [(0.0, "a"), (0.0, "b"), (199.0, "b"), (400.0, "a")]


@pytest.mark.parametrize(("predicate", "ttl", "error"), [
    ("labels", 1, TypeError), (None, 1, TypeError), (predicates.labels, 0, ValueError),
    (predicates.labels, -1, ValueError), (predicates.labels, float("nan"), ValueError),
    (predicates.labels, "1", TypeError),
])
def test_mistakes_are_said_at_once(predicate: Any, ttl: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        predicate_filter([], predicate, ttl)


def test_the_values_of_ones_own_predicate_are_compared() -> None:
    stream = [Apply(thing(spec_hash=value)) for value in ("x", "x", "y")]
    assert passed(*stream, predicate=lambda obj: obj["metadata"]["spec_hash"]) == [
        stream[0], stream[2]]
