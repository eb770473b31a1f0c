"""Index functions, for ``indexers`` and ``add_index``: what one is, and some ready made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

__all__ = ["IndexFunction", "by_label", "by_namespace", "by_owner_uid"]

Object = Mapping[str, Any]
#: Returns, for a mapping, the values under which to find the object.
IndexFunction = Callable[[Object], Any]


def by_label(name: str) -> Callable[[Object], list[str]]:
    """Make an index function that finds objects by the value of a label.

    :param name: of the label, for instance ``app.kubernetes.io/name``.
    :raises TypeError: for what is no name.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a label is needed, not {name!r}")
    return partial(_label, name)


def by_owner_uid(obj: Object) -> list[str]:
    """Find objects by the uid of each of their owners."""
    return [owner["uid"] for owner in obj["metadata"].get("ownerReferences") or ()]


def by_namespace(obj: Object) -> list[str]:
    """Find objects by their namespace; ``Store.state(namespace=…)`` does that by itself."""
    namespace = obj["metadata"].get("namespace")
    return [namespace] if namespace else []


def _label(name: str, obj: Object) -> list[str]:
    value = (obj["metadata"].get("labels") or {}).get(name)
    return [] if value is None else [value]
