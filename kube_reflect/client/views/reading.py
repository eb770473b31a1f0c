"""One field of one level, read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from kube_reflect.client.views.documents import JsonSource, Path, level_of, nesting
from kube_reflect.client.views.failures import Unfit, a, reason_of
from kube_reflect.client.views.shapes import Field
from kube_reflect.errors import FieldError
from kube_reflect.ground.foreign import fails_again

__all__ = ["Maker", "as_it_is", "read", "refusal"]

#: Makes a view of what is at a path of a source.
Maker = Callable[..., Any]

#: Keys that are written as they are; others, of maps, in brackets and quotes.
_PLAIN = re.compile(r"[\w$-]+")

#: What is nested deeper than this, not every parser can read. What is not, can be read by who has
#: more of the stack left.
_DEEP = 200


def read(field: Field, child: Maker | None, source: JsonSource, path: Path) -> Any:
    """Return the value of a field: decoded, or views of what it holds.

    It raises whatever the model's decoder does; see `refusal`.
    """
    way, level = level_of(source, path)
    node = level.get(field.key)
    if child is None or node is None:
        value = way.load(node) if type(node) is way.piece else way.take(node)
        return value if type(value) is field.exact else field.decode(value)
    kind = "object" if type(node) is dict else way.kind_of(node)
    if kind != field.kind:
        if kind == "null":
            return field.decode(None)
        raise Unfit(f"should be {field.noun}, is {a(kind)}")
    path = (*path, field.key)
    if not field.many:
        return child(source, path)
    way, level = level_of(source, path)
    if kind == "list":
        return [_one(field, child, source, (*path, at), way.kind_of(node))
                for at, node in enumerate(level)]
    return {key: _one(field, child, source, (*path, key), way.kind_of(node))
            for key, node in level.items()}


def refusal(error: Exception, field: Field, child: Maker | None, source: JsonSource,
            path: Path) -> FieldError:
    """Return what an error of `read` means; raise it, if it is none of the field's own."""
    fails_again(error, read, field, child, source, path)
    return _field_error(error, field, source, path)


def _one(field: Field, child: Maker, source: JsonSource, path: Path, kind: str) -> Any:
    if kind == "object":
        return child(source, path)
    if kind == "null" and field.nulls:
        return None
    raise Unfit(f"should be an object, is {a(kind)}", path[-1:])


def as_it_is(field: Field, source: JsonSource, path: Path) -> Any:
    """Return the value of a field as it is in JSON, whatever the model declares.

    :raises FieldError: if it cannot be parsed.
    """
    way, level = level_of(source, path)
    node = level.get(field.key)
    try:
        return None if node is None else way.take(node)
    except (ValueError, RecursionError) as error:
        fails_again(error, way.take, node)
        raise _field_error(error, field, source, path) from error


def _field_error(error: Exception, field: Field, source: JsonSource, path: Path) -> FieldError:
    way, level = level_of(source, path)
    node = level.get(field.key)
    found = way.kind_of(node) if field.key in level else "missing"
    reason, within = reason_of(error)
    if isinstance(error, RecursionError):
        reason = _too_deep(error, node)
    elif found in ("null", "missing"):
        reason, within = f"should be {field.noun}, is {found}", ()
    elif field.kind and found != field.kind:
        reason, within = f"should be {field.noun}, is {a(found)}", ()
    where = _dotted((*path, field.key, *(_found(way.take(node), within) if within else ())))
    return FieldError(f"{source.ref()}: {where}: {reason}", field=where)


def _found(value: Any, within: Path) -> Iterator[str | int]:
    """Yield as much of a path as there is; pydantic's also has the types that it tried."""
    for one in within:
        try:
            value = value[one]
        except (LookupError, TypeError):
            return
        yield one


def _too_deep(error: RecursionError, node: Any) -> str:
    levels = nesting(node)
    if levels <= _DEEP:
        raise error
    return f"is nested {levels} levels deep"


def _dotted(path: Path) -> str:
    return "".join(
        f".{one}" if isinstance(one, str) and _PLAIN.fullmatch(one) else f"[{one!r}]"
        for one in path).removeprefix(".")
