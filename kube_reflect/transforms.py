"""Ready-made functions for ``transform=``: what to leave out of the objects that are stored.

They take an object as on the wire and return another, which shares with the first all that is the
same; the one they are given stays as it is. Put one after the other with a function of your own::

    def slim(pod):
        return drop_last_applied(drop_managed_fields(pod))
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Transform", "drop_last_applied", "drop_managed_fields", "keep"]

#: Returns what is to be stored of an object; it may change the mapping that it is given.
Transform = Callable[[dict[str, Any]], Mapping[str, Any]]

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_ALWAYS = ("apiVersion", "kind", "metadata.name", "metadata.namespace", "metadata.uid",
           "metadata.resourceVersion", "metadata.labels")

#: One step of a path: a key, in which a dot has a backslash before it, and whether it goes on with
#: the elements of a list.
_STEP = re.compile(r"((?:[^.\[\]\\]|\\.)+)(\[\])?(?:\.(?!$)|$)")


def drop_managed_fields(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out ``metadata.managedFields``, often half of an object; about 1 us."""
    return _without(obj, "managedFields")


def drop_last_applied(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the copy of an object that ``kubectl apply`` makes among its annotations."""
    metadata = obj.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    if not isinstance(annotations, Mapping) or _LAST_APPLIED not in annotations:
        return dict(obj)
    rest = {name: value for name, value in annotations.items() if name != _LAST_APPLIED}
    if not rest:
        return _without(obj, "annotations")
    return {**obj, "metadata": {**obj["metadata"], "annotations": rest}}


def _without(obj: Mapping[str, Any], name: str) -> dict[str, Any]:
    metadata = obj.get("metadata")
    if not isinstance(metadata, Mapping) or name not in metadata:
        return dict(obj)
    return {**obj, "metadata": {key: value for key, value in metadata.items() if key != name}}


def keep(*paths: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Make a function that leaves out all but these fields.

    It always keeps apiVersion, kind, and of the metadata name, namespace, uid, resourceVersion
    and labels. A field that an object has not is passed over. What is left may be less than a
    model of the official client demands (a V1Pod must have containers), so take the objects as
    mappings: ``Reflector(..., transform=keep("spec.nodeName"), model=dict)``.

    :param paths: such as ``spec.nodeName``; all that is below is kept too. ``[]`` stands for each
        element of a list: ``spec.containers[].image``. A dot within a key is written with a
        backslash: ``metadata.annotations.example\\.com/owner``.
    :raises ValueError: for a path that is malformed.
    :raises TypeError: for a path that is no string.
    """
    fields = _Fields()
    for path in (*_ALWAYS, *paths):
        fields.add(_steps(path))
    return fields.of


#: A key, and whether the rest of the path is about the elements of a list.
_Step = tuple[str, bool]


class _Fields:
    """What is kept of a mapping, or of each element of a list.

    :param of_elements: whether it is a list.
    """

    def __init__(self, of_elements: bool = False) -> None:
        self._of_elements = of_elements
        # By name; None: all of it.
        self._fields: dict[str, _Fields | None] = {}

    def add(self, steps: list[_Step]) -> None:
        (name, elements), *rest = steps
        if not rest:
            # All of it, whatever else was said of it.
            self._fields[name] = None
            return
        kept = self._fields.setdefault(name, _Fields(elements))
        if kept is None:
            return
        if kept._of_elements is not elements:
            raise ValueError(f"{name!r} is a list in one path and none in another")
        kept.add(rest)

    def of(self, value: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, kept in self._fields.items():
            if name not in value:
                continue
            inner = value[name]
            if kept is None:
                found[name] = inner
            elif kept._of_elements:
                if isinstance(inner, list):
                    found[name] = [kept.of(element) for element in inner
                                   if isinstance(element, Mapping)]
            elif isinstance(inner, Mapping):
                found[name] = kept.of(inner)
        return found


def _steps(path: str) -> list[_Step]:
    if not isinstance(path, str):
        raise TypeError(f"a path must be a string: {path!r}")
    steps: list[_Step] = []
    position = 0
    while found := _STEP.match(path, position):
        steps.append((re.sub(r"\\(.)", r"\1", found[1]), found[2] is not None))
        position = found.end()
    if not steps or position < len(path):
        raise ValueError(f"not a path such as 'spec.containers[].image': {path!r}")
    return steps
