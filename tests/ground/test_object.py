"""kube_reflect.ground.objects: what is known of an object, however it came, however odd it is."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from kube_reflect.ground.objects import BadObject, Object, compare_versions, members, newer_version

DATA = Path(__file__).parents[1] / "data"


def pod(**metadata: Any) -> dict[str, Any]:
    return {"kind": "Pod", "apiVersion": "v1", "metadata": {
        "name": "a", "namespace": "ns", "uid": "u", "resourceVersion": "1",
        "labels": {"app": "web"}, **metadata}, "spec": {"nodeName": "n1"}}


def known(obj: Object) -> tuple[Any, ...]:
    return (obj.api_version, obj.kind, obj.name, obj.namespace, obj.uid, obj.resource_version,
            dict(obj.labels))


@pytest.mark.parametrize("obj", [
    pod(), pod(labels=None), pod(labels={}), pod(namespace=None), pod(namespace=""),
    pod(uid=None), pod(resourceVersion=""), pod(name=7), pod(name=""), pod(labels=["a"]),
    pod(labels={"a": None, "b": "c"}), pod(annotations={"metadata": '{"name":"b"}'}),
    {**pod(), "kind": ""}, {**pod(), "apiVersion": None}, {**pod(), "metadata": []}, {},
], ids=range(16))
def test_json_and_mapping_say_the_same(obj: dict[str, Any]) -> None:
    parsed, given = Object.parse(json.dumps(obj).encode()), Object.of(obj)
    assert known(parsed) == known(given)
    assert dict(parsed) == obj == dict(given) == json.loads(given.json())
    assert Object.of(given) is given


def test_recorded_pods_say_the_same() -> None:
    with gzip.open(DATA / "pods-v1.36.jsonl.gz") as pods:
        for line, _ in zip(pods, range(50)):
            parsed = Object.parse(line.strip())
            assert known(parsed) == known(Object.of(json.loads(line)))
            assert parsed.json() == line.strip()


@pytest.mark.parametrize("obj", [None, 7, "a", [], {"metadata": None}, {"metadata": {}},
                                 {"metadata": {"name": ""}}, {"metadata": {"name": 7}}])
def test_what_has_no_name_has_no_key(obj: Any) -> None:
    with pytest.raises(BadObject):
        Object.of(obj).key


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"7", b"{}{}", b'{"a":', b"{} x", b"nul",
                                  b'{"a":' * 5000, b"[" * 5000 + b"]" * 5000])
def test_what_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        Object.parse(data)


DEEP = b'{"metadata":' * 40_000 + b"1" + b"}" * 40_000
LONG = b"1" * 5000
# What the standard library's parser says of it depends on how deep its call is.
MIXED = b'{"a":[' * 20_000 + b"]}" * 20_000


@pytest.mark.parametrize("odd", [DEEP, LONG, b"[" * 40_000 + b"]" * 40_000, MIXED],
                         ids=["deep", "long", "list", "mixed"])
@pytest.mark.parametrize("form", [
    b'{"kind":"Pod","apiVersion":"v1","metadata":%s,"spec":%s}',
    b'{"spec":%s, "metadata" : %s ,"kind":"Pod","apiVersion":"v1"}',
], ids=["before", "after"])
def test_of_what_cannot_be_parsed_the_metadata_can(odd: bytes, form: bytes) -> None:
    metadata = json.dumps(pod()["metadata"]).encode()
    before = form.index(b"metadata") < form.index(b"spec")
    found = Object.parse(form % ((metadata, odd) if before else (odd, metadata)))
    assert known(found) == known(Object.of(pod()))
    assert found.key == ("ns", "a")
    with pytest.raises(BadObject, match="cannot be parsed"):
        found.mapping()


def test_metadata_that_cannot_be_parsed_has_no_key() -> None:
    with pytest.raises((BadObject, ValueError)):
        Object.parse(b'{"metadata":{"name":"a","annotations":%s}}' % DEEP).key


@pytest.mark.parametrize("contents", [{1, 2}.__iter__(), object(), print])
def test_what_json_does_not_know_is_bad(contents: Any) -> None:
    with pytest.raises(BadObject, match="JSON does not know"):
        Object.of({**pod(), "spec": contents}).json()


@pytest.mark.parametrize(("one", "other", "expected"), [
    ("9", "10", -1), ("10", "9", 1), ("10", "10", 0), ("010", "10", 0), ("abc", "abc", 0),
    ("abc", "abd", None), ("1", "abc", None), ("9" * 5000, "1" + "0" * 5000, -1), ("", "1", None),
])
def test_versions_are_compared_by_their_digits(
        one: str, other: str, expected: int | None) -> None:
    found = compare_versions(one, other)
    assert found == expected if expected is None else (found or 0) * abs(expected) == expected


@pytest.mark.parametrize(("json_text", "expected"), [
    (b'{"a":null,"b":[1,{"a":2}],"c":"a","a":"b"}', [(b"null", b'[1,{"a":2}]', b'"b"')]),
    (b'{ "b" : {} , "x" : "\\"}]", "a" : -1.5e3 }', [(b"{}", b"-1.5e3")]),
    (b'{"x":{"a":1},"y":["a","b"]}', [()]), (b"{}", [()]),
])
def test_members_are_cut_out_of_their_object(json_text: bytes, expected: Any) -> None:
    found = list(members(json_text, frozenset({b'"a"', b'"b"'})))
    assert [tuple(value for _, value in found)] == expected


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"a":[}', b"{}}", b'{"a":1}x', b"null"])
def test_members_of_what_is_no_object_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        list(members(data, frozenset({b'"a"'})))


@pytest.mark.parametrize(("known", "new", "expected"), [
    ("9", "10", "10"), ("10", "9", "10"), ("10", "10", "10"), ("10", "abc", "10"),
    ("abc", "10", "abc"), ("abc", "abb", "abb"), ("1" * 5000, "9", "1" * 5000), ("10", "-1", "10"),
])
def test_the_newer_version_never_goes_back(known: str, new: str, expected: str) -> None:
    assert newer_version(known, new) == expected
