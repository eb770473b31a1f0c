"""``kube-reflect watch``: a table that follows the cluster; without a terminal, lines."""

from __future__ import annotations

import argparse
import time
from typing import Any

from kube_reflect.cli import _columns, _discovery, _lines
from kube_reflect.cli._arguments import add_scope, add_seconds, add_shard
from kube_reflect.cli._connection import Connection, connect
from kube_reflect.cli._discovery import Kind
from kube_reflect.cli._failure import NETWORK_ERRORS
from kube_reflect.cli._following import AllListed, changes, following
from kube_reflect.cli._get import form
from kube_reflect.cli._printing import console
from kube_reflect.cli._scope import Scope

__all__ = ["add_to"]

#: Seconds between two pictures.
_EVERY = 0.25
_DESCRIPTION = """\
Show a table of a resource that follows the cluster, from a cache that the server keeps up. What
has changed is marked for some seconds; the last line tells how the cache is. Where there is no
terminal, or no rich, each change is a line."""


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "watch", help="show a table that follows the cluster", description=_DESCRIPTION)
    parser.add_argument("resource", metavar="RESOURCE", help="as for get")
    parser.add_argument("-o", "--output", metavar="FORM", type=form,
                        help="wide, or custom-columns=NAME:.path,…; as lines also json, yaml, name")
    add_seconds(parser)
    add_scope(parser)
    add_shard(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    with connect(options.kubeconfig, options.context) as connection:
        kind = _discovery.find(connection, options.resource)
        scope = Scope.of(options, connection)
        out = console()
        if out is None or options.output in ("json", "yaml", "name"):
            return _lines.run(connection, kind, scope, options)
        return _show(connection, kind, scope, options, out)


def _show(connection: Connection, kind: Kind, scope: Scope, options: argparse.Namespace,
          out: Any) -> int:
    from kube_reflect.cli._board import Board

    if options.output is not None and options.output.startswith(_columns.CUSTOM):
        columns = _columns.custom_columns(options.output)
    else:
        columns = _columns.known_columns(connection, kind, wide=options.output == "wide",
                                         namespace=scope.namespace is None)
    until = None if options.seconds is None else time.monotonic() + options.seconds
    total = _total(connection, kind, scope)
    title = f"{kind.qualified}{scope.where or ' in all namespaces'}"
    board = Board(f"{title} of {connection.url}", columns, total, out)
    with following(connection, kind, scope, board.count) as reflector, board:
        shown = 0.0
        for change in changes(kind, reflector, until):
            if isinstance(change, AllListed):
                board.all_listed()
            elif change is not None:
                board.changed(change)
            if time.monotonic() - shown >= _EVERY:
                shown = time.monotonic()
                board.show(reflector)
        board.show(reflector)
    return 0


def _total(connection: Connection, kind: Kind, scope: Scope) -> int | None:
    """Ask how many objects there are, if that can be had for one of them; else None."""
    kind.check("list", "watch")
    if scope.shard is not None:
        return None
    try:
        page = connection.get(kind.path(scope.namespace), {"limit": 1, **scope.query})
    except NETWORK_ERRORS:
        return None
    metadata = page.get("metadata") or {}
    if metadata.get("continue") and "remainingItemCount" not in metadata:
        return None
    return len(page.get("items") or []) + int(metadata.get("remainingItemCount") or 0)
