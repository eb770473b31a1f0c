"""Objects as a Table, for who asks for one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kube_reflect.object_ref import ApiResource
from kube_reflect.testing._encoding import Entry
from kube_reflect.testing._storage import Storage
from kube_reflect.testing.columns import Column, columns_of, defined_columns

_META = "meta.k8s.io/v1"


#: Where the definitions of custom resources are.
_DEFINITIONS = ("apiextensions.k8s.io", "v1", "customresourcedefinitions")


def columns_in(storage: Storage, resource: ApiResource) -> tuple[Column, ...]:
    """Return the columns of a resource: its definition's, if there is one that names some."""
    with storage.lock:
        found = storage.collection(_DEFINITIONS).entries.get(
            f"{resource.plural}.{resource.group}")
    return (found is not None and defined_columns(found.obj, resource.version)
            or columns_of(resource.group, str(resource.plural)))


def table(columns: Sequence[Column], entries: Iterable[Entry], metadata: dict[str, Any],
          include: str) -> dict[str, Any]:
    """Make the Table of some objects.

    :param columns: see `columns_in`.
    :param include: the parameter ``includeObject``: what stands beside the cells.
    """
    definitions = [{"name": one.name, "type": one.type,
                    "format": "name" if one.name == "Name" else "", "description": one.name,
                    "priority": int(one.wide)} for one in columns]
    rows = []
    for entry in entries:
        obj = entry.obj
        row: dict[str, Any] = {"cells": [one.cell(obj) for one in columns]}
        if include == "Object":
            row["object"] = obj
        elif include != "None":
            row["object"] = {"kind": "PartialObjectMetadata", "apiVersion": _META,
                             "metadata": obj["metadata"]}
        rows.append(row)
    return {"kind": "Table", "apiVersion": _META, "metadata": metadata,
            "columnDefinitions": definitions, "rows": rows}
