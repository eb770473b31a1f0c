"""Predicates, for `kube_reflect.streams.predicate_filter`: what of an object is worth a look.

A predicate is a function of an object as on the wire. It gives a value that differs when that
which it looks at differs, or None where the object has nothing of the kind.
"""

from __future__ import annotations as _annotations

from collections.abc import Callable, Hashable, Mapping
from functools import partial as _partial
from typing import Any

__all__ = ["Predicate", "annotations", "combine", "fallback", "finalizers", "generation", "labels",
           "resource_version"]

#: Values are compared and kept, so a number is best.
Predicate = Callable[[Mapping[str, Any]], Hashable]


def generation(obj: Mapping[str, Any]) -> int | None:
    """Return ``metadata.generation``, which changes with the spec; some kinds have none."""
    value = _metadata(obj).get("generation")
    return None if value is None else hash(value)


def resource_version(obj: Mapping[str, Any]) -> int | None:
    """Return ``metadata.resourceVersion``, which changes with anything."""
    value = _metadata(obj).get("resourceVersion")
    return None if value is None else hash(value)


def labels(obj: Mapping[str, Any]) -> int | None:
    """Return what stands for the labels; an object without any has none to begin with."""
    return hash(frozenset((_metadata(obj).get("labels") or {}).items()))


def annotations(obj: Mapping[str, Any]) -> int | None:
    """Return what stands for the annotations; an object without any has none to begin with."""
    return hash(frozenset((_metadata(obj).get("annotations") or {}).items()))


def finalizers(obj: Mapping[str, Any]) -> int | None:
    """Return what stands for the finalizers; an object without any has none to begin with."""
    return hash(tuple(_metadata(obj).get("finalizers") or ()))


def combine(*predicates: Predicate) -> Predicate:
    """Make a predicate that tells by all of these; None where all are None.

    :raises TypeError: for none at all, or what cannot be called.
    """
    _check(predicates)
    return _partial(_combined, predicates)


def fallback(*predicates: Predicate) -> Predicate:
    """Make a predicate that tells by the first of these that is not None for an object.

    :raises TypeError: for none at all, or what cannot be called.
    """
    _check(predicates)
    return _partial(_first, predicates)


def _combined(predicates: tuple[Predicate, ...], obj: Mapping[str, Any]) -> int | None:
    values = tuple(predicate(obj) for predicate in predicates)
    return None if all(value is None for value in values) else hash(values)


def _first(predicates: tuple[Predicate, ...], obj: Mapping[str, Any]) -> Hashable:
    values = (predicate(obj) for predicate in predicates)
    return next((value for value in values if value is not None), None)


def _check(predicates: tuple[Predicate, ...]) -> None:
    if not predicates:
        raise TypeError("predicates are needed")
    for predicate in predicates:
        if not callable(predicate):
            raise TypeError(f"a predicate must be callable: {predicate!r}")


def _metadata(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = obj.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}
