"""kube_reflect.wire.pages, whatever it is given."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("hypothesis", reason="property tests need hypothesis, of the extra [dev]")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from kube_reflect.client import RequestError  # noqa: E402
from kube_reflect.ground.objects import Object  # noqa: E402
from kube_reflect.wire.pages import Page  # noqa: E402

from tests.wire.test_page_items import check_items, expected, known  # noqa: E402

# Pieces of what the items are found by, so that they turn up where they mean nothing.
TRICKY = st.sampled_from([
    '"items":[', '},{"metadata":', '}},{"metadata":{"name":"', "]}", "}", '{"', '\\"', "\\",
    '"kind"', "},{", '","kind":"', "items", "\ud800", "é", "\N{PILE OF POO}", "\x00"])
TEXT = st.lists(st.one_of(TRICKY, st.text(max_size=3)), max_size=4).map("".join)
KEYS = st.one_of(st.sampled_from(["metadata", "items", "kind", "spec", "name"]), TEXT)
# Kubernetes knows integers of 64 bits, and floats.
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-2**63, 2**63 - 1), TEXT,
                    st.floats(allow_nan=False, allow_infinity=False))
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3),
                                     st.dictionaries(KEYS, inner, max_size=3)), max_leaves=8)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)
ITEMS = st.lists(OBJECTS, max_size=5)
# What a glance at it is enough for, mostly.
PLAIN = st.fixed_dictionaries(
    {"metadata": st.fixed_dictionaries(
        {"name": st.one_of(TEXT, TEXT, SCALARS), "uid": TEXT,
         "resourceVersion": st.integers(1, 99).map(str)},
        optional={"labels": st.dictionaries(TEXT, TEXT, max_size=2), "namespace": TEXT,
                  "annotations": VALUES})},
    optional={"kind": TEXT, "apiVersion": TEXT, "spec": VALUES, "items": VALUES})
PLAIN_ITEMS = st.lists(st.one_of(PLAIN, PLAIN, PLAIN, OBJECTS), max_size=6)
METADATA = st.fixed_dictionaries(
    {"resourceVersion": st.integers(1).map(str)}, optional={"continue": TEXT, "other": VALUES})
SPACES = st.sampled_from(["", " ", "\n", "\r\n\t  "])


@st.composite
def documents(draw: st.DrawFn,
              lists: st.SearchStrategy[list[Any]] = ITEMS) -> dict[str, Any]:
    """A list as servers write them: typed, or of custom resources, with whatever in between."""
    items: Any = draw(st.one_of(lists, st.none()))
    metadata, extra = draw(METADATA), draw(st.dictionaries(TEXT, VALUES, max_size=2))
    extra = {key: value for key, value in extra.items()
             if key not in ("items", "kind", "metadata", "apiVersion")}
    if draw(st.booleans()):
        return {"kind": "PodList", "apiVersion": "v1", **extra, "metadata": metadata,
                "items": items}
    named = {"apiVersion": "example.com/v1", "kind": "Thing"}
    items = items and [{**named, **item, **named} for item in items]
    return {"apiVersion": "example.com/v1", "items": items, "kind": "ThingList",
            "metadata": metadata, **extra}


@st.composite
def bodies(draw: st.DrawFn, documents: st.SearchStrategy[Any] = documents()) -> bytes:
    separators = tuple(draw(SPACES) + mark + draw(SPACES) for mark in ",:")
    document = draw(documents)
    text = json.dumps(document, separators=separators)
    plain = json.dumps(document, separators=separators, ensure_ascii=False)
    if draw(st.booleans()) and not any("\ud800" <= char <= "\udfff" for char in plain):
        text = plain
    return text.encode()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut into pieces, some of them empty, at relative places."""
    marks = sorted(place % (len(data) + 1) for place in places)
    return [data[start:end] for start, end in zip([0, *marks], [*marks, len(data)])]


PLACES = st.lists(st.integers(0, 10_000), max_size=12)


@settings(max_examples=80)
@given(bodies(), PLACES)
def test_reads_what_json_reads(data: bytes, places: list[int]) -> None:
    document = json.loads(data)
    page = Page(cut(data, places))
    kind = document["kind"].removesuffix("List")
    assert list(page) == [{"kind": kind, "apiVersion": document["apiVersion"], **item}
                          for item in document["items"] or []]
    assert page.resource_version == document["metadata"]["resourceVersion"]
    assert page.continue_token == (document["metadata"].get("continue") or None)


@settings(max_examples=100)
@given(bodies(), PLACES, st.integers(0, 10_000))
def test_truncated_anywhere_it_is_a_request_error(
        data: bytes, places: list[int], place: int) -> None:
    page = Page(cut(data[:place % len(data)], places))
    with pytest.raises(RequestError):
        list(page)
    assert (page.resource_version, page.continue_token) == (None, None)


@settings(max_examples=100)
@given(st.one_of(bodies(VALUES), bodies(st.fixed_dictionaries(
    {}, optional={"kind": VALUES, "metadata": VALUES, "items": VALUES})), st.binary()))
def test_whatever_comes_is_a_list_or_a_request_error(data: bytes) -> None:
    page = Page([data])
    try:
        list(page)
    except RequestError:
        pass
    else:
        assert isinstance(json.loads(data)["items"], (list, type(None)))
    assert isinstance(page.resource_version, (str, type(None)))
    assert isinstance(page.continue_token, (str, type(None)))


def outcome(data: bytes, places: list[int]) -> tuple[list[Any], Any]:
    """Read a page: its items, and what became of it."""
    items: list[Any] = []
    page = Page(cut(data, places))
    try:
        items.extend(page)
    except RequestError as error:
        return items, error
    return items, (page.resource_version, page.continue_token)


@settings(max_examples=100)
@given(bodies(documents(PLAIN_ITEMS)), PLACES)
def test_what_is_read_of_items_is_what_parsing_the_page_gives(
        data: bytes, places: list[int]) -> None:
    items, end = outcome(data, places)
    assert not isinstance(end, RequestError)
    check_items(items, expected(data))


# What comes between, or instead of, bytes of the body.
SPLICED = st.one_of(st.binary(max_size=2), st.sampled_from([
    b"", b"{", b"}", b"[", b",", b'"', b"{},", b"\\", b"\x00", b"\xff", b"null,", b'"kind":"S",',
    b'"metadata":{},', b'"name":"x",', b'},{"metadata":{', b" ",
    b"[" * 1500 + b"]" * 1500 + b",", b"1" * 5000 + b",", b'"x":' + b"1" * 5000 + b","]))


@settings(max_examples=100)
@given(bodies(documents(PLAIN_ITEMS)), PLACES, st.integers(0, 10_000), st.integers(0, 3), SPLICED)
def test_broken_pages_are_lists_or_request_errors_however_they_are_cut(
        data: bytes, places: list[int], place: int, removed: int, spliced: bytes) -> None:
    place %= len(data)
    broken = data[:place] + spliced + data[place + removed:]
    items, end = outcome(broken, places)
    again, end_again = outcome(broken, [])
    assert list(map(known, items)) == list(map(known, again))
    assert isinstance(end, RequestError) == isinstance(end_again, RequestError)
    try:
        whole = expected(broken)
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError):
        return
    if not isinstance(end, RequestError):
        # But for the kinds: where the list's comes late, an item that lacks it has none.
        assert [known(one)[2:] for one in items] == [known(Object.of(one))[2:] for one in whole]
