"""One way to parse JSON, by the fastest parser there, with the same results from each.

An object may be stored as the JSON that it came as: a glance at it gives what the store needs to
know. With msgspec installed (the extra ``fast``) it need not be parsed for that until somebody
reads it. Without, it must be; but in a burst of events it is still quicker to store as it came.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from typing import Any

from kube_reflect._raw import RawObject

__all__ = ["GLANCES", "PARSER", "glance", "glance_at_item", "loads"]

_CHOICES = ("stdlib", "msgspec")
#: The environment variable KUBE_REFLECT_JSON forces one parser.
_choice = os.environ.get("KUBE_REFLECT_JSON", "")
if _choice and _choice not in _CHOICES:
    raise ValueError(f"KUBE_REFLECT_JSON must be one of {', '.join(_CHOICES)}: {_choice!r}")

_fast_loads: Callable[[bytes | str], Any] | None = None
_fast_look: Callable[[bytes], RawObject | None] | None = None
if _choice != "stdlib":
    try:
        from kube_reflect._fast import loads as _fast_loads
        from kube_reflect._fast import look as _fast_look
    except ImportError:
        if _choice == "msgspec":
            raise

#: The parser in use: msgspec if it is installed, else stdlib.
PARSER = "stdlib" if _fast_loads is None else "msgspec"

#: Whether a glance is quicker than parsing.
GLANCES = _fast_look is not None

#: An event that holds a whole object, as the API server writes it.
_START = re.compile(rb'\{"type":"(ADDED|MODIFIED|DELETED)","object":(?=\{)')


def loads(data: bytes | str) -> Any:
    """Parse one JSON value.

    :raises ValueError: for what is no JSON.
    """
    if _fast_loads is not None:
        try:
            return _fast_loads(data)
        except ValueError:
            # Stricter than the standard library (lone surrogates, NaN, invalid UTF-8), which
            # has the last word, so that both installations read the same.
            pass
    # One bad byte in some string is no reason to lose the object around it.
    return json.loads(data if isinstance(data, str) else data.decode("utf-8", "replace"))


def glance(line: bytes) -> tuple[str, RawObject] | None:
    """Look at the line of a watch event for what is to be known of the object in it.

    That all of it is JSON is checked. Gives the type of the event and the object; None for all
    but the plainest of events, written as the API server writes them, which are to be parsed.

    :param line: with or without its newline.
    """
    start = _START.match(line)
    if start is None or not line.endswith((b"}\n", b"}")):
        return None
    end = -2 if line.endswith(b"\n") else -1
    # If that is one JSON value, then it is the object, and there is nothing beside it.
    seen = (_fast_look or _look)(line[start.end():end])
    return None if seen is None else (start[1].decode(), seen)


def glance_at_item(data: bytes) -> RawObject | None:
    """Look at an item of a list in the same way, where that is quicker than parsing."""
    return None if _fast_look is None else _fast_look(data)


def _look(data: bytes) -> RawObject | None:
    """Parse it after all; it is then quicker to store, as it came."""
    try:
        obj = loads(data)
    except ValueError:
        return None
    metadata = obj.get("metadata")
    if type(metadata) is not dict:
        return None
    api_version, kind, name = obj.get("apiVersion"), obj.get("kind"), metadata.get("name")
    uid, version = metadata.get("uid"), metadata.get("resourceVersion")
    namespace, labels = metadata.get("namespace"), metadata.get("labels") or {}
    plain = (all(type(one) is str for one in (api_version, kind, name, uid, version))
             and (namespace is None or type(namespace) is str) and type(labels) is dict
             and all(type(value) is str for value in labels.values()))
    if not (plain and api_version and kind and name and version) or uid is None:
        return None
    return RawObject(data, api_version, kind, namespace or None, name, uid, version, labels, obj)


RawObject.parse = staticmethod(loads)
