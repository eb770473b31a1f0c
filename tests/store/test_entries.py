"""kube_reflect._entries: what is packed comes out again, whatever it is packed as."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kube_reflect.store.deflate import Deflaters
from kube_reflect.store.entries import (
    BadObject, checked_values, head_of, key_of, pack, unpack, version_of, with_values,
)
from kube_reflect.wire.raw import RawObject

from tests.support.cache_helpers import node, pod

OBJECTS: list[dict[str, Any]] = [
    pod("a"), pod("a", labels={"app": "web", "é": ""}), node("n"),
    pod("a", numbers=[0, -1, 2 ** 70, 1.5, 1e300], text="\N{PILE OF POO}\ud800\0", none=None,
        yes=True, empty=[{}, [], ""]),
    {"metadata": {"name": "bare"}},
]


def raw(obj: dict[str, Any]) -> RawObject:
    metadata = obj["metadata"]
    return RawObject(json.dumps(obj).encode(), obj["apiVersion"], obj["kind"],
                     metadata.get("namespace"), metadata["name"], metadata["uid"],
                     metadata["resourceVersion"], metadata.get("labels") or {})


def trained() -> Deflaters:
    """Deflaters that have their dictionaries."""
    deflaters = Deflaters()
    for number in range(10):
        big = pod(f"p{number}", text="x" * 9000)
        pack(big, (), deflaters)
        pack(raw(big), (), deflaters)
    return deflaters


@pytest.mark.parametrize("obj", OBJECTS, ids=range(len(OBJECTS)))
@pytest.mark.parametrize("deflaters", [None, Deflaters(), trained()],
                         ids=["plain", "untrained", "trained"])
def test_what_is_packed_comes_out_again(obj: dict[str, Any], deflaters: Deflaters | None) -> None:
    packed = pack(obj, (("x", 1),), deflaters)
    assert unpack(packed, deflaters) == obj
    assert unpack(packed, deflaters) is not unpack(packed, deflaters)
    metadata = obj["metadata"]
    assert head_of(packed) == (metadata.get("uid"), metadata.get("resourceVersion"),
                               metadata.get("labels", {}), (("x", 1),))
    if "kind" in obj:
        packed = pack(raw(obj), (), deflaters)
        assert unpack(packed, deflaters) == obj
        assert head_of(packed) == head_of(pack(obj, (), deflaters))


@pytest.mark.parametrize("deflaters", [None, trained()], ids=["plain", "trained"])
@pytest.mark.parametrize("make", [pod, lambda name: raw(pod(name))], ids=["mapping", "raw"])
def test_other_index_values_leave_the_object_as_it_is(
        make: Any, deflaters: Deflaters | None) -> None:
    packed = pack(make("a"), (), deflaters)
    changed = with_values(packed, (("n1",), ()))
    assert head_of(changed).values == (("n1",), ())
    assert head_of(changed)[:3] == head_of(packed)[:3]
    assert unpack(changed, deflaters) == pod("a")
    back = with_values(changed, ())
    assert head_of(back) == head_of(packed) and unpack(back, deflaters) == pod("a")


@pytest.mark.parametrize("make", [pod, lambda *args, **more: raw(pod(*args, **more))],
                         ids=["mapping", "raw"])
def test_objects_that_resemble_one_another_take_a_fraction(make: Any) -> None:
    deflaters = Deflaters()
    text = " ".join(f"word-{number}" for number in range(1000))
    sizes = [len(pack(make(f"p{number}", text=text), (), deflaters)) for number in range(10)]
    assert min(sizes[:4]) > len(text), "those before the dictionary stay as they are"
    assert max(sizes[5:]) < len(text) / 10


def test_what_does_not_get_smaller_is_not_deflated() -> None:
    deflaters = trained()
    small = {"metadata": {"name": "a"}}
    assert len(pack(small, (), deflaters)) <= len(pack(small, ())) + 20
    assert unpack(pack(small, (), deflaters), deflaters) == small


@pytest.mark.parametrize("value", [object(), {1, 2}.__iter__, print])
@pytest.mark.parametrize("deflaters", [None, trained()], ids=["plain", "trained"])
def test_what_json_does_not_know_is_refused(value: Any, deflaters: Deflaters | None) -> None:
    with pytest.raises(BadObject, match="JSON does not know"):
        pack(pod("a", bad=value), (), deflaters)


@pytest.mark.parametrize("obj", [
    None, 7, "pod", [], {}, {"metadata": None}, {"metadata": []}, {"metadata": {}},
    {"metadata": {"name": ""}}, {"metadata": {"name": 7}}])
def test_what_has_no_name_has_no_key(obj: Any) -> None:
    with pytest.raises(BadObject):
        key_of(obj)
    assert version_of(obj) is None


def test_keys_and_versions() -> None:
    assert key_of(pod("a")) == key_of(raw(pod("a"))) == ("ns", "a")
    assert key_of(node("n")) == (None, "n")
    assert key_of({"metadata": {"name": "n", "namespace": ""}}) == (None, "n")
    assert version_of(pod("a", version="7")) == version_of(raw(pod("a", version="7"))) == "7"
    assert version_of({"metadata": {"resourceVersion": 7}}) is None


def test_index_values_are_each_there_once_and_plain() -> None:
    assert checked_values(["b", "a", "b", ("x", 1), 1]) == ("b", "a", ("x", 1), 1)
    for bad in ([object()], [["list"]], 7):
        with pytest.raises(TypeError):
            checked_values(bad)  # type: ignore[arg-type]
