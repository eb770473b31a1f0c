"""What users' functions say of an object: conditions, predicates, ``where``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kube_reflect._object import BadObject, Object
from kube_reflect.errors import FieldError, KubeReflectError
from kube_reflect.store.cache import Cache
from kube_reflect.store.user_code import FunctionFailed, attempt

__all__ = ["holds"]

_LEFT_OUT = "left out of what was asked for"


def holds(cache: Cache, function: Callable[[Any], object], value: Any) -> bool:
    """Return whether a function is true of an object; without a lock.

    One that cannot be read as a K is that object's fault, not the function's: it is false of it,
    which is counted and logged. So it is with a field that is not what the model declares, and with
    a mapping that stands for what the model refused. What else it raises comes out.
    """
    try:
        return bool(function(value))
    except FieldError as error:
        cache.bad_objects.record("an object", str(error), _LEFT_OUT)
        return False
    except KubeReflectError:
        raise
    except Exception as error:
        ref = _refused(cache, value)
        if ref is None or not _fails_again(function, value, error):
            raise
        what = f"a function failed of what the model refused ({type(error).__name__}"
        cache.bad_objects.record(ref, f"{what}: {error})", _LEFT_OUT, what)
        return False


def _refused(cache: Cache, value: Any) -> str | None:
    """Return the name of an object for which a mapping stands in; None: it is as it should be."""
    if not isinstance(value, dict):
        return None
    try:
        key = Object.of(value).key
    except BadObject:
        return None
    return str(cache.ref(key)) if cache.decoder.has_refused(key) else None


def _fails_again(function: Callable[[Any], object], value: Any, error: Exception) -> bool:
    """Return whether an error is the function's own, and not a time limit that came meanwhile."""
    try:
        attempt(function, lambda: value)
    except FunctionFailed as failed:
        return type(failed.__cause__) is type(error)
    return False
