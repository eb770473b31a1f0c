"""All that the public names hand out as values can be copied, pickled, and taken apart."""

from __future__ import annotations

import copy
import dataclasses
import enum
import inspect
import pickle
from typing import Any

import pytest

import kube_reflect
from kube_reflect import (
    ApiResource, Applied, Apply, Bookmark, Config, Delete, Deleted, Init, InitApply,
    InitDone, InitialListStrategy, ListSemantic, Memory, NamespaceStatus, NotReady, ObjectRef,
    Phase, Reason, Resync, Shard, StaleCache, Status, WarmStart, conditions, errors, indexers,
    predicates, selector, transforms)
from kube_reflect.conditions import Condition
from tests.support.cache_helpers import listed
from tests.support.objects import pod

POD = pod("a", labels={"app": "web"})
PODS = ApiResource("", "v1", "Pod", "pods", True)
REF = ObjectRef("a", "ns", resource=PODS, resource_version="5", uid="u")
FAILURE = errors.WatchStartFailed("no: HTTP 403", code=403, status={"code": 403}, retry_after=1.5)
ONE = NamespaceStatus(Phase.WATCHING, 1.0, True, True, 0.5, FAILURE, 403)
STATUS = Status(Phase.WATCHING, 1.0, True, True, 2.0, 0.5, FAILURE, 403, "5", 0, 1, 2, 3, 0, True,
                {"ns": ONE}, 100, {"WatchStartFailed:403": 1}, {"Apply": 2}, {}, None)

# What there is to hand out, by the name of its class.
VALUES: dict[str, list[Any]] = {
    "ApiResource": [PODS, ApiResource("apps", "v1", "Deployment")],
    "Applied": [Applied(POD), Applied(POD, pod("a", version="0"))],
    "Apply": [Apply(POD)],
    "Bookmark": [Bookmark("5")],
    "Config": [Config(), Config(label_selector="a in (b,,)", page_size=None, gzip=True),
               Config(shard=Shard(1, 3))],
    "Delete": [Delete(POD)],
    "Deleted": [Deleted(POD)],
    "Init": [Init()],
    "InitApply": [InitApply(POD)],
    "InitDone": [InitDone(), InitDone("5")],
    "InitialListStrategy": list(InitialListStrategy),
    "ListSemantic": list(ListSemantic),
    "Memory": [Memory(1, 2, 3)],
    "NamespaceStatus": [ONE],
    "ObjectRef": [REF, ObjectRef("a"), REF.erased()],
    "Phase": list(Phase),
    "Reason": list(Reason),
    "Resync": [Resync(((REF, POD),)) if "objects" in inspect.signature(Resync).parameters
               else Resync()],
    "Shard": [Shard(0, 1), Shard(2, 5, by="namespace")],
    "Status": [STATUS],
    "WarmStart": [WarmStart("pods.warm"), WarmStart("pods.warm", secrets=True, every=5.0)],
}
ERRORS: dict[str, Exception] = {
    "ConditionFailed": errors.ConditionFailed("a", ref=REF, reason="b"),
    "FieldError": errors.FieldError("a", field="spec.b"),
    "KubeReflectError": errors.KubeReflectError("a"),
    "NotReady": NotReady("a"),
    "StaleCache": StaleCache("a", staleness=4.0),
    "WriterDropped": errors.WriterDropped("a"),
    **{name: getattr(errors, name)("a", code=403, status={"code": 403}, retry_after=1.5)
       for name in ("InitialListFailed", "NoResourceVersion", "WatchError", "WatchFailed",
                    "WatchStartFailed", "WatcherError")},
}
# What is a thing with threads, locks or a place in one process, and no value.
THINGS = {"Backoff", "Reflector", "Shared", "Snapshot", "Store", "Subscription", "Watcher",
          "Writer"}
# Unions for type checkers; a string; functions.
OTHERS = {"Change", "Event", "__version__"} | {
    name for name in kube_reflect.__all__ if inspect.isfunction(getattr(kube_reflect, name))}


def again(value: Any) -> list[Any]:
    """Copy a value in every way there is."""
    return [copy.copy(value), copy.deepcopy(value),
            *(pickle.loads(pickle.dumps(value, protocol))
              for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1))]


def known(value: Any) -> Any:
    """Return what a value knows, comparable also where errors are part of it."""
    if isinstance(value, BaseException):
        return type(value), str(value), vars(value)
    if isinstance(value, dict):
        return {key: known(one) for key, one in value.items()}
    if isinstance(value, (Status, NamespaceStatus)):
        return {one.name: known(getattr(value, one.name)) for one in dataclasses.fields(value)}
    return value


