"""kube_reflect.selector"""

from __future__ import annotations

import copy
import dataclasses
import pickle
from types import MappingProxyType
from typing import Any

import pytest

from kube_reflect.selector import (FieldSelector, Operator, Requirement, Selector, parse,
                                   parse_field_selector)

from kube_reflect import Config
from tests.support.selector_cases import (
    ACCEPTED, ACCEPTED_LATELY, FIELDS_ACCEPTED, FIELDS_REJECTED, LONG, REJECTED)


@pytest.mark.parametrize(("text", "canonical"), (ACCEPTED | ACCEPTED_LATELY).items())
def test_accepted(text: str, canonical: str) -> None:
    selector = parse(text)
    assert str(selector) == canonical
    assert parse(canonical) == selector
    assert bool(selector) == bool(canonical)


@pytest.mark.parametrize("text", ACCEPTED_LATELY)
def test_what_some_servers_take_is_asked_for_as_it_is_written(text: str) -> None:
    assert Config(label_selector=text).label_selector == text


def test_commas_with_nothing_between_them_stand_for_the_empty_value() -> None:
    labels: list[dict[str, str]] = [{}, {"a": ""}, {"a": "b"}, {"a": "c"}]
    assert [parse("a in (b,,)").matches(one) for one in labels] == [False, True, True, False]
    assert [parse("a in (,,)").matches(one) for one in labels] == [False, True, False, False]
    assert [parse("a notin (,,)").matches(one) for one in labels] == [True, False, True, True]


@pytest.mark.parametrize(("text", "message"), REJECTED.items())
def test_rejected(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"invalid label selector {text!r}: ")


@pytest.mark.parametrize("selector", [1, b"a=b", ["a=b"], ("a", "b"), {1: "b"}, {"a": 1},
                                      {"a": None}, {"a": ["b"]}, {"a": True}])
def test_wrong_type(selector: Any) -> None:
    with pytest.raises(TypeError, match="label selector"):
        parse(selector)


@pytest.mark.parametrize("mapping", [{"": "b"}, {"-": "b"}, {"a": "b c"}, {"a": LONG + "x"},
                                     {"A/b": "c"}, {"a=b": "c"}])
def test_bad_mapping(mapping: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="invalid label selector"):
        parse(mapping)


def test_a_mapping_asks_for_equality() -> None:
    assert parse({"b": "", "a": "x"}) == parse("a=x,b=")
    assert parse(MappingProxyType({"a": "x"})) == parse("a=x")
    assert not parse({})


def test_nothing_selects_everything() -> None:
    for selector in (parse(None), parse(""), parse(" "), parse({}), parse(Selector())):
        assert not selector
        assert selector.matches(None) and selector.matches({"a": "b"})


def test_a_selector_is_itself() -> None:
    selector = parse("a=b")
    assert parse(selector) is selector


def test_requirements() -> None:
    assert parse("n>3,a notin (y,x),!c").requirements == (
        Requirement("a", Operator.NOT_IN, ("x", "y")),
        Requirement("c", Operator.DOES_NOT_EXIST),
        Requirement("n", Operator.GREATER_THAN, ("3",)))


def test_is_a_value() -> None:
    selector = parse("a=b,!c")
    assert selector == parse("!c,a==b") and hash(selector) == hash(parse("!c,a==b"))
    assert selector != parse("a=b")
    assert pickle.loads(pickle.dumps(selector)) == selector == copy.deepcopy(selector)
    with pytest.raises(dataclasses.FrozenInstanceError):
        selector.requirements = ()  # type: ignore[misc]


@pytest.mark.parametrize(("text", "labels", "expected"), [
    ("a", {"a": ""}, True),
    ("a", {"b": "x"}, False),
    ("a", None, False),
    ("!a", {"a": ""}, False),
    ("!a", {}, True),
    ("!a", None, True),
    ("a=x", {"a": "x", "b": "y"}, True),
    ("a=x", {"a": "X"}, False),
    ("a=", {"a": ""}, True),
    ("a=", {}, False),
    ("a!=x", {"a": "y"}, True),
    ("a!=x", {"a": "x"}, False),
    ("a!=x", {}, True),
    ("a!=", {"a": ""}, False),
    ("a!=", {}, True),
    ("a in (x,y)", {"a": "y"}, True),
    ("a in (x,y)", {"a": "z"}, False),
    ("a in (x,y)", None, False),
    ("a in (,x)", {"a": ""}, True),
    ("a in (,x)", {}, False),
    ("a notin (x,y)", {"a": "y"}, False),
    ("a notin (x,y)", {"a": "z"}, True),
    ("a notin (x,y)", None, True),
    ("a>5", {"a": "6"}, True),
    ("a>5", {"a": "5"}, False),
    ("a>5", {"a": "10"}, True),
    ("a>5", {"a": "006"}, True),
    ("a>5", {"a": "x"}, False),
    ("a>5", {"a": "1_0"}, False),
    ("a>5", {"a": ""}, False),
    ("a>5", {"a": "\u0666"}, False),
    ("a>5", {"a": "9223372036854775808"}, False),
    ("a>5", {"a": "9" * 5000}, False),
    ("a>5", {}, False),
    ("a<5", {"a": "4"}, True),
    ("a<5", {"a": "5"}, False),
    ("a<5", {}, False),
    ("a<5", {"a": "-1"}, True),
    ("a=x,b", {"a": "x", "b": "y"}, True),
    ("a=x,b", {"a": "x"}, False),
    ("a,!a", {"a": "x"}, False),
    ("x.example/a=y", {"x.example/a": "y"}, True),
    ("x.example/a=y", {"a": "y"}, False),
])
def test_matches(text: str, labels: dict[str, str] | None, expected: bool) -> None:
    assert parse(text).matches(labels) is expected


@pytest.mark.parametrize(("text", "canonical"), FIELDS_ACCEPTED.items())
def test_field_selector_accepted(text: str, canonical: str) -> None:
    selector = parse_field_selector(text)
    assert str(selector) == canonical
    assert parse_field_selector(canonical) == selector
    assert bool(selector) == bool(canonical)


@pytest.mark.parametrize(("text", "message"), FIELDS_REJECTED.items())
def test_field_selector_rejected(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_field_selector(text)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"invalid field selector {text!r}: ")


@pytest.mark.parametrize("selector", [1, b"a=b", {"a": "b"}])
def test_field_selector_wrong_type(selector: Any) -> None:
    with pytest.raises(TypeError, match="field selector"):
        parse_field_selector(selector)


def test_field_selector_itself_and_none() -> None:
    selector = parse_field_selector("a=b")
    assert parse_field_selector(selector) is selector
    assert parse_field_selector(None) == FieldSelector() == parse_field_selector("")
    assert hash(selector) == hash(parse_field_selector("a==b"))


@pytest.mark.parametrize(("text", "expected"), [
    ("", True),
    ("metadata.name=web", True),
    ("metadata.name!=web", False),
    ("metadata.name=web,status.phase!=Failed", True),
    ("metadata.name=web,status.phase=Failed", False),
    ("spec.nodeName=", True),
    ("spec.nodeName!=", False),
    (r"metadata.note=a\,b\=c\\d", True),
])
def test_field_selector_matches(text: str, expected: bool) -> None:
    fields = {"metadata.name": "web", "status.phase": "Running", "metadata.note": "a,b=c\\d"}
    assert parse_field_selector(text).matches(lambda field: fields.get(field, "")) is expected
