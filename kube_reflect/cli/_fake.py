"""``kube-reflect fake``: an API server for the tests of programs in any language."""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable
from typing import Any

from kube_reflect.cli._failure import CommandFailed
from kube_reflect.testing import ApiStatusError, Exchange, FakeApiServer, Request

__all__ = ["add_to"]

_DESCRIPTION = """\
Run a small API server in memory, until Ctrl-C: LIST, WATCH and the writes as a real one has them,
but without schemas, controllers and etcd. It knows the common built-in kinds, and custom ones whose
CustomResourceDefinition is loaded. Once it listens, it writes the kubeconfig, and then prints a
line, so that a script can wait for either."""
_EPILOG = """\
examples:
  kube-reflect fake --load manifests/ --kubeconfig ./config
  KUBECONFIG=./config kubectl get pods -A"""


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "fake", help="run a fake API server", description=_DESCRIPTION, epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=_port, default=0, metavar="N",
                        help="default: a free one, which is printed")
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS",
                        help="default: %(default)s, which only this machine can reach")
    parser.add_argument("--load", nargs="+", action="extend", default=[], metavar="FILE",
                        help="YAML or JSON files, or folders of them, with objects")
    parser.add_argument("--kubeconfig", metavar="PATH", help="write a kubeconfig that leads here")
    parser.add_argument("--requests", action="store_true", help="print each request")
    parser.set_defaults(run=run)


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text!r}")


class _Server(FakeApiServer):
    """Prints the requests."""

    def intercept(self, request: Request) -> Callable[[Exchange], None] | None:
        query = "&".join(f"{key}={value}" for key, value in request.query.items())
        print(f"{time.strftime('%H:%M:%S')} {request.verb:<6} {request.path}"
              + (f"?{query}" if query else ""), flush=True)
        return None


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    server = (_Server if options.requests else FakeApiServer)(
        host=options.host, port=options.port)
    try:
        loaded = server.load(options.load)
        server.start()
    except (OSError, ValueError, ApiStatusError) as error:
        where = f"{options.host}:{options.port}: " if not server.running and options.port else ""
        raise CommandFailed(f"{where if isinstance(error, OSError) else ''}{error}") from error
    with server:
        if options.kubeconfig:
            try:
                server.kubeconfig(options.kubeconfig)
            except OSError as error:
                raise CommandFailed(f"the kubeconfig cannot be written: {error}") from error
        print(f"{server.url} with {len(loaded):,} objects; Ctrl-C ends it", flush=True)
        if options.kubeconfig:
            print(f"export KUBECONFIG={options.kubeconfig}", flush=True)
        wait_for_ever()
    return 0


def wait_for_ever() -> None:
    """Wait for Ctrl-C."""
    threading.Event().wait()
