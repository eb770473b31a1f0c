"""How errors are described in one line, and why some objects cannot be pickled."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kube_reflect.ground.foreign import text_of

__all__ = ["no_value", "reason_of"]

#: Characters of a line; what is longer is cut.
_LONGEST = 300
_VALID = re.compile(r"\ban? valid (?=([aeiou])?)")
#: How messages of pydantic begin, which say it to a person who looks at the value.
_PREFIXES = ("Input ", "Value error, ", "Assertion failed, ")
_KINDS = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", int: "a number",
          float: "a number"}

_Path = tuple[Any, ...]


def reason_of(error: BaseException, obj: Any = None) -> str:
    """Return in one line what an error says.

    Of a pydantic ValidationError, that is the first field, what is wrong with it, and how many
    more there are: ``spec.drivers: should be a list, is null (and 2 more)``. It names no values,
    which may be secret. Of others it is their class and their text.

    :param error: any exception.
    :param obj: the mapping that was refused. A model's models are made one by one, and each knows
        only its own fields; by this the way to them is found, where there is but one. Where it
        is not, the name of the model stands before them.
    """
    found = _fields(error)
    if not found:
        said = " ".join(text_of(error).split())
        return _cut(f"{type(error).__name__}: {said}" if said else type(error).__name__)
    first = found[0]
    path = tuple(first.get("loc") or ())
    said = _said(str(first.get("msg", "")), str(first.get("type", "")), first.get("input"))
    title = str(getattr(error, "title", ""))
    where = _written(path if obj is None else _from_the_root(path, first, obj, title)) or title
    more = len(found) - 1
    return _cut(f"{where}: {said}") + (f" (and {more} more)" if more else "")


def _fields(error: BaseException) -> list[dict[str, Any]]:
    """Return what pydantic says of each field; nothing for other errors."""
    if type(error).__name__ != "ValidationError" or not callable(getattr(error, "errors", None)):
        return []
    try:
        found = error.errors(include_url=False)  # type: ignore[attr-defined]
    except TypeError:
        # An error of another library that has the same name.
        return []
    good = isinstance(found, list) and all(isinstance(one, dict) for one in found)
    return found if good else []


def _said(message: str, kind: str, value: Any) -> str:
    for prefix in _PREFIXES:
        message = message.removeprefix(prefix)
    message = _VALID.sub(lambda match: "an " if match[1] else "a ", message)
    message = message.split("\n")[0]
    message = message[:1].lower() + message[1:]
    if not kind.endswith("_type"):
        return message
    return f"{message}, is {'null' if value is None else _KINDS.get(type(value), 'something else')}"


def _from_the_root(path: _Path, first: Mapping[str, Any], obj: Any, title: str) -> _Path:
    """Return the path from the root of an object, if only one place in it fits."""
    value = first.get("input")
    # For a missing field, pydantic's input is the mapping that lacks it.
    ending = path[:-1] if first.get("type") == "missing" else path
    places = [place for place, found in _walk(obj, ())
              if found is value and place[len(place) - len(ending):] == ending]
    return places[0] + path[len(ending):] if len(places) == 1 else (title, *path)


def _walk(value: Any, path: _Path) -> Iterator[tuple[_Path, Any]]:
    """Yield all values in a mapping, each with its path; without recursion, so of any depth."""
    left = [(path, value)]
    while left:
        path, value = left.pop()
        yield path, value
        if isinstance(value, Mapping):
            left += [((*path, key), one) for key, one in value.items()]
        elif isinstance(value, list):
            left += [((*path, number), one) for number, one in enumerate(value)]


def _written(path: _Path) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}"
                   for step in path).removeprefix(".")


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST else line[:_LONGEST - 1] + "…"


def no_value(why: str) -> Any:
    """Return a ``__reduce_ex__`` that says why an object cannot be pickled or copied deeply."""
    def refuse(self: Any, protocol: Any) -> Any:
        raise TypeError(f"a {type(self).__name__} cannot be pickled or copied: {why}")

    return refuse
