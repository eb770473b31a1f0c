"""kube_reflect.store.fingerprint"""

from __future__ import annotations

import datetime
import functools
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from kubernetes import client

from kube_reflect.store.fingerprint import differences, fingerprint

from tests.support.models import eager_maker


@dataclass
class Data:
    name: str = "a"
    parts: list[Any] = field(default_factory=lambda: [1])

    @functools.cached_property
    def computed(self) -> str:
        return self.name * 2


class Slotted:
    __slots__ = ("left", "right")

    def __init__(self) -> None:
        self.left = {"a": 1}


class Locked:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.values = {1, 2}


class Uncopyable:
    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("not to be copied")


class Named(dict[str, Any]):
    pass


def circular() -> list[Any]:
    found: list[Any] = [1, {}]
    found[1]["back"] = found
    return found


def deep() -> Any:
    found: Any = {"end": 1}
    for _ in range(5000):
        found = [found]
    return found


def model() -> client.V1Pod:
    return eager_maker(client.V1Pod)({"metadata": {"name": "a", "labels": {"app": "web"}}})


MAKERS: list[Callable[[], Any]] = [
    lambda: None, lambda: "text", lambda: {"a": [1, {"b": None}]}, Data, Slotted, Locked,
    Uncopyable, lambda: Named(a=1), lambda: OrderedDict(a=1), circular, deep, model,
    lambda: datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc), lambda: Data,
    lambda: print, lambda: object(), lambda: float("nan"), lambda: {1: {("a", 2): 3}},
    lambda: [Data(), Slotted()],
]


@pytest.mark.parametrize("make", MAKERS, ids=range(len(MAKERS)))
def test_what_nobody_changes_stays_the_same(make: Callable[[], Any]) -> None:
    value = make()
    assert fingerprint(value) == fingerprint(value)


def change(value: Any, what: Callable[[Any], object]) -> list[str]:
    before = fingerprint(value)
    what(value)
    return differences(before, fingerprint(value))


@pytest.mark.parametrize(("make", "what", "where"), [
    (lambda: {"a": {"b": 1}}, lambda v: v["a"].update(b=2), ["a.b"]),
    (lambda: {"a": {"b": 1}}, lambda v: v["a"].update(b=True), ["a.b"]),
    (lambda: {"a": {"b": 1}}, lambda v: v["a"].update(b=1.0), ["a.b"]),
    (lambda: {"a": {"b": 1}}, lambda v: v["a"].pop("b"), ["a.b"]),
    (lambda: {"a": {}}, lambda v: v.update(a=[]), ["a"]),
    (lambda: {"a": {}, "ab": 1}, lambda v: v.update(a=1, ab=2), ["a", "ab"]),
    (lambda: {"a": [1, {"b": 2}]}, lambda v: v["a"][1].clear(), ["a[1].b"]),
    (lambda: {"a": [1]}, lambda v: v["a"].append(2), ["a[1]"]),
    (lambda: [1, 2], lambda v: v.reverse(), ["[0]", "[1]"]),
    (Data, lambda v: setattr(v, "name", "b"), ["name"]),
    (Data, lambda v: v.parts.append(2), ["parts[1]"]),
    (Data, lambda v: setattr(v, "extra", 2), ["extra"]),
    (Slotted, lambda v: v.left.update(a=2), ["left.a"]),
    (Slotted, lambda v: setattr(v, "right", 1), ["right"]),
    (lambda: Named(a=1), lambda v: v.update(a=2), ["a"]),
    (lambda: {1: 2}, lambda v: v.update({1: 3}), ["[1]"]),
    (lambda: {"a": {1, 2}}, lambda v: v["a"].add(3), ["a(3)"]),
    (circular, lambda v: v[1].update(more=1), ["[1].more"]),
    (model, lambda v: setattr(v.metadata, "name", "b"), ["metadata.name"]),
    (model, lambda v: v.metadata.labels.update(app="x"), ["metadata.labels.app"]),
    (lambda: {"a": Uncopyable()}, lambda v: v.update(a=Uncopyable()), ["a"]),
])
def test_changes_are_found_where_they_are(make: Any, what: Any, where: list[str]) -> None:
    assert change(make(), what) == where


@pytest.mark.parametrize(("make", "what"), [
    (lambda: {"a": {"b": 1}}, lambda v: v.update(a={"b": 1})),
    (Data, lambda v: v.computed),
    (model, lambda v: v.to_dict()),
    (lambda: {"a": 1, "b": 2}, lambda v: v.update(a=v.pop("a"))),
])
def test_what_nobody_can_see_is_no_change(make: Any, what: Any) -> None:
    value = make()
    before = fingerprint(value)
    what(value)
    assert fingerprint(value) == before
