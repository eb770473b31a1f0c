"""kube_reflect._raw: what a glance at a line sees is what parsing it gives."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kube_reflect.store.entries import BadObject, head_of, key_of, pack, unpack, version_of
from kube_reflect._json import loads
from kube_reflect.wire.raw import RawObject, glance_at_line
from kube_reflect.events import Apply, Delete, Init, InitApply, InitDone
from kube_reflect.store import Writer
from kube_reflect.transforms import drop_managed_fields

from tests.support.cache_helpers import feed, relist

DATA = Path(__file__).parents[1] / "data"


def recorded_lines() -> Iterator[bytes]:
    for path in sorted(DATA.glob("wire/*/watch-*.json")):
        body = "".join(json.loads(path.read_text("utf-8"))["response"]["chunks"])
        yield from filter(None, body.encode().split(b"\n"))


def line_of(obj: Any, kind: str = "MODIFIED") -> bytes:
    return b'{"type":"%s","object":%s}' % (
        kind.encode(), json.dumps(obj, separators=(",", ":")).encode())


def raw(obj: dict[str, Any]) -> RawObject:
    seen = glance_at_line(line_of(obj))
    assert seen is not None
    return seen[1]


def pod(name: str = "a", version: str = "1", **metadata: Any) -> dict[str, Any]:
    return {"kind": "Pod", "apiVersion": "v1", "metadata": {
        "name": name, "namespace": "ns", "uid": f"uid-{name}", "resourceVersion": version,
        "labels": {"app": "web"}, **metadata}, "spec": {"nodeName": "n1"}}


def check_agreement(line: bytes) -> bool:
    """Check that a glance, if it sees anything, sees what parsing gives; tell whether it did."""
    event = loads(line)
    seen = glance_at_line(line)
    if seen is None:
        return False
    kind, found = seen
    obj = event["object"]
    assert kind == event["type"]
    assert (key_of(found), version_of(found)) == (key_of(obj), version_of(obj))
    assert (found.kind, found.api_version) == (obj["kind"], obj["apiVersion"])
    assert head_of(pack(found, ())) == head_of(pack(obj, ()))
    assert unpack(pack(found, ())) == obj == found.mapping() == dict(found)
    return True


def test_every_recorded_line_gives_the_same() -> None:
    lines = list(recorded_lines())
    glanced = [line for line in lines if check_agreement(line)]
    assert {loads(line)["type"] for line in glanced} == {"ADDED", "MODIFIED", "DELETED"}
    plain = [line for line in lines if loads(line).get("type") in ("ADDED", "MODIFIED", "DELETED")]
    assert len(glanced) == len(plain)


def test_recorded_pods_give_the_same() -> None:
    with gzip.open(DATA / "pods-v1.36.jsonl.gz") as pods:
        lines = [b'{"type":"ADDED","object":%s}' % line.rstrip(b"\n")
                 for _, line in zip(range(50), pods)]
    assert len(lines) == 50 and all(check_agreement(line) for line in lines)


@pytest.mark.parametrize("line", [
    b"", b"null", b"[]", b"{}", b'{"type":"ADDED"}', b'{"type":"ADDED","object":{}}',
    line_of(pod(), "BOOKMARK"), line_of(pod(), "ERROR"), line_of(pod(), "RENAMED"),
    line_of(pod(name="")), line_of(pod(version="")), line_of(pod(uid=None)),
    line_of(pod(name=7)), line_of(pod(labels={"a": None})), line_of(pod(labels=["a"])),
    line_of(pod()).replace(b'{"kind"', b'{}{"kind"'),
    line_of(pod()).replace(b'{"kind"', b'{},{"kind"'),
    line_of(pod())[:-1] + b',"object":{}}', line_of(pod())[:-1] + b',"type":"ADDED"}',
    line_of(pod()).replace(b'{"kind"', b'{},"object":{"kind"'),
    line_of({**pod(), "kind": ""}), line_of({**pod(), "apiVersion": None}),
    line_of({key: value for key, value in pod().items() if key != "kind"}),
    line_of(pod())[:-1], line_of(pod()) + b"}",
    line_of(pod())[:-1] + b',"more":1}',
    b'{"object":' + line_of(pod()).partition(b'"object":')[2][:-1] + b',"type":"ADDED"}',
    line_of(pod()).replace(b'{"type"', b'{ "type"'),
])
def test_all_but_the_plainest_lines_are_left_to_the_parser(line: bytes) -> None:
    assert glance_at_line(line) is None


@pytest.mark.parametrize("obj", [
    pod(labels=None), pod(labels={}), pod(namespace=None), pod(namespace=""),
    pod(name="\N{SNOWMAN}\"\\"), pod(annotations={"object": '{"type":"ADDED","object":{}}'}),
    {**pod(), "metadata": {**pod()["metadata"], "metadata": {"name": "other"}}},
    {**pod(), "spec": {"big": 2 ** 70, "small": -1e-300, "deep": [[[[{"a": [None]}]]]]}},
])
def test_odd_objects_give_the_same(obj: dict[str, Any]) -> None:
    assert check_agreement(line_of(obj))


def test_a_bad_byte_is_one_bad_character_for_both() -> None:
    line = line_of(pod()).replace(b'"n1"', b'"n\xff"')
    assert check_agreement(line)
    assert loads(line)["object"]["spec"]["nodeName"] == "n\N{REPLACEMENT CHARACTER}"


def test_of_two_fields_of_a_name_the_last_counts_for_both() -> None:
    line = line_of(pod()).replace(b'"name":"a"', b'"name":"a","name":"b"')
    assert glance_at_line(line) is None or check_agreement(line)
    assert loads(line)["object"]["metadata"]["name"] == "b"


def test_what_is_raw_is_stored_as_it_came_and_read_like_any_other() -> None:
    writer = Writer()
    store = writer.as_reader()
    relist(writer, pod("old"))
    feed(writer, Apply(raw(pod("a"))), Apply(raw(pod("b"))), Delete(raw(pod("b"))),
         Apply(raw(pod("old", version="2"))))
    assert {one["metadata"]["name"] for one in store} == {"a", "old"}
    assert store.get("a", "ns") == pod("a")
    assert store.get("old", "ns") == pod("old", version="2")
    assert len(store.state(labels="app=web")) == 2 and store.resource_version == "2"


def test_a_transform_changes_what_is_raw_too() -> None:
    def mark(obj: dict[str, Any]) -> dict[str, Any]:
        obj["marked"] = True
        return obj

    managed = pod("a", managedFields=[{"manager": "m"}])
    for transform, expected in ((drop_managed_fields, pod("a")), (mark, {**managed, "marked": 1})):
        writer = Writer(transform=transform)
        relist(writer)
        feed(writer, Apply(raw(managed)))
        assert writer.as_reader().get("a", "ns") == expected


def test_what_a_transform_makes_of_what_is_raw_is_not_kept_as_json() -> None:
    writer = Writer(transform=drop_managed_fields)
    relist(writer)
    feed(writer, Apply(raw(pod("a", managedFields=[{"manager": "some-manager"}]))))
    assert b"some-manager" not in writer._core.table.packed["ns", "a"]


def test_index_functions_see_what_is_raw_as_a_mapping() -> None:
    writer = Writer(indexers={"node": lambda obj: [obj["spec"]["nodeName"]]})
    store = writer.as_reader()
    relist(writer, pod("a"))
    feed(writer, Apply(raw(pod("b"))))
    assert store.by_index("node", "n1") == [pod("a"), pod("b")]


def test_what_is_too_odd_to_parse_is_one_bad_object(caplog: pytest.LogCaptureFixture) -> None:
    odd = RawObject(b'{"n":' + b"1" * 5000 + b"}", "v1", "Pod", "ns", "odd", "u", "2", {})
    writer = Writer(indexers={"n": lambda obj: [str(obj["n"])]})
    feed(writer, Init(), InitApply(odd), InitApply(pod("a") | {"n": 1}), InitDone("3"), Apply(odd))
    store = writer.as_reader()
    assert [one["metadata"]["name"] for one in store.by_index("n", "1")] == ["a"]
    assert len(store) == 1 and store.resource_version == "2"
    assert sum("it cannot be parsed (ValueError" in record.message
               for record in caplog.records) == 2


def test_an_index_that_is_added_later_finds_what_was_raw() -> None:
    writer = Writer()
    store = writer.as_reader()
    relist(writer)
    feed(writer, Apply(raw(pod("b"))))
    writer.add_index("node", lambda obj: [obj["spec"]["nodeName"]])
    assert store.by_index("node", "n1") == [pod("b")] == store.state()


def test_a_relist_takes_what_was_raw_for_the_same() -> None:
    writer = Writer()
    relist(writer)
    feed(writer, Apply(raw(pod("a"))))
    read = writer.as_reader().get("a", "ns")
    relist(writer, pod("a"))
    assert writer.as_reader().get("a", "ns") is read


def test_a_raw_object_is_a_mapping() -> None:
    found = raw(pod())
    assert found["kind"] == "Pod" and len(found) == len(pod()) and list(found) == list(pod())
    assert InitApply(found).object.get("spec") == {"nodeName": "n1"}


def test_an_object_that_is_no_object_has_no_key() -> None:
    with pytest.raises(BadObject):
        key_of({"metadata": {"name": ""}})
