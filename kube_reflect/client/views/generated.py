"""Models of the client up to version 36: plain classes that say their fields' types as strings.

What it leans on: ``openapi_types`` (``"list[V1Container]"``, ``"dict(str, str)"`` up to 35 and
``"dict[str, str]"`` in 36), ``attribute_map``, one property for each attribute whose setter refuses
what the client does not allow, and a constructor that takes ``local_vars_configuration``.
"""

from __future__ import annotations

import datetime
import functools
import re
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import kubernetes.client
from dateutil.parser import parse  # type: ignore[import-untyped]

from kube_reflect.client.views.shapes import Field, Shape, noun

__all__ = ["shape_of"]

_MANY = re.compile(r"list\[(.*)\]|dict[(\[][^,]*, (.*)[)\]]")
_KINDS = {"str": "string", "int": "number", "float": "number", "bool": "boolean",
          "datetime": "string", "date": "string"}
_NOUNS = {"int": "an integer", "datetime": "a timestamp", "date": "a date"}
_UNCHECKED = SimpleNamespace(
    local_vars_configuration=SimpleNamespace(client_side_validation=False))


@functools.cache
def _configuration() -> Any:
    """Return what says whether setters check; the client's default, for all views together."""
    return kubernetes.client.Configuration.get_default_copy()


def shape_of(model: Any) -> Shape:
    """Return the shape of a generated model."""
    fields = {_stored(model, attribute): _field(model, attribute, key)
              for attribute, key in model.attribute_map.items()}
    return Shape(
        model, fields, ("local_vars_configuration", *fields, "discriminator"),
        eager=functools.partial(_build, model), blank=functools.partial(_blank, model),
        extras={"local_vars_configuration": _configuration, "discriminator": lambda: None},
        whole=("to_dict", "openapi_types"))


def _stored(model: Any, attribute: str) -> str:
    """Return the name that a property keeps its value under, by letting it set one."""
    probe = SimpleNamespace(**vars(_UNCHECKED))
    getattr(model, attribute).fset(probe, None)
    return next(name for name in vars(probe) if name not in vars(_UNCHECKED))


def _field(model: Any, attribute: str, key: str) -> Field:
    declared = model.openapi_types[attribute]
    many = _MANY.fullmatch(declared)
    inner = (many[1] or many[2]) if many else declared
    child = None if inner in _SIMPLE else getattr(kubernetes.client, inner, None)
    if child is not None and not child.openapi_types:
        child = None
    kind = ("list" if many[1] else "object") if many else "object" if child else _KINDS.get(
        declared, "")
    convert, setter = _converter(declared), getattr(model, attribute).fset
    name = _stored(model, attribute)

    def decode(value: Any) -> Any:
        probe = SimpleNamespace(local_vars_configuration=_configuration())
        setter(probe, None if value is None else convert(value))
        return vars(probe)[name]

    return Field(key, kind, noun(kind, _NOUNS.get(declared, "")), decode, child, bool(many), True)


def _primitive(kind: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        try:
            return kind(value)
        except TypeError:
            return value
    return convert


# As API servers write it. The client's parser, which guesses, takes fifty times as long.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{6})?Z")


@functools.cache
def _utc(_: tuple[str, str]) -> Any:
    """Return what the parser takes "Z" for: where local time is UTC, it is local time."""
    return parse("2000-01-01T00:00:00Z").tzinfo


def _moment(value: Any) -> Any:
    if type(value) is str and _MOMENT.fullmatch(value):
        return datetime.datetime.fromisoformat(value[:-1]).replace(tzinfo=_utc(time.tzname))
    return parse(value)


_SIMPLE: dict[str, Callable[[Any], Any]] = {
    "str": str,
    "int": _primitive(int), "float": _primitive(float), "bool": _primitive(bool),
    "object": lambda value: value, "datetime": _moment,
    "date": lambda value: parse(value).date(),
}


@functools.cache
def _converter(declared: str) -> Callable[[Any], Any]:
    """Return what makes the client's value of a parsed one that is not None."""
    if declared in _SIMPLE:
        return _SIMPLE[declared]
    many = _MANY.fullmatch(declared)
    if not many:
        # Looked up when there is one: 36 names a model that it left out.
        return lambda value: _build(getattr(kubernetes.client, declared), value)
    each = _converter(many[1] or many[2])
    if many[1]:
        return lambda values: [None if one is None else each(one) for one in values]
    return lambda values: {key: None if one is None else each(one)
                           for key, one in values.items()}


@functools.cache
def _plan(model: Any) -> list[tuple[str, str, Callable[[Any], Any]]]:
    return [(attribute, key, _converter(model.openapi_types[attribute]))
            for attribute, key in model.attribute_map.items()]


def _build(model: Any, data: Any) -> Any:
    """Make a model as the client does, only that types are read once and not at each value."""
    if not model.openapi_types or isinstance(data, model):
        return data
    if not isinstance(data, dict):
        raise ValueError(f"should be an object, is {type(data).__name__}")
    values = {attribute: convert(value) for attribute, key, convert in _plan(model)
              if (value := data.get(key)) is not None}
    return model(**values, local_vars_configuration=_configuration())


def _blank(model: Any, values: dict[str, Any]) -> Any:
    made = object.__new__(model)
    vars(made).update(values)
    return made
