"""kube_reflect.wire.pages: odd items, bad items, and what is made to take long."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kube_reflect.client import RequestError
from kube_reflect.ground.json_parser import loads
from kube_reflect.ground.objects import BadObject, Object
from kube_reflect.wire.pages import Page

from tests.wire.test_pages import TYPED, body, in_pieces

DATA = Path(__file__).parents[1] / "data"

# What is read of an item is what parsing the page as a whole gives.


def expected(data: bytes) -> list[Any]:
    """Return the items of a page as the standard library reads it, with their kinds."""
    document = json.loads(data.decode("utf-8", "replace"))
    named = {} if document.get("kind") is None else {
        "kind": document["kind"].removesuffix("List"),
        **({"apiVersion": document["apiVersion"]}
           if isinstance(document.get("apiVersion"), str) else {})}
    return [{**named, **item} if isinstance(item, dict) and not (
        "kind" in item and "apiVersion" in item) else item for item in document["items"] or []]


def known(obj: Object) -> tuple[Any, ...]:
    return (obj.api_version, obj.kind, obj.name, obj.namespace, obj.uid, obj.resource_version,
            dict(obj.labels))


def check_items(found: list[Object], items: list[Any]) -> None:
    assert len(found) == len(items)
    for one, item in zip(found, items):
        assert known(one) == known(Object.of(item))
        if isinstance(item, dict):
            assert dict(one) == item and loads(one.json()) == item
        else:
            assert isinstance(one.problem, BadObject)


def check_page(data: bytes, size: int) -> None:
    check_items(list(Page(in_pieces(data, size))), expected(data))


LISTS = sorted(path for pattern in ("list-*.json", "custom-list.json")
               for path in DATA.glob(f"wire/*/{pattern}"))


@pytest.mark.parametrize("path", LISTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
@pytest.mark.parametrize("size", [1, 1000, 1_000_000])
def test_recorded_lists(path: Path, size: int) -> None:
    response = json.loads(path.read_text("utf-8"))["response"]
    data = "".join(response["chunks"]).encode()
    if response["status"] != 200:
        with pytest.raises(RequestError, match="no items"):
            list(Page(in_pieces(data, size)))
        return
    check_page(data, size)


def test_recorded_pods() -> None:
    with gzip.open(DATA / "pods-v1.36.jsonl.gz") as lines:
        pods = [json.loads(line) for _, line in zip(range(30), lines)]
    for one in pods:
        del one["kind"], one["apiVersion"]
    check_page(body({**TYPED, "items": pods}), 64 * 1024)


def plain(name: str, more: str = "", metadata: str = "") -> str:
    return ('{"metadata":{"name":"%s","uid":"u","resourceVersion":"1"%s}%s}'
            % (name, metadata, more))


A, C = plain("a"), plain("c")
ODD_ITEMS = {
    "kind alone": [A, plain("b", ',"kind":"Service"'), C],
    "the kind of the list": [A, plain("b", ',"kind":"Pod"'), C],
    "apiVersion alone": [A, plain("b", ',"apiVersion":"x/v2"'), C],
    "both, late": [A, plain("b", ',"kind":"Service","apiVersion":"x/v2"'), C],
    "escaped keys": [A, plain("b", r',"kin\u0064":"S","apiVersio\u006e":"x"'), C],
    "no strings": [A, plain("b", ',"kind":null'), plain("d", ',"apiVersion":7'), C],
    "kind first": ['{"kind":"Pod","apiVersion":"v1",' + one[1:] for one in (A, A, C)] + [A, C, C],
    "kind first of one": ['{"kind":"S","apiVersion":"x",' + A[1:], plain("b"), C],
    "apiVersion first": ['{"apiVersion":"x/v2",' + one[1:] for one in (A, A, C)],
    "metadata twice": [A, plain("b", ',"metadata":{"name":"d"}'), A, plain("b", "," + A[1:-1]), C],
    "fields twice": [A, plain("b", "", ',"name":"d","labels":{"x":"1","x":"2"}'), C],
    "an escaped name": [A, plain("b", "", r',"n\u0061me":"d"'), C],
    "empty": ["{}", A, "{}", "{}", C, C, "{}"],
    "no objects": [A, "null", "3", '"x"', "[]", A, C, "null"],
    "boundaries in them": [
        A, plain("b", r',"text":"}},{\"metadata\":{\"name\":\""'),
        plain("d", ',"list":[%s,%s,%s]' % (A, A, C)), plain("e", ',"list":[{},{"metadata":{}}]'),
        C],
    "no names": [A, '{"metadata":{}}', '{"metadata":null}', plain(""), C],
    "empty strings": [A, plain("b", "", ',"namespace":"","uid":"","labels":{}'), C],
    "odd labels": [A, plain("b", "", ',"labels":{"a":null}'), plain("d", "", ',"labels":[]'), C],
    "beyond ASCII": ["{\"metadata\":{\"name\":\"\N{SNOWMAN}\"}}", plain("\N{SNOWMAN}"),
                     plain("b", ',"text":"\N{PILE OF POO}\x7f"'), C],
    "surrogates": [A, plain(r"\ud800"), plain("b", r',"text":"\udc00\ud83d\ude00"'),
                   plain("d", "", r',"labels":{"\ud83d\ude00":"\ud800"}'), C],
    "numbers": [A, plain("b", f',"numbers":[{2 ** 63},{"9" * 400},-0,-0.0,1E5,1e-400,1e400]'), C],
    "deep": [A, plain("b", ',"deep":' + '[{"a":' * 200 + "1" + "}]" * 200), C],
}
ENVELOPES = ['{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"3"},"items":[%s]}',
             '{"kind":"List","apiVersion":"v1","items":[%s],"metadata":{"continue":"x"}}',
             '{"apiVersion":"x/v2","items":[%s],"kind":"PodList","metadata":{}}',
             r'{"kind":"\ud800\u00e9List","apiVersion":"\"v1\\","items":[%s]}',
             '{"kind":"PodList","items":[%s]}', '{"kind":"PodList","apiVersion":7,"items":[%s]}',
             '{"apiVersion":"v1","items":[%s]}']


@pytest.mark.parametrize("items", ODD_ITEMS.values(), ids=ODD_ITEMS)
@pytest.mark.parametrize("envelope", ENVELOPES, ids=range(len(ENVELOPES)))
def test_odd_items(envelope: str, items: list[str]) -> None:
    if envelope.index("items") < envelope.find("kind") and items[0].startswith('{"kind"'):
        # That not all have a kind would be found out too late.
        items = [one for one in items if one.startswith('{"kind"')]
    data = (envelope % ",".join(items)).encode()
    for size in (1, 7, 100, 100_000):
        check_page(data, size)


def test_a_bad_byte_in_one_of_many_items() -> None:
    data = body({**TYPED, "items": [json.loads(A), json.loads(A), json.loads(C)]})
    for good, bad in ((b'"uid":"u"', b'"uid":"\xff"'), (b'"uid":"u"', b'"uid":"u","note":"\xff"')):
        assert data.count(good) == 3
        check_page(data.replace(good, bad), 100)


@pytest.mark.parametrize("wrong", [
    r'"\q"', r'"\u12"', '"\n"', '"\x01"', "01", "1.", "-", "1e", ".5", "+1", "0x1", "tru", "[1,]",
    '{"a":1,}', '{"a"}', "{1:2}", "[1 2]", "'a'", "", "1,", "]", "}", '"'])
def test_an_item_that_is_no_json_is_no_list(wrong: str) -> None:
    for items in ([A, plain("b", f',"wrong":{wrong}'), C], [A, plain("b", f',"wrong":{wrong}')]):
        for envelope in ENVELOPES:
            with pytest.raises(RequestError, match="no list"):
                list(Page([(envelope % ",".join(items)).encode()]))


def test_an_item_that_does_not_begin_with_a_brace_is_not_given_one() -> None:
    # Where the one before it ends had to be counted out, nothing else has shown how it begins.
    before = plain("b", f',"list":[{A},{A}]')
    data = ENVELOPES[0] % ",".join([A, before, "[x " + C[1:], A, C])
    with pytest.raises(RequestError, match="no list"):
        list(Page([data.encode()]))


def test_an_item_that_names_its_kind_alone_has_the_version_of_the_list() -> None:
    data = ENVELOPES[0] % ",".join([plain("a", ',"kind":"Pod"'), plain("b", ',"kind":"Pod"')])
    assert [(item.kind, item.api_version) for item in Page([data.encode()])] == [
        ("Pod", "v1")] * 2


# What the parser refuses is one bad object.

slow = pytest.mark.slow

TOO_DEEP = ['{"a":' * 20_000 + "1" + "}" * 20_000, "[" * 20_000 + "]" * 20_000]
TOO_LONG = ["1" * 5000, "-" + "9" * 10_000]
BOUNDARIES = '[{"a":1},%s,%s]' % (A, A)


@pytest.mark.parametrize("bad", TOO_DEEP + TOO_LONG, ids=["objects", "lists", "long", "longer"])
@pytest.mark.parametrize(("place", "spaced"), [
    (0, False), (2, True), pytest.param(0, True, marks=slow), pytest.param(2, False, marks=slow)])
@pytest.mark.parametrize("envelope", [
    *ENVELOPES[:2], pytest.param(ENVELOPES[2], marks=slow)], ids=range(3))
def test_an_item_that_cannot_be_parsed_is_one_bad_item(
        envelope: str, spaced: bool, place: int, bad: str) -> None:
    items = [A, plain("b"), C]
    items[place] = plain("bad", f',"spec":{{"list":{BOUNDARIES},"bad":{bad}}}')
    data = (envelope % ",".join(items)).encode()
    if spaced:
        data = data.replace(b",", b" , ").replace(b":{", b" : {")
    for size in (20_000, 10_000_000):
        page = Page(in_pieces(data, size))
        found = list(page)
        names = ["a", "b", "c"]
        names[place] = "bad"
        assert [one.name for one in found] == names
        assert {(one.resource_version, one.uid) for one in found} == {("1", "u")}
        assert found[place].json().startswith(b"{")
        with pytest.raises(BadObject):
            found[place].mapping()
        assert all(one.mapping() for one in found if one.name != "bad")


def test_metadata_that_cannot_be_parsed_is_one_item_without_a_name() -> None:
    data = ENVELOPES[0] % ",".join([A, plain("b", "", f',"annotations":{TOO_DEEP[0]}'), C])
    found = list(Page([data.encode()]))
    # From Python 3.14 on, what is not needed may be that deep, and the name is read.
    name = found[1].name
    assert [one.name for one in found] == ["a", name, "c"] and name in (None, "b")
    if found[1].problem is None:
        with pytest.raises(BadObject):
            found[1].mapping()


def test_a_byte_order_mark_is_no_part_of_a_list() -> None:
    mark = b"\xef\xbb\xbf"
    for envelope in ENVELOPES[:3]:
        data = (envelope % ",".join([A, C])).encode()
        for size in (1, 1000):
            check_items(list(Page(in_pieces(mark + data, size))), expected(data))


# What a hostile server may send is found out soon, and is not kept.


def endless(piece: bytes) -> Iterator[bytes]:
    yield b'{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"a"},"x":"'
    while True:
        yield piece


@pytest.mark.parametrize("piece", [b"x" * 2**20, b"\\" * 2**20, b'"},{"' * 2**18])
def test_an_item_without_an_end_is_given_up(
        piece: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kube_reflect.wire.pages._MOST_HELD", 8 * 2**20)
    with pytest.raises(RequestError, match="no end"):
        list(Page(endless(piece)))


@pytest.mark.parametrize("text", [
    b'{"kind":"PodList","items":[{"a":"' + b'\\"' * 500_000,
    b'{"kind":"PodList","items":[{"a":"' + b"\\" * 1_000_001,
    b'{"items":[{"a":"' + b'\\"' * 500_000,
    b'{"kind":"PodList","items":[{"a":[' + b'{},{"a":[' * 25_000,
    b'{"kind":"PodList","items":[' + b'{"a":"},{\\"a\\":"},' * 10_000,
    b'{"kind":"PodList",' + b'"items":' * 50_000, b'{"kind":"PodList","items"' + b" " * 2_000_000,
    b"[" * 2_000_000, b"{" * 2_000_000, b'"' * 2_000_001, b'{"items":' * 50_000,
], ids=range(11))
def test_what_is_made_to_take_long_does_not(text: bytes) -> None:
    began = time.thread_time()
    with pytest.raises(RequestError, match="no list"):
        list(Page(in_pieces(text, 64 * 1024)))
    assert time.thread_time() - began < 3