def test_each_public_name_is_told_apart() -> None:
    kinds = [VALUES.keys(), ERRORS.keys(), THINGS, OTHERS]
    assert set(kube_reflect.__all__) | {"ConditionFailed"} <= set().union(*kinds)
    assert sum(map(len, kinds)) == len(set().union(*kinds))


@pytest.mark.parametrize("value", [value for values in VALUES.values() for value in values],
                         ids=lambda value: type(value).__name__)
def test_values(value: Any) -> None:
    for copied in again(value):
        assert type(copied) is type(value)
        assert known(copied) == known(value)
        assert not isinstance(value, enum.Enum) or copied is value


@pytest.mark.parametrize("value", [value for values in VALUES.values() for value in values
                                   if dataclasses.is_dataclass(value)],
                         ids=lambda value: type(value).__name__)
def test_dataclasses_as_dicts(value: Any) -> None:
    taken = dataclasses.asdict(value)
    names = [one.name for one in dataclasses.fields(value)]
    assert list(taken) == names
    assert all(known(taken[name]) == known(getattr(value, name)) for name in names
               if not dataclasses.is_dataclass(getattr(value, name)) and name != "namespaces")


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    error = ERRORS[name]
    for copied in again(error):
        assert known(copied) == known(error) and copied.args == error.args


def test_the_cause_of_an_error_stays_behind() -> None:
    error = NotReady("a")
    error.__cause__ = ValueError("b")
    assert pickle.loads(pickle.dumps(error)).__cause__ is None


def red(obj: Any) -> bool:
    return bool(obj and obj["color"] == "red")


CONDITIONS = [getattr(conditions, name) for name in conditions.__all__
              if isinstance(getattr(conditions, name), Condition)]


@pytest.mark.parametrize("condition", CONDITIONS, ids=str)
def test_a_ready_made_condition_stays_the_same(condition: Condition) -> None:
    assert all(copied is condition for copied in again(condition))


@pytest.mark.parametrize("condition", [
    conditions.is_deleted("u"), Condition(red), ~conditions.is_created,
    (conditions.is_created & red) | ~conditions.is_pod_running], ids=str)
def test_conditions(condition: Condition) -> None:
    for copied in again(condition):
        assert str(copied) == str(condition) and type(copied) is type(condition)
        assert [copied(obj) for obj in (None, {"color": "red"}, {"color": "blue"})] == [
            condition(obj) for obj in (None, {"color": "red"}, {"color": "blue"})]


@pytest.mark.parametrize("condition", [Condition(lambda obj: True, "mine"),
                                       conditions.is_created & (lambda obj: True)], ids=str)
def test_a_condition_of_a_lambda_says_why_it_is_not_pickled(condition: Condition) -> None:
    assert copy.deepcopy(condition) is copy.copy(condition) is condition
    with pytest.raises(TypeError, match="cannot be pickled: its function must be one that a"):
        pickle.dumps(condition)


@pytest.mark.parametrize("value", [
    selector.parse("a in (b,c),!d"), selector.parse_field_selector("a!=b"),
    selector.parse("a").requirements[0]], ids=str)
def test_selectors(value: Any) -> None:
    assert all(copied == value for copied in again(value))
    assert dataclasses.asdict(value)


@pytest.mark.parametrize(("function", "given"), [
    (indexers.by_label("app"), POD), (indexers.by_namespace, POD), (predicates.labels, POD),
    (predicates.combine(predicates.generation, predicates.labels), POD),
    (predicates.fallback(predicates.generation, predicates.labels), POD),
    (transforms.keep("spec.nodeName"), POD)], ids=["by_label", "by_namespace", "labels",
                                                   "combine", "fallback", "keep"])
def test_ready_made_functions(function: Any, given: Any) -> None:
    assert all(copied(given) == function(given) for copied in again(function))


def things() -> dict[str, Any]:
    writer, store = listed(POD)
    return {"Writer": writer, "Store": store, "Snapshot": store.snapshot(),
            "Subscription": writer.subscribe()}


@pytest.mark.parametrize(("name", "says"), [
    ("Store", "a Store cannot be"), ("Snapshot", "a Snapshot cannot be"),
    ("Writer", "Writer|cannot pickle"), ("Subscription", "Subscription|cannot pickle")])
def test_things_are_none(name: str, says: str) -> None:
    thing = things()[name]
    for copying in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match=says):
            copying(thing)
