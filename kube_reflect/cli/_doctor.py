"""``kube-reflect doctor``: what would keep a reflector from working, and what to do."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from kubernetes.client.exceptions import ApiException

from kube_reflect.cli import _checks, _discovery, _watch_checks
from kube_reflect.cli._arguments import add_scope, seconds
from kube_reflect.cli._connection import Connection, connect
from kube_reflect.cli._failure import NETWORK_ERRORS, CommandFailed, in_one_line
from kube_reflect.cli._findings import Finding, Level, show
from kube_reflect.cli._printing import console
from kube_reflect.cli._scope import Scope

__all__ = ["add_to"]

_DESCRIPTION = """\
Look at what a reflector needs: the server and its clock, credentials (which kind, never what they
are), proxies, the rights to list and watch a resource, how large the first list is, streaming
lists, bookmarks. With --wait, also whether somebody on the way cuts quiet connections. The exit
code is 1 if something fails. Nothing is changed."""


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "doctor", help="find out why a reflector would not work", description=_DESCRIPTION)
    parser.add_argument("resource", nargs="?", default="pods", metavar="RESOURCE",
                        help="as for get; default: pods")
    parser.add_argument("--wait", metavar="S", type=seconds,
                        help="watch for so many seconds; 90 shows bookmarks, 600 load balancers")
    add_scope(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    failed = False
    with connect(options.kubeconfig, options.context) as connection:
        for finding in _findings(connection, options):
            show(finding)
            failed = failed or finding.level is Level.FAIL
    return int(failed)


def _findings(connection: Connection, options: argparse.Namespace) -> Iterator[Finding]:
    yield from _checks.credentials(connection)
    yield from _checks.way(connection)
    try:
        for finding in _checks.reach(connection):
            yield finding
            if finding.level is Level.FAIL and finding.title == "server":
                return
        kind = _discovery.find(connection, options.resource)
    except ApiException as error:
        yield Finding(Level.FAIL, "discovery", in_one_line(error),
                      "whoever is known to the server may read what it has, by the ClusterRole "
                      "system:discovery; look at the credentials")
        return
    except NETWORK_ERRORS as error:
        yield Finding(Level.FAIL, "server", f"{connection.url}: {in_one_line(error)}",
                      "look at the address in the kubeconfig, at proxies and firewalls")
        return
    except CommandFailed as failure:
        yield Finding(Level.FAIL, "resource", f"{failure}",
                      "kube-reflect top lists all that there are")
        return
    scope = Scope.of(options, connection)
    lacking = False
    for finding in _checks.access(connection, kind, scope):
        lacking = lacking or finding.level is Level.FAIL
        yield finding
    if lacking:
        return
    yield from _checks.first_list(connection, kind, scope)
    yield from _watch_checks.streaming_list(connection, kind, scope)
    with _progress(options.wait) as tick:
        found = list(_watch_checks.quiet_watch(connection, kind, scope, options.wait, tick))
    yield from found


@contextlib.contextmanager
def _progress(wait: float | None) -> Iterator[Callable[[float], object]]:
    """Show how long it still watches, where there is a terminal; return what to call meanwhile."""
    if console() is None:
        yield lambda passed: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(TextColumn("watching"), BarColumn(), TimeRemainingColumn(),
                  transient=True) as progress:
        task = progress.add_task("", total=wait or 6.0)
        yield lambda passed: progress.update(task, completed=passed)
