"""What is printed of an object, where the server does not print it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from kubernetes.client.exceptions import ApiException

from kube_reflect.cli._connection import Connection
from kube_reflect.cli._discovery import Kind
from kube_reflect.cli._failure import CommandFailed
from kube_reflect.testing.columns import (
    Column, columns_of, defined_columns, dig, path, text_of,
)

__all__ = ["CUSTOM", "as_yaml", "custom_columns", "headings_of", "known_columns"]

CUSTOM = "custom-columns="
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_NAMESPACE = Column("Namespace", lambda obj: dig(obj, "metadata.namespace", ""))


def as_yaml(obj: Any) -> str:
    """Write an object as YAML."""
    # Comes with the official client; it has no types.
    yaml = importlib.import_module("yaml")
    return str(yaml.safe_dump(obj, sort_keys=False, allow_unicode=True))


def headings_of(columns: list[Column]) -> list[str]:
    """Return the headings of columns, as they are printed."""
    return [one.name.upper() for one in columns]


def custom_columns(text: str) -> list[Column]:
    """Make the columns of ``custom-columns=NAME:.path,…``.

    :raises ValueError: it is malformed.
    """
    columns = []
    for part in _parts(text.removeprefix(CUSTOM)):
        name, colon, where = part.partition(":")
        if not colon or not name or not where:
            raise ValueError(f"a column is NAME:.path, not {part!r}")
        columns.append(Column(name, _joined(where)))
    if not columns:
        raise ValueError("no columns are named")
    return columns


def _parts(text: str) -> list[str]:
    """Split a text at its commas, but for those in brackets."""
    parts, depth = [""], 0
    for one in text:
        depth += (one in "[({") - (one in "])}")
        if one == "," and not depth:
            parts.append("")
        else:
            parts[-1] += one
    return [part.strip() for part in parts if part.strip()]


def _joined(where: str) -> Callable[[Mapping[str, Any]], str]:
    find = path(where)
    return lambda obj: ",".join(map(text_of, find(obj))) or "<none>"


def known_columns(connection: Connection, kind: Kind, *, wide: bool, namespace: bool,
                  ) -> list[Column]:
    """Return the columns of a kind: those of a server, or of its definition where it is custom.

    :param wide: all that there are.
    :param namespace: with the namespace before.
    """
    columns = columns_of(kind.resource.group, str(kind.resource.plural))
    if len(columns) <= 2 and "." in kind.resource.group:
        columns = _defined(connection, kind) or columns
    first = [_NAMESPACE] if namespace and kind.resource.namespaced else []
    return first + [one for one in columns if wide or not one.wide]


def _defined(connection: Connection, kind: Kind) -> tuple[Column, ...]:
    """Read the columns of a custom resource from its definition, where one may."""
    try:
        definition = connection.get(f"{_DEFINITIONS}/{kind.qualified}")
    except (ApiException, CommandFailed):
        return ()
    return defined_columns(definition, kind.resource.version)
