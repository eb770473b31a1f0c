"""kube_reflect.wire.pages"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kube_reflect.store.entries import head_of, key_of, pack, type_of, unpack, version_of
from kube_reflect.client.failures import RequestError
from kube_reflect.wire.pages import Page
from kube_reflect.wire.raw import RawObject

DATA = Path(__file__).parents[1] / "data"

TYPED = {"kind": "PodList", "apiVersion": "v1",
         "metadata": {"resourceVersion": "12", "continue": "token"},
         "items": [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}]}
# The API server writes lists of custom resources with sorted keys.
CUSTOM = {"apiVersion": "example.com/v1",
          "items": [{"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}},
                    {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "b"}}],
          "kind": "ThingList", "metadata": {"continue": "token", "resourceVersion": "12"}}
COMPACT, SPACED = (",", ":"), (" ,\n", "  : ")


def body(document: Any, separators: tuple[str, str] = COMPACT) -> bytes:
    return json.dumps(document, separators=separators).encode() + b"\n"


def in_pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start:start + size] for start in range(0, len(data), size))


def read(chunks: Iterable[bytes]) -> tuple[list[Any], str | None, str | None]:
    page = Page(chunks)
    items = list(page)
    return items, page.resource_version, page.continue_token


@pytest.mark.parametrize("separators", [COMPACT, SPACED])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
@pytest.mark.parametrize("document", [TYPED, CUSTOM])
def test_reads_a_list_in_any_pieces(
        document: dict[str, Any], size: int, separators: tuple[str, str]) -> None:
    items, version, token = read(in_pieces(body(document, separators), size))
    kind = document["kind"].removesuffix("List")
    assert items == [{"kind": kind, "apiVersion": document["apiVersion"],
                      "metadata": {"name": name}} for name in "ab"]
    assert (version, token) == ("12", "token")


@pytest.mark.parametrize("document", [TYPED, CUSTOM])
def test_indented_as_by_pretty(document: dict[str, Any]) -> None:
    items, version, _ = read([json.dumps(document, indent=2).encode()])
    assert [item["metadata"]["name"] for item in items] == ["a", "b"]
    assert version == "12"


@pytest.mark.parametrize("items", [[], None])
@pytest.mark.parametrize("size", [1, 10_000])
def test_an_empty_list(items: list[Any] | None, size: int) -> None:
    document = {**TYPED, "items": items}
    assert read(in_pieces(body(document), size)) == ([], "12", "token")


@pytest.mark.parametrize("metadata", [
    {"resourceVersion": "12"}, {"resourceVersion": "12", "continue": ""},
    {"resourceVersion": "12", "continue": None, "remainingItemCount": 3, "selfLink": ""},
])
def test_the_last_page_has_no_token(metadata: dict[str, Any]) -> None:
    assert read([body({**TYPED, "metadata": metadata})])[1:] == ("12", None)


@pytest.mark.parametrize("metadata", [None, {}, {"resourceVersion": ""}, "odd"])
def test_a_list_without_a_version(metadata: Any) -> None:
    items, version, token = read([body({**TYPED, "metadata": metadata})])
    assert len(items) == 2
    assert (version, token) == (None, None)


def test_version_and_token_are_unknown_before_the_end() -> None:
    page = Page([body(CUSTOM)])
    items = iter(page)
    assert next(items)["metadata"] == {"name": "a"}
    assert (page.resource_version, page.continue_token) == (None, None)
    assert len(list(items)) == 1
    assert (page.resource_version, page.continue_token) == ("12", "token")


def test_items_keep_the_kind_that_they_have() -> None:
    document = {**TYPED, "kind": "List", "items": [{"kind": "Service", "apiVersion": "x/v2"}]}
    assert read([body(document)])[0] == document["items"]


def test_a_list_whose_kind_comes_last_names_its_items_all_the_same() -> None:
    owned = {"metadata": {"name": "a", "ownerReferences": [{"kind": "Job", "name": "j"}]}}
    document = {"items": [owned], "metadata": {"resourceVersion": "12"},
                "kind": "PodList", "apiVersion": "v1"}
    assert read([body(document)])[0] == [{"kind": "Pod", "apiVersion": "v1", **owned}]


def test_items_within_what_comes_before_the_items() -> None:
    inner = {"items": [{"metadata": {"name": "inner"}}], "text": '"items":[{'}
    document = {"kind": "PodList", "apiVersion": "v1", "before": inner, **TYPED}
    assert [item["metadata"]["name"] for item in read([body(document)])[0]] == ["a", "b"]


@pytest.mark.parametrize("separators", [COMPACT, SPACED])
@pytest.mark.parametrize("size", [1, 5, 10_000])
def test_an_item_may_hold_what_stands_between_items(
        size: int, separators: tuple[str, str]) -> None:
    boundary = '}},{"metadata":{"name":"'
    volumes = {"items": [{"metadata": {"name": "x"}}, {"metadata": {"name": "y"}}]}
    items = [{"metadata": {"name": "a", "annotations": {"text": boundary}}, "spec": volumes},
             {"metadata": {"name": "b", "annotations": {boundary: boundary * 3 + "]}"}}},
             {"metadata": {"name": "c"}, "list": [{"metadata": 1}, {"metadata": 2}]}]
    found, version, _ = read(in_pieces(body({**TYPED, "items": items}, separators), size))
    assert found == [{"kind": "Pod", "apiVersion": "v1", **item} for item in items]
    assert version == "12"


def test_items_that_begin_in_different_ways() -> None:
    items = [{"metadata": {"name": "a"}}, {"spec": {}, "metadata": {"name": "b"}}, {},
             {"metadata": {"name": "c"}}, {"metadata": {"name": "d"}}]
    found = read([body({**TYPED, "items": items})])[0]
    assert found == [{"kind": "Pod", "apiVersion": "v1", **item} for item in items]


@pytest.mark.parametrize("document", [TYPED, CUSTOM])
@pytest.mark.parametrize("separators", [COMPACT, SPACED])
def test_truncated_at_any_byte_it_is_no_list(
        document: dict[str, Any], separators: tuple[str, str]) -> None:
    whole = body(document, separators).rstrip()
    for length in range(len(whole)):
        with pytest.raises(RequestError) as caught:
            read([whole[:length]])
        assert caught.value.started, length


@pytest.mark.parametrize("text", [
    b"", b"no JSON", b"[]", b"null", b"17", b"{}", b'{"kind":"Status","code":500}',
    b'{"items":{}}', b'{"items":"x"}', b'{"items":[]', b'{"items":[}', b'{"items":[1,]}',
    b'{"kind":"PodList","items":[]}{}', b'{"kind":"PodList","items":[{}]} x',
    b'{"kind":"PodList","items":[{} {}]}', b'{"kind":"PodList","items":[{}{"a":1}]}',
    b'{"kind":5,"items":[{}]}', b'{"kind":["x"],"items":[{}]}',
    b'{"kind":"PodList","items":[{"a":' + b"[" * 100_000 + b"]}",
])
def test_what_is_no_list_is_a_request_error(text: bytes) -> None:
    with pytest.raises(RequestError, match="no list"):
        read([text])


def test_items_are_yielded_before_the_rest_has_come() -> None:
    arrived: list[int] = []

    def chunks() -> Iterator[bytes]:
        for number, piece in enumerate(in_pieces(body(document), 1000)):
            arrived.append(number)
            yield piece

    items = [{"metadata": {"name": f"pod-{n}"}, "text": "x" * 900} for n in range(50)]
    document = {**TYPED, "items": items}
    page = iter(Page(chunks()))
    assert next(page)["metadata"]["name"] == "pod-0"
    assert len(arrived) <= 4
    assert len(list(page)) == 49


def test_a_bad_byte_spoils_its_own_string_only() -> None:
    data = body(TYPED).replace(b'"name":"a"', b'"name":"a","note":"\xff"')
    items, version, _ = read([data])
    assert items[0]["metadata"] == {"name": "a", "note": "\N{REPLACEMENT CHARACTER}"}
    assert items[1]["metadata"] == {"name": "b"}
    assert version == "12"


def test_an_error_of_the_stream_passes_through() -> None:
    error = RequestError("cut", started=True)

    def chunks() -> Iterator[bytes]:
        yield body(TYPED)[:-40]
        raise error

    with pytest.raises(RequestError) as caught:
        read(chunks())
    assert caught.value is error


# What a glance at an item gives is what parsing it gives.


def check_glancing(data: bytes, size: int) -> int:
    """Read a page in both ways, which must agree; tell how many items were left unparsed."""
    pages = [Page(in_pieces(data, size), glancing=glancing) for glancing in (False, True)]
    parsed, seen = map(list, pages)
    assert parsed == [dict(item) if isinstance(item, RawObject) else item for item in seen]
    assert len({(page.resource_version, page.continue_token) for page in pages}) == 1
    glanced = [(obj, raw) for obj, raw in zip(parsed, seen) if isinstance(raw, RawObject)]
    for obj, raw in glanced:
        assert (key_of(raw), type_of(raw), version_of(raw)) == (
            key_of(obj), type_of(obj), version_of(obj))
        assert head_of(pack(raw, ())) == head_of(pack(obj, ()))
        assert unpack(pack(raw, ())) == unpack(pack(obj, ())) == obj
    return len(glanced)


LISTS = sorted(path for pattern in ("list-*.json", "custom-list.json")
               for path in DATA.glob(f"wire/*/{pattern}"))


@pytest.mark.parametrize("path", LISTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
@pytest.mark.parametrize("size", [1, 1000, 1_000_000])
def test_glancing_at_recorded_lists(path: Path, size: int) -> None:
    response = json.loads(path.read_text("utf-8"))["response"]
    data = "".join(response["chunks"]).encode()
    if response["status"] != 200:
        for glancing in (False, True):
            with pytest.raises(RequestError, match="no items"):
                list(Page(in_pieces(data, size), glancing=glancing))
        return
    # The last one ends otherwise than the others, and so is parsed.
    assert check_glancing(data, size) == max(0, len(json.loads(data)["items"]) - 1)


def test_glancing_at_recorded_pods() -> None:
    with gzip.open(DATA / "pods-v1.36.jsonl.gz") as lines:
        pods = [json.loads(line) for _, line in zip(range(30), lines)]
    for one in pods:
        del one["kind"], one["apiVersion"]
    assert check_glancing(body({**TYPED, "items": pods}), 64 * 1024) == 29


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
def test_glancing_at_odd_items(envelope: str, items: list[str]) -> None:
    data = (envelope % ",".join(items)).encode()
    glanced = {check_glancing(data, size) for size in (1, 7, 100, 100_000)}
    assert len(glanced) == 1


def test_glancing_at_a_bad_byte() -> None:
    data = body({**TYPED, "items": [json.loads(A), json.loads(A), json.loads(C)]})
    for good, bad in ((b'"uid":"u"', b'"uid":"\xff"'), (b'"uid":"u"', b'"uid":"u","note":"\xff"')):
        assert data.count(good) == 3
        assert check_glancing(data.replace(good, bad), 100) in (0, 2)


@pytest.mark.parametrize("wrong", [
    r'"\q"', r'"\u12"', '"\n"', '"\x01"', "01", "1.", "-", "1e", ".5", "+1", "0x1", "tru", "[1,]",
    '{"a":1,}', '{"a"}', "{1:2}", "[1 2]", "'a'", "", "1,", "]", "}", '"'])
def test_glancing_refuses_what_parsing_refuses(wrong: str) -> None:
    data = ENVELOPES[0] % ",".join([A, plain("b", f',"wrong":{wrong}'), C])
    assert refusal(data, False) == refusal(data, True)


def refusal(data: str, glancing: bool) -> str:
    with pytest.raises(RequestError, match="no list") as caught:
        list(Page([data.encode()], glancing=glancing))
    return str(caught.value)


@pytest.mark.parametrize("first", "[x ")
def test_an_item_that_does_not_begin_with_a_brace_is_not_given_one(first: str) -> None:
    # Where the one before it ends had to be counted out, nothing else has shown how it begins.
    before = plain("b", f',"list":[{A},{A}]')
    data = ENVELOPES[0] % ",".join([A, before, first + C[1:], A, C])
    assert refusal(data, False) == refusal(data, True)


def test_an_item_that_names_its_kind_alone_has_the_version_of_the_list() -> None:
    data = ENVELOPES[0] % ",".join([plain("a", ',"kind":"Pod"'), plain("b", ',"kind":"Pod"')])
    for glancing in (False, True):
        items = list(Page([data.encode()], glancing=glancing))
        assert [(item["kind"], item["apiVersion"]) for item in items] == [("Pod", "v1")] * 2
