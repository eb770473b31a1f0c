"""What is printed of an object, where the server does not print it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from kubernetes.client.exceptions import ApiException

from kube_reflect.cli._connection import Connection
from kube_reflect.cli._discovery import Kind
from kube_reflect.cli._failure import CommandFailed
from kube_reflect.cli._paths import path
from kube_reflect.testing.columns import Column, age_of, columns_of, dig

__all__ = ["CUSTOM", "as_yaml", "custom_columns", "headings_of", "known_columns"]

CUSTOM = "custom-columns="
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_NAME = Column("Name", lambda obj: dig(obj, "metadata.name"))
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
    return lambda obj: ",".join(map(_text, find(obj))) or "<none>"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


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
    for version in dig(definition, "spec.versions", []):
        if version.get("name") == kind.resource.version:
            told = version.get("additionalPrinterColumns") or []
            return (_NAME, *map(_column, told)) if told else ()
    return ()


def _column(told: Mapping[str, Any]) -> Column:
    find = path(str(told.get("jsonPath", "")))
    wide = bool(told.get("priority"))
    if told.get("type") == "date":
        return Column(str(told.get("name")), lambda obj: "".join(
            age_of({"at": value}, "at") for value in find(obj)[:1]), wide)
    return Column(str(told.get("name")), lambda obj: "".join(map(_text, find(obj)[:1])), wide)
