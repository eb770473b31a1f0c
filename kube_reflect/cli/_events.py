"""``kube-reflect events``: changes as lines of JSON, for pipes."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from kube_reflect.cli import _discovery
from kube_reflect.cli._arguments import add_scope, add_seconds, add_shard
from kube_reflect.cli._connection import connect
from kube_reflect.cli._following import AllListed, changes, following
from kube_reflect.cli._lines import Errors, event_of
from kube_reflect.cli._scope import Scope
from kube_reflect.dispatcher import Applied, Deleted

__all__ = ["add_to"]

_DESCRIPTION = """\
Print each change of a resource as a line of JSON: first an ADDED for each object that is there,
then a BOOKMARK, which says that this was all, then ADDED, MODIFIED and DELETED as they happen.
What was deleted while nobody watched is told too, with "inferred": true. It goes on, whatever the
connection does, until Ctrl-C; what goes wrong is told on stderr."""
_EPILOG = """\
examples:
  kube-reflect events pods -A | jq -r 'select(.type == "DELETED") | .ref.name'
  kube-reflect events deploy -n shop -o json | jq '.object.status.readyReplicas'"""


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "events", help="print changes as lines of JSON", description=_DESCRIPTION, epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("resource", metavar="RESOURCE", help="as for get")
    parser.add_argument("-o", "--output", choices=("ref", "json"), default="ref",
                        help="json: with the object (of a deleted one, as it was last seen)")
    add_seconds(parser)
    add_scope(parser)
    add_shard(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    until = None if options.seconds is None else time.monotonic() + options.seconds
    with connect(options.kubeconfig, options.context) as connection:
        kind = _discovery.find(connection, options.resource)
        scope = Scope.of(options, connection)
        with following(connection, kind, scope) as reflector:
            errors = Errors(reflector)
            for change in changes(kind, reflector, until):
                if isinstance(change, AllListed):
                    _show({"type": "BOOKMARK",
                           "resourceVersion": reflector.store.resource_version})
                elif change is not None:
                    _show(_line(change, whole=options.output == "json"))
                errors.look()
    return 0


def _line(change: Applied[Any] | Deleted[Any], *, whole: bool) -> dict[str, Any]:
    reference = change.ref.to_object_reference()
    version = reference.pop("resourceVersion", None)
    line: dict[str, Any] = {"type": event_of(change), "ref": reference,
                            "resourceVersion": version}
    if isinstance(change, Deleted) and change.inferred:
        line["inferred"] = True
    if whole:
        line["object"] = change.object
    return line


def _show(line: dict[str, Any]) -> None:
    print(json.dumps(line, separators=(",", ":"), ensure_ascii=False), flush=True)
