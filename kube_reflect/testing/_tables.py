"""Objects as a Table, for who asks for one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kube_reflect.object_ref import ApiResource
from kube_reflect.testing._encoding import Entry
from kube_reflect.testing.columns import columns_of

_META = "meta.k8s.io/v1"


def table(resource: ApiResource, entries: Iterable[Entry], metadata: dict[str, Any],
          include: str) -> dict[str, Any]:
    """Make the Table of some objects.

    :param include: the parameter ``includeObject``: what stands beside the cells.
    """
    columns = columns_of(resource.group, str(resource.plural))
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
