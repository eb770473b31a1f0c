"""Paths into an object, as ``kubectl`` and the columns of custom resources write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["path", "text_of"]

_STEP = re.compile(r"""
    \.?(?P<key>(?:[^.\[\]\\]|\\.)+)
    | \[\s*(?P<index>-?\d+|\*)\s*\]
    | \[\s*(?P<quote>['"])(?P<quoted>.*?)(?P=quote)\s*\]
    | \[\?\(\s*@\.(?P<field>[^=!<>\s]+)\s*(?P<sign>==|!=)\s*
        (?P<around>['"]?)(?P<value>[^'"]*)(?P=around)\s*\)\]
    """, re.VERBOSE)

_Step = Callable[[Any], Iterator[Any]]


def path(text: str) -> Callable[[Mapping[str, Any]], list[Any]]:
    """Make a function that gives all that is at a path in an object.

    :param text: ``.metadata.name``, ``.spec.containers[*].image``, ``.spec.ports[0].port``,
        ``.metadata.labels['example.com/app']`` or ``.metadata.labels.example\\.com/app``,
        ``.status.conditions[?(@.type=="Ready")].status``; braces around it do no harm.
    :raises ValueError: it is none of these.
    """
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1]
    inner = inner.removeprefix("$").strip()
    steps, at = [], 0
    while at < len(inner):
        match = _STEP.match(inner, at)
        if match is None or match.end() == at:
            if inner[at:] == ".":
                break
            raise ValueError(f"{text!r} is no path: {inner[at:]!r} is not understood")
        steps.append(_step(match))
        at = match.end()

    def found(obj: Mapping[str, Any]) -> list[Any]:
        values: list[Any] = [obj]
        for step in steps:
            values = [inside for value in values for inside in step(value)]
        return values

    return found


def _step(match: re.Match[str]) -> _Step:
    if match["index"] is not None:
        return _every if match["index"] == "*" else _element(int(match["index"]))
    if match["sign"]:
        field, wanted = path("." + match["field"]), match["value"]
        equal = match["sign"] == "=="
        return lambda value: (one for one in _every(value)
                              if (wanted in map(text_of, field(one))) == equal)
    key = match["quoted"] if match["quote"] else re.sub(r"\\(.)", r"\1", match["key"])
    return lambda value: iter([value[key]] if isinstance(value, Mapping) and key in value else [])


def _every(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        return iter(value.values())
    return iter(value if isinstance(value, list) else [])


def _element(index: int) -> _Step:
    return lambda value: iter(value[index:index + 1 or None] if isinstance(value, list) else [])


def text_of(value: Any) -> str:
    """Write a value as it stands in a cell."""
    return str(value).lower() if isinstance(value, bool) else str(value)
