"""Descriptions of values and functions, equal in two processes if what they describe is."""

from __future__ import annotations

import functools
import hashlib
import types
from collections.abc import Mapping
from typing import Any

__all__ = ["described"]

_PLAIN = (str, bytes, int, float, bool, type(None))
#: Deeper than this, a value is described by its class alone.
_DEEPEST = 6


def described(value: Any, around: tuple[int, ...] = ()) -> str:
    """Return what is known of a value.

    A function is told by its module and name, its instructions, its defaults, and what it holds
    of the functions around it. What it calls is not looked at.

    :param around: the ids of what it is a part of.
    """
    if type(value) in _PLAIN:
        return repr(value)
    if len(around) > _DEEPEST or id(value) in around:
        return _name(type(value))

    def inner(part: Any) -> str:
        return described(part, (*around, id(value)))

    if isinstance(value, (list, tuple, set, frozenset)):
        parts = [inner(one) for one in value]
        return f"[{', '.join(parts if isinstance(value, (list, tuple)) else sorted(parts))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{inner(key)}: {inner(one)}' for key, one in value.items())}}}"
    if isinstance(value, functools.partial):
        return f"partial({inner(value.func)}, {inner(value.args)}, {inner(value.keywords)})"
    if isinstance(value, types.MethodType):
        # The object that a method belongs to is left out: it may be a whole API client.
        return f"{_name(type(value.__self__))}.{value.__name__}"
    if isinstance(value, types.FunctionType):
        cells = [_content(cell) for cell in value.__closure__ or ()]
        return (f"{_name(value)} {_digest(value.__code__)} "
                f"{inner([value.__defaults__, value.__kwdefaults__, cells])}")
    if isinstance(value, (type, types.BuiltinFunctionType, types.ModuleType)):
        return _name(value)
    state = getattr(value, "__dict__", None)
    return f"{_name(type(value))}({inner(state) if state else ''})"


def _name(one: Any) -> str:
    name = getattr(one, "__qualname__", None) or getattr(one, "__name__", "")
    return f"{getattr(one, '__module__', '')}.{name}"


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        # The cell is still empty.
        return None


def _digest(code: types.CodeType) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for one in (code.co_code, *(_constant(constant) for constant in code.co_consts),
                *(name.encode() for name in code.co_names)):
        digest.update(len(one).to_bytes(4, "big") + one)
    return digest.hexdigest()


def _constant(constant: Any) -> bytes:
    if isinstance(constant, types.CodeType):
        return _digest(constant).encode()
    # A set has another order in each process.
    return repr(sorted(map(repr, constant)) if isinstance(constant, frozenset)
                else constant).encode("utf-8", "surrogatepass")
