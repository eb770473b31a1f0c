"""kube_reflect.ground: random values, read and written by each parser."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kube_reflect.ground import json_parser
from kube_reflect.ground.objects import Object

pytest.importorskip("hypothesis", reason="property tests need hypothesis, of the extra [dev]")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from tests.ground.test_json import module_with  # noqa: E402
from tests.wire.test_lines import read  # noqa: E402
from tests.wire.test_page_items import known  # noqa: E402

STDLIB = module_with("stdlib")

TEXT = st.text(max_size=20)
SCALARS = st.none() | st.booleans() | st.integers(-2**70, 2**70) | TEXT | st.floats(
    allow_nan=False, allow_infinity=False)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4)
                      | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12)
NAMES = st.text(st.characters(categories=("Ll", "Nd")), min_size=1, max_size=10)


@st.composite
def objects(draw: st.DrawFn) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "name": draw(NAMES), "uid": draw(NAMES), "resourceVersion": draw(NAMES)}
    for name, values in (("namespace", st.none() | TEXT), ("generation", SCALARS),
                         ("labels", st.none() | st.dictionaries(TEXT, TEXT, max_size=3)),
                         ("annotations", VALUES), ("name", VALUES), ("uid", VALUES)):
        if draw(st.integers(0, 4)) > (3 if name in ("name", "uid") else 2):
            metadata[name] = draw(values)
    found = {"kind": "Pod", "apiVersion": "v1", "metadata": metadata,
             **draw(st.dictionaries(TEXT, VALUES, max_size=3))}
    order = draw(st.permutations(list(found)))
    return {name: found[name] for name in order}


@given(objects(), st.sampled_from(["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]), st.booleans())
def test_a_line_says_what_parsing_it_gives(obj: dict[str, Any], kind: str, spaced: bool) -> None:
    separators = (", ", ": ") if spaced else (",", ":")
    event = {"type": kind, "object": obj}
    [found] = read(json.dumps(event, separators=separators).encode() + b"\n")
    assert found.type == kind
    assert known(found.object) == known(Object.of(obj))
    assert same(found.object.mapping(), json.loads(json.dumps(obj)))


@given(VALUES, st.booleans())
def test_both_parsers_read_the_same(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    for data in (text, text.encode("utf-8", "surrogatepass")):
        assert same(json_parser.loads(data), STDLIB.loads(data))


JSONISH = st.text(alphabet='{}[]",:0123456789.eE+-\\ntrufalsN \t', max_size=30).map(str.encode)


@given(st.binary(max_size=30) | JSONISH)
def test_both_parsers_refuse_the_same(data: bytes) -> None:
    results = []
    for parser in (json_parser, STDLIB):
        try:
            results.append((True, parser.loads(data)))
        except ValueError:
            results.append((False, None))
    assert same(*results)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, their types too; NaN is NaN."""
    return repr(one) == repr(other)
