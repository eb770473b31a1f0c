"""kube_reflect.ground.json_parser: both parsers read the same."""

from __future__ import annotations

import importlib.util
import json
import math
from types import ModuleType
from typing import Any

import pytest

from kube_reflect.ground import json_parser


def module_with(choice: str) -> ModuleType:
    """Load the module anew, as it is with another setting in the environment."""
    assert json_parser.__spec__ is not None and json_parser.__spec__.origin is not None
    spec = importlib.util.spec_from_file_location("kube_reflect._json_again",
                                                  json_parser.__spec__.origin)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBE_REFLECT_JSON", choice)
        spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["stdlib", "fast"])
def parser(request: pytest.FixtureRequest) -> ModuleType:
    if request.param == "stdlib":
        return module_with("stdlib")
    found = module_with("")
    if found.PARSER == "stdlib":
        pytest.skip("the fast parser, of the extra [fast], is not installed")
    return found


VALID: list[str] = [
    "null", "true", "0", "-1", "1.5", "1e3", '""', "[]", "{}", ' { "a" : [ 1 , 2 ] } \n',
    '{"a":{"b":["c",null,{"d":false}]}}', r'"\u00e9\n\"\\\/"', '"é\N{PILE OF POO}"',
    "9223372036854775807", "-9223372036854775808", "18446744073709551615",
    "18446744073709551616", "123456789012345678901234567890", "0.1", "1e-400",
    r'"\ud83d\ude00"', r'"\ud800"', r'{"\ud800":1}', '{"a":1,"a":2}', "[" * 200 + "]" * 200,
    "1e400", "NaN", "[Infinity,-Infinity]",
]


@pytest.mark.parametrize("text", VALID, ids=range(len(VALID)))
def test_reads_what_json_reads(parser: ModuleType, text: str) -> None:
    expected = json.loads(text)
    for data in (text, text.encode()):
        found = parser.loads(data)
        assert type(found) is type(expected)
        assert found == expected or math.isnan(found)


@pytest.mark.parametrize("text", [
    "", " ", "{", "[1,]", "{'a':1}", '{"a" 1}', "nul", "01", "[1] x", '"', '"\n"', "[1 2]", "\x00",
])
def test_refuses_what_json_refuses(parser: ModuleType, text: str) -> None:
    for data in (text, text.encode()):
        with pytest.raises(ValueError):
            parser.loads(data)


@pytest.mark.parametrize(("data", "expected"), [
    (b'{"a":"\xff","b":1}', {"a": "\N{REPLACEMENT CHARACTER}", "b": 1}),
    (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
    (b'"caf\xe9"', "caf\N{REPLACEMENT CHARACTER}"),
])
def test_a_bad_byte_is_one_bad_character(
        parser: ModuleType, data: bytes, expected: Any) -> None:
    assert parser.loads(data) == expected


def test_a_choice_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="KUBE_REFLECT_JSON"):
        module_with("simplejson")
