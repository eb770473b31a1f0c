"""Objects and their changes as lines: ``get -w``, and ``watch`` where there is no terminal."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from kube_reflect.cli import _columns
from kube_reflect.cli._connection import Connection
from kube_reflect.cli._discovery import Kind
from kube_reflect.cli._following import AllListed, changes, following
from kube_reflect.cli._printing import Plain, printable
from kube_reflect.cli._scope import Scope
from kube_reflect.dispatcher import Applied, Deleted
from kube_reflect.reflector import Reflector
from kube_reflect.testing.columns import Column

__all__ = ["Errors", "Rows", "event_of", "run"]


def event_of(change: Applied[Any] | Deleted[Any]) -> str:
    """Call a change as a WATCH does."""
    if isinstance(change, Deleted):
        return "DELETED"
    return "ADDED" if change.is_new else "MODIFIED"


class Errors:
    """Reports on stderr, once each, what goes wrong with a reflector, and that it is over."""

    def __init__(self, reflector: Reflector[Any]) -> None:
        self._reflector = reflector
        self._told: BaseException | None = None
        self._lost = False

    def look(self) -> None:
        """Look whether there is something to tell."""
        status = self._reflector.status
        if status.last_error is not self._told:
            self._told = status.last_error
            if not status.live:
                self._lost = True
                print(f"kube-reflect: {status.last_error}; trying again", file=sys.stderr)
        elif self._lost and status.live:
            self._lost = False
            print("kube-reflect: in touch with the API server again", file=sys.stderr)


class Rows:
    """Prints rows: those of the first list at once, the others as they come."""

    def __init__(self, columns: list[Column], headings: list[str]) -> None:
        self._columns = columns
        self._plain = Plain(["EVENT", *headings])
        # The longest event will come.
        self._plain.fit([["MODIFIED"]])
        self._first: list[list[str]] | None = []

    def show(self, event: str, obj: Mapping[str, Any]) -> None:
        """Show an object, and what has happened to it."""
        row = [event, *(printable(one.cell(obj)) for one in self._columns)]
        if self._first is not None:
            self._first.append(row)
        else:
            self._plain.fit([row])
            print(self._plain.line(row), flush=True)

    def all_listed(self) -> None:
        """Print what there was at first."""
        if self._first is not None:
            self._plain.fit(self._first)
            self._plain.show_all(self._first)
            self._first = None


class _Documents:
    """Prints objects, or their names."""

    def __init__(self, kind: Kind, output: str) -> None:
        self._kind = kind
        self._output = output

    def show(self, event: str, obj: Mapping[str, Any]) -> None:
        if self._output == "name":
            print(f"{self._kind.prefix}/{obj['metadata']['name']}", flush=True)
        elif self._output == "json":
            print(json.dumps(obj, indent=4, ensure_ascii=False), flush=True)
        else:
            print("---\n" + _columns.as_yaml(obj), end="", flush=True)

    def all_listed(self) -> None:
        """Do nothing."""


def _printer(connection: Connection, kind: Kind, scope: Scope, output: str | None,
             ) -> Rows | _Documents:
    if output in ("json", "yaml", "name"):
        return _Documents(kind, output)
    if output is not None and output.startswith(_columns.CUSTOM):
        columns = _columns.custom_columns(output)
        return Rows(columns, [one.name for one in columns])
    columns = _columns.known_columns(connection, kind, wide=output == "wide",
                                     namespace=scope.namespace is None)
    return Rows(columns, _columns.headings_of(columns))


def run(connection: Connection, kind: Kind, scope: Scope, options: argparse.Namespace) -> int:
    """Print what is there, and each change, until it is interrupted or the time is over."""
    until = None if options.seconds is None else time.monotonic() + options.seconds
    printer = _printer(connection, kind, scope, options.output)
    with following(connection, kind, scope) as reflector:
        errors = Errors(reflector)
        for change in changes(kind, reflector, until):
            if isinstance(change, AllListed):
                printer.all_listed()
            elif change is not None:
                printer.show(event_of(change), change.object)
            errors.look()
    return 0
