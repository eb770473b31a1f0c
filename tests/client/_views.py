"""What the tests of views share: sources, the client's own answer, objects of every model."""

from __future__ import annotations

import base64
import functools
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from kubernetes import client

from kube_reflect.client.views import view_maker

DATA = Path(__file__).parents[1] / "data"
#: Generated classes up to client 36; pydantic's from 37 on.
PYDANTIC = hasattr(client.V1Pod, "model_validate")

_MANY = re.compile(r"(?:(list)|dict)[(\[](?:str, )?(.*)[)\]]")


class Source:
    """An object at rest."""

    def __init__(self, data: Any, name: str = "Pod.v1./one.default") -> None:
        self.data = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.name = name
        self.opened = 0

    def json(self) -> bytes:
        self.opened += 1
        return self.data

    def ref(self) -> str:
        return self.name


class _Response:
    def __init__(self, data: bytes) -> None:
        self.data = data


def eager(model: Any, data: Any) -> Any:
    """What the client itself makes of an object."""
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    if PYDANTIC:
        return model.from_dict(json.loads(text))
    # The configuration is read as each model is made, and is slow to make; it is the same.
    return client.ApiClient().deserialize(_Response(text), model.__name__)


def view(model: Any, data: Any) -> Any:
    return view_maker(model)(Source(data))


def pods() -> list[bytes]:
    with gzip.open(DATA / "pods-v1.36.jsonl.gz") as lines:
        return [line.strip() for line in lines]


def recorded_pods() -> Iterator[Any]:
    """The pods of all lists and watches that were recorded of real API servers."""
    for path in sorted((DATA / "wire").glob("*/*.json")):
        body = "".join(json.loads(path.read_text("utf-8"))["response"].get("chunks", []))
        for line in body.splitlines():
            try:
                found = json.loads(line)
            except ValueError:
                continue
            items = found.get("items") or [found.get("object")]
            # Some were made as custom objects are: without what every pod has.
            yield from (one for one in items if one and "status" in one
                        and one.get("spec", {}).get("containers"))


def models() -> list[Any]:
    """All models of the client that is installed."""
    # By dir: 37 imports them when they are asked for.
    found = {value for value in (getattr(client, name) for name in dir(client))
             if isinstance(value, type) and getattr(value, "openapi_types", None)}
    return sorted(found, key=lambda model: str(model.__name__))


@functools.cache
def attributes(model: Any) -> dict[str, str]:
    """The attributes that a model documents, with their types as both families write them."""
    return {name: str(declared)[:1].lower() + str(declared)[1:]
            if re.match("List|Dict", str(declared)) else str(declared)
            for name, declared in model.openapi_types.items()}


def known(declared: str) -> bool:
    """Whether the client has such a type: 36 names one that it left out."""
    many = _MANY.fullmatch(declared)
    return known(many[2]) if many else declared in _SIMPLE or hasattr(client, declared)


@functools.cache
def is_required(model: Any, attribute: str) -> bool:
    if PYDANTIC:
        field = model.model_fields.get(attribute) or (
            model.model_fields["var_" + attribute.lstrip("_")])
        return bool(field.is_required())
    probe = type("Probe", (), {"local_vars_configuration": client.Configuration()})()
    try:
        getattr(model, attribute).fset(probe, None)
    except ValueError:
        return True
    return False


_text = st.text(max_size=6)
_any = st.recursive(st.none() | st.booleans() | st.integers() | _text,
                    lambda inner: st.lists(inner, max_size=2)
                    | st.dictionaries(_text, inner, max_size=2), max_leaves=4)
_moments = st.datetimes().map(lambda one: one.replace(microsecond=0).isoformat() + "Z") | (
    st.datetimes().map(lambda one: one.isoformat(timespec="microseconds") + "Z"))
#: Strings up to client 36, whose setters look whether it is base64.
_BASE64 = {"caBundle", "certificate", "pkixPublicKey", "proofOfPossession", "request",
           "stubPKCS10Request"}
_SIMPLE: dict[str, Any] = {
    "str": _text, "int": st.integers(-2**63, 2**63), "bool": st.booleans(),
    "float": st.floats(allow_nan=False, allow_infinity=False), "datetime": _moments,
    "object": _any, "bytes": st.binary(max_size=6).map(
        lambda one: base64.b64encode(one).decode()),
}


@functools.cache
def json_of(declared: str, depth: int = 0) -> Any:
    """A strategy for the JSON of a declared type."""
    if declared in _SIMPLE:
        return _SIMPLE[declared]
    many = _MANY.fullmatch(declared)
    if not many:
        return objects_of(getattr(client, declared), depth + 1)
    inner = json_of(many[2], depth)
    return st.lists(inner, max_size=2) if many[1] else st.dictionaries(_text, inner, max_size=2)


@functools.cache
def objects_of(model: Any, depth: int = 0) -> Any:
    """A strategy for the JSON of a model: what is required, and some of the rest."""
    def draw(draw: Any) -> dict[str, Any]:
        made = {}
        for name, declared in attributes(model).items():
            if model.attribute_map[name] == "dependencies" or not known(declared):
                continue
            required = is_required(model, name)
            if not required and (depth > 4 or draw(st.integers(0, 1 + depth)) > 0):
                continue
            made[model.attribute_map[name]] = draw(field_of(model, name, declared, depth))
        if draw(st.booleans()):
            made["notKnown"] = draw(_any)
        return made
    return st.composite(draw)()


@functools.cache
def field_of(model: Any, name: str, declared: str, depth: int) -> Any:
    """A strategy for one field, where a type's name does not tell all that the client asks."""
    if model.attribute_map[name] in _BASE64 and declared in ("str", "bytes"):
        return _SIMPLE["bytes"]
    if declared != "object":
        return json_of(declared, depth)
    if not PYDANTIC:
        return _any.filter(lambda value: value is not None) if is_required(model, name) else _any
    annotation = str(model.model_fields[name].annotation)
    if "Dict" in annotation:
        return st.dictionaries(_text, _any, max_size=2)
    return st.integers(0, 2**31) | _text if "int" in annotation else _any


def assert_same(found: Any, expected: Any, where: str = "") -> None:
    """Compare what is read, attribute by attribute."""
    if hasattr(expected, "attribute_map"):
        assert isinstance(found, type(expected)), where
        assert type(found).__name__ == type(expected).__name__
        for name in expected.attribute_map:
            assert_same(getattr(found, name), getattr(expected, name), f"{where}.{name}")
        return
    assert type(found) is type(expected), where
    if isinstance(expected, list):
        assert len(found) == len(expected), where
        for at, one in enumerate(expected):
            assert_same(found[at], one, f"{where}[{at}]")
    elif isinstance(expected, dict):
        assert list(found) == list(expected), where
        for key, one in expected.items():
            assert_same(found[key], one, f"{where}[{key}]")
    else:
        assert found == expected, where
        assert type(getattr(found, "tzinfo", None)) is type(getattr(expected, "tzinfo", None))
