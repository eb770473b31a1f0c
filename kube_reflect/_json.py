"""One way to parse JSON, by the fastest parser there, with the same results from each.

With msgspec installed (the extra ``fast``), the objects of a burst of events need not be parsed at
all until somebody reads them: a glance at the line gives what the store needs to know.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from kube_reflect._raw import RawObject

__all__ = ["PARSER", "glance", "loads"]

_CHOICES = ("stdlib", "msgspec")
#: The environment variable KUBE_REFLECT_JSON forces one parser.
_choice = os.environ.get("KUBE_REFLECT_JSON", "")
if _choice and _choice not in _CHOICES:
    raise ValueError(f"KUBE_REFLECT_JSON must be one of {', '.join(_CHOICES)}: {_choice!r}")

_fast_loads: Callable[[bytes | str], Any] | None = None
_fast_glance: Callable[[bytes], tuple[str, RawObject] | None] | None = None
if _choice != "stdlib":
    try:
        from kube_reflect._fast import glance as _fast_glance
        from kube_reflect._fast import loads as _fast_loads
    except ImportError:
        if _choice == "msgspec":
            raise

#: The parser in use: msgspec if it is installed, else stdlib.
PARSER = "stdlib" if _fast_loads is None else "msgspec"


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
    """Look at the line of a watch event without parsing the object in it, where that can be.

    Gives its type and the object; None where it is to be parsed.
    """
    return None if _fast_glance is None else _fast_glance(line)


RawObject.parse = staticmethod(loads)
