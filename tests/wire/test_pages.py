"""kube_reflect.wire.pages"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from kube_reflect.client import RequestError
from kube_reflect.wire.pages import Page

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
        with pytest.raises(RequestError, match="the answer is no list"):
            read([whole[:length]])


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
    error = RequestError("cut")

    def chunks() -> Iterator[bytes]:
        yield body(TYPED)[:-40]
        raise error

    with pytest.raises(RequestError) as caught:
        read(chunks())
    assert caught.value is error


@pytest.mark.parametrize("document", [TYPED, CUSTOM])
@pytest.mark.parametrize(("info", "selector"), [
    ({"selector": "shardRange(…)"}, "shardRange(…)"), ({"selector": ""}, None), ({}, None),
    ({"selector": 5}, None), (None, None), ("shardRange(…)", None)])
def test_what_the_server_says_of_a_shard(document: dict[str, Any], info: Any,
                                         selector: str | None) -> None:
    page = Page([body({**document, "metadata": {**document["metadata"], "shardInfo": info}})])
    assert len(list(page)) == 2 and page.shard_selector == selector
    assert (page.resource_version, page.continue_token) == ("12", "token")
