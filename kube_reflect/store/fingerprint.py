"""What an object consists of, so that two moments of it can be compared."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

__all__ = ["differences", "fingerprint"]

_PLAIN = frozenset({str, int, float, bool, bytes, type(None)})
_PROTOCOL = 4


def fingerprint(value: Any) -> dict[str, Any]:
    """Return all that there is in an object, by path: ``metadata.labels.app`` and the like.

    It goes through mappings and lists, models of the official client, and whatever else can be
    copied. Of what cannot be, it notes only which one it is.
    """
    found: dict[str, Any] = {}
    # A reference to each object that was seen, so that no other one gets its id meanwhile.
    seen: dict[int, Any] = {}
    left: list[tuple[str, Any]] = [("", value)]
    while left:
        path, one = left.pop()
        kind = type(one)
        if kind in _PLAIN:
            # The type belongs to it, because 1 == True.
            found[path] = kind, one
            continue
        parts = None if id(one) in seen else _parts(one)
        seen[id(one)] = one
        if parts is None:
            found[path] = kind, id(one)
        else:
            found[path] = kind, len(parts)
            left.extend((path + step, part) for step, part in parts)
    return found


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """List the paths at which two fingerprints differ, but not the paths that contain these."""
    paths = {path for path in before.keys() | after.keys()
             if before.get(path) != after.get(path)}
    return sorted(path.lstrip(".") for path in paths
                  if not any(_is_within(other, path) for other in paths)) or [""]


def _is_within(path: str, outer: str) -> bool:
    return len(path) > len(outer) and path.startswith(outer) and (
        not outer or path[len(outer)] in ".[(")


def _parts(one: Any) -> list[tuple[str, Any]] | None:
    """List the parts of an object; None if it has none that could be looked at."""
    if isinstance(one, Mapping):
        return list(_items(one.items()))
    if isinstance(one, (list, tuple)):
        return [(f"[{position}]", part) for position, part in enumerate(one)]
    if isinstance(one, Set):
        return [(f"({part!r})", None) for part in one]
    if isinstance(one, type):
        return None
    names = getattr(type(one), "openapi_types", None)
    if isinstance(names, Mapping):
        # A model of the official client. Its configuration is no part of the object.
        return [(f".{name}", getattr(one, name, None)) for name in names]
    return _parts_of_copy(one)


def _parts_of_copy(one: Any) -> list[tuple[str, Any]] | None:
    """List the parts that `copy` would copy."""
    try:
        reduced = one.__reduce_ex__(_PROTOCOL)
    except Exception:
        return None
    if not isinstance(reduced, tuple):
        return None
    arguments, state, elements, entries = (list(reduced[1:5]) + [None] * 4)[:4]
    parts = [("()", arguments), *_items(entries or ())]
    parts += [(f"[{position}]", part) for position, part in enumerate(elements or ())]
    for some in state if isinstance(state, tuple) else (state,):
        if isinstance(some, Mapping):
            parts += _items((name, part) for name, part in some.items()
                            if not _is_computed(type(one), name))
        elif some is not None:
            parts.append(("()", some))
    return parts


def _items(items: Iterable[tuple[Any, Any]]) -> Iterator[tuple[str, Any]]:
    for name, part in items:
        yield (f".{name}" if isinstance(name, str) else f"[{name!r}]"), part


def _is_computed(kind: type, name: object) -> bool:
    """Whether an attribute is there since somebody asked for it; that changes nothing."""
    return isinstance(name, str) and isinstance(getattr(kind, name, None),
                                                functools.cached_property)
