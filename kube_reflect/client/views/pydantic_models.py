"""Models of the client from version 37 on: pydantic's.

What it leans on: ``model_fields`` with their ``annotation`` and ``serialization_alias``,
``from_dict``, and, where a model checks a field with a function of its own,
``validate_assignment`` of its ``__pydantic_validator__``. pydantic is imported only when there is
such a model.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterable
from typing import Any, Annotated, Union, get_args, get_origin

from kube_reflect.client.views.failures import Unfit
from kube_reflect.client.views.shapes import Field, Shape, noun

__all__ = ["is_pydantic", "shape_of"]

_set = object.__setattr__
_KINDS = {str: "string", int: "number", float: "number", bool: "boolean", list: "list",
          dict: "object"}
_NOUNS: dict[type, str] = {int: "an integer"}


def is_pydantic(model: Any) -> bool:
    """Return whether it is a model of pydantic's."""
    return hasattr(model, "__pydantic_validator__")


def shape_of(model: Any) -> Shape:
    """Return the shape of a model of pydantic's."""
    checked = {name for each in model.__pydantic_decorators__.field_validators.values()
               for name in each.info.fields}
    fields = {name: _field(model, name, info, name in checked)
              for name, info in model.model_fields.items()}
    # What from_dict leaves: it gives the validator every field, None where there is none.
    extras: dict[str, Callable[[], Any]] = {
        "__pydantic_fields_set__": lambda: set(fields), "__pydantic_extra__": lambda: None,
        "__pydantic_private__": lambda: None}
    return Shape(
        model, fields, tuple(fields), model.from_dict,
        functools.partial(_blank, model, fields_set=fields), extras, frozenset(extras),
        whole=("to_dict", "model_dump", "model_dump_json"))


def _blank(model: Any, values: dict[str, Any], fields_set: Iterable[str] = ()) -> Any:
    made = object.__new__(model)
    _set(made, "__dict__", values)
    _set(made, "__pydantic_fields_set__", set(fields_set))
    _set(made, "__pydantic_extra__", None)
    _set(made, "__pydantic_private__", None)
    return made


def _field(model: Any, name: str, info: Any, checked: bool) -> Field:
    declared = _without_none(info.annotation)
    origin, args = get_origin(declared), get_args(declared)
    kind, special = _kind(declared)
    many = origin in (list, dict)
    child = args[-1] if many else declared
    found = child if isinstance(child, type) and is_pydantic(child) else None
    if found is not None and not many:
        kind = "object"
    exact = None if checked else _exact(declared)
    return Field(info.serialization_alias or name, kind, noun(kind, special),
                 _decoder(model, name, info, checked), found, many, exact=exact)


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, types.UnionType):
        left = [one for one in get_args(annotation) if one is not type(None)]
        if len(left) == 1:
            return left[0]
    return annotation


def _base(declared: Any) -> Any:
    origin = get_origin(declared)
    return get_args(declared)[0] if origin is Annotated else origin or declared


def _kind(declared: Any) -> tuple[str, str]:
    """Return the kind of JSON value, and what messages call it where that is something else."""
    if getattr(declared, "__name__", "") == "datetime":
        return "string", "a timestamp"
    # Bytes or a string, as both of which base64 may be given.
    if get_origin(declared) is Union and set(map(_base, get_args(declared))) == {bytes, str}:
        return "string", "base64"
    base = _base(declared)
    return (_KINDS.get(base, ""), _NOUNS.get(base, "")) if isinstance(base, type) else ("", "")


def _exact(declared: Any) -> type | None:
    """Return the type whose values pydantic takes as they are, where it is that simple."""
    if get_origin(declared) is Annotated:
        base, *conditions = get_args(declared)
        if base in (str, int, bool) and all(
                type(one).__name__ == "Strict" for one in conditions):
            return base  # type: ignore[no-any-return]
    return None


@functools.cache
def _validator(annotation: Any) -> Callable[[Any], Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(annotation).validator.validate_python


def _decoder(model: Any, name: str, info: Any, checked: bool) -> Callable[[Any], Any]:
    optional = info.annotation is Any or type(None) in get_args(info.annotation)

    def decode(value: Any) -> Any:
        if value is None:
            if optional:
                return None
            raise Unfit("should not be null")
        if not checked:
            return _validator(info.annotation)(value)
        # What the model itself has checked of a field, it checks where the field is set.
        probe = _blank(model, {})
        model.__pydantic_validator__.validate_assignment(probe, name, value)
        return vars(probe)[name]

    return decode
