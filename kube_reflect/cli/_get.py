"""``kube-reflect get``: objects, as the server prints them or in the form that is asked for."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kubernetes.client.exceptions import ApiException

from kube_reflect.cli import _columns, _discovery, _lines
from kube_reflect.cli._arguments import add_scope, add_seconds
from kube_reflect.cli._connection import Connection, connect
from kube_reflect.cli._discovery import Kind
from kube_reflect.cli._failure import CommandFailed, in_one_line
from kube_reflect.cli._printing import show_table
from kube_reflect.cli._scope import Scope
from kube_reflect.testing.columns import age_of

__all__ = ["add_to"]

_PAGE = 500
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
_FORMS = ("wide", "json", "yaml", "name")
_DESCRIPTION = """\
Print objects: of a resource, or some of them by name. A resource may be called by its plural,
singular or short name or its kind, and its group or version and group may follow:
pods, po, deploy, deployments.apps, deployments.v1.apps."""
_EPILOG = """\
examples:
  kube-reflect get pods,services -n shop -l app=web
  kube-reflect get deploy web -o json
  kube-reflect get pods -A -o custom-columns=POD:.metadata.name,NODE:.spec.nodeName
  kube-reflect get pods -w"""


class _Wanted(NamedTuple):
    """Objects of one kind; without names, all."""

    kind: Kind
    names: list[str]


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "get", help="print objects", description=_DESCRIPTION, epilog=_EPILOG,
        usage="kube-reflect get [options] RESOURCE[,RESOURCE…] [NAME…]\n"
              "       kube-reflect get [options] RESOURCE/NAME…",
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", metavar="RESOURCE",
                        help="or several, names of objects, or RESOURCE/NAME")
    parser.add_argument("-o", "--output", metavar="FORM", type=form,
                        help="wide, json, yaml, name, or custom-columns=NAME:.path,…")
    parser.add_argument("-w", "--watch", action="store_true",
                        help="then print each change, until Ctrl-C")
    add_seconds(parser)
    add_scope(parser)
    parser.set_defaults(run=run)


def form(text: str) -> str:
    """Check what follows ``-o``."""
    if text.startswith(_columns.CUSTOM):
        try:
            _columns.custom_columns(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
    elif text not in _FORMS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is none of {', '.join(_FORMS)} and custom-columns=NAME:.path,…")
    return text


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    with connect(options.kubeconfig, options.context) as connection:
        wanted = list(_wanted(connection, options.what))
        scope = Scope.of(options, connection)
        if options.watch:
            if len(wanted) != 1 or len(wanted[0].names) > 1:
                raise CommandFailed("only one resource, or one object, can be watched at a time")
            scope = scope.named(wanted[0].names[0]) if wanted[0].names else scope
            return _lines.run(connection, wanted[0].kind, scope, options)
        if options.output in ("json", "yaml", "name") or _is_custom(options.output):
            return _show_objects(connection, wanted, scope, options)
        return _show_tables(connection, wanted, scope, options)


def _is_custom(output: str | None) -> bool:
    return output is not None and output.startswith(_columns.CUSTOM)


def _wanted(connection: Connection, what: list[str]) -> Iterator[_Wanted]:
    if any("/" in one for one in what):
        for one in what:
            resource, slash, name = one.partition("/")
            if not resource or not name:
                raise CommandFailed(f"RESOURCE/NAME is needed, as the others are, not {one!r}")
            yield _Wanted(_discovery.find(connection, resource), [name])
        return
    for resource in filter(None, what[0].split(",")):
        yield _Wanted(_discovery.find(connection, resource), what[1:])


class _Found:
    """What was found, and what went wrong."""

    def __init__(self) -> None:
        self.failed = False

    def refused(self, error: ApiException) -> None:
        """Report what could not be read; the rest may be."""
        print(f"kube-reflect: {in_one_line(error)}", file=sys.stderr)
        self.failed = True


def _pages(connection: Connection, wanted: _Wanted, scope: Scope, accept: str, found: _Found,
           ) -> Iterator[dict[str, Any]]:
    """Yield the pages of a list, or the objects of these names."""
    kind, namespace = wanted.kind, scope.namespace
    if wanted.names:
        kind.check("get")
        if kind.resource.namespaced and namespace is None:
            raise CommandFailed("an object cannot be had by its name across all namespaces")
        for name in wanted.names:
            try:
                yield connection.get(kind.path(namespace, name), accept=accept)
            except ApiException as error:
                found.refused(error)
        return
    kind.check("list")
    query: dict[str, Any] = {"limit": _PAGE, **scope.query}
    while True:
        try:
            page = connection.get(kind.path(namespace), query, accept)
        except ApiException as error:
            found.refused(error)
            return
        yield page
        following = (page.get("metadata") or {}).get("continue")
        if not following:
            return
        query["continue"] = following


def _show_objects(connection: Connection, everything: list[_Wanted], scope: Scope,
                  options: argparse.Namespace) -> int:
    found = _Found()
    objects: list[dict[str, Any]] = []
    names = []
    for wanted in everything:
        for page in _pages(connection, wanted, scope, "application/json", found):
            for obj in page["items"] if "items" in page else [page]:
                # The items of a list do not say of which kind they are.
                objects.append({"apiVersion": wanted.kind.resource.api_version,
                                "kind": wanted.kind.resource.kind, **obj})
                names.append(f"{wanted.kind.prefix}/{obj['metadata']['name']}")
    if options.output == "name":
        print("".join(f"{name}\n" for name in names), end="", flush=True)
    elif _is_custom(options.output):
        columns = _columns.custom_columns(options.output)
        show_table([one.name for one in columns],
                   [[one.cell(obj) for one in columns] for obj in objects])
    else:
        alone = len(objects) == 1 and all(one.names for one in everything)
        if objects or not found.failed:
            _dump(objects[0] if alone else
                  {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""},
                   "items": objects}, options.output)
    return int(found.failed)


def _dump(obj: Mapping[str, Any], output: str) -> None:
    if output == "json":
        print(json.dumps(obj, indent=4, ensure_ascii=False), flush=True)
        return
    print(_columns.as_yaml(obj), end="", flush=True)


def _show_tables(connection: Connection, everything: list[_Wanted], scope: Scope,
                 options: argparse.Namespace) -> int:
    found, shown = _Found(), False
    for wanted in everything:
        namespaces = scope.namespace is None and bool(wanted.kind.resource.namespaced)
        headings: list[str] = []
        rows: list[list[Any]] = []
        for page in _pages(connection, wanted, scope, _TABLE, found):
            headings, some = _table_of(page, wide=options.output == "wide",
                                       namespaces=namespaces)
            rows += some
        if not rows:
            continue
        if shown:
            print()
        shown = True
        if len(everything) > 1:
            place = headings.index("NAME") if "NAME" in headings else 0
            for row in rows:
                row[place] = f"{wanted.kind.prefix}/{row[place]}"
        show_table(headings, rows)
    if not shown and not found.failed:
        print(f"No resources found{scope.where}.", file=sys.stderr)
    return int(found.failed)


def _table_of(page: Mapping[str, Any], *, wide: bool, namespaces: bool,
              ) -> tuple[list[str], list[list[Any]]]:
    """Return headings and rows of what came; where it is no Table, names and ages."""
    if page.get("kind") != "Table":
        objects = page["items"] if "items" in page else [page]
        rows = [[obj["metadata"]["name"], age_of(obj)] for obj in objects]
        spaces = [obj["metadata"].get("namespace", "") for obj in objects]
        headings = ["NAME", "AGE"]
    else:
        definitions = page.get("columnDefinitions") or []
        kept = [number for number, one in enumerate(definitions)
                if wide or not one.get("priority")]
        headings = [str(definitions[number]["name"]).upper() for number in kept]
        table = page.get("rows") or []
        rows = [[row["cells"][number] for number in kept] for row in table]
        spaces = [(row.get("object") or {}).get("metadata", {}).get("namespace", "")
                  for row in table]
    if namespaces:
        headings = ["NAMESPACE", *headings]
        rows = [[space, *row] for space, row in zip(spaces, rows)]
    return headings, rows
