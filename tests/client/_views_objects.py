"""Objects of every model of the installed client, drawn from the types that it declares."""

from __future__ import annotations

import base64
import functools
import re
from typing import Any

from hypothesis import strategies as st
from kubernetes import client

from ._views import PYDANTIC

_MANY = re.compile(r"(?:(list)|dict)[(\[](?:str, )?(.*)[)\]]")


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
