"""The command ``kube-reflect``: what a cache of Kubernetes objects shows at a prompt."""

from __future__ import annotations

import argparse
import importlib.metadata
import logging
import os
import sys
from collections.abc import Sequence

from kube_reflect.cli import _demo, _doctor, _events, _fake, _get, _top, _watch
from kube_reflect.cli._failure import CommandFailed

__all__ = ["main"]

_DESCRIPTION = "Look at Kubernetes objects, and at what a cache of them does and costs."
_EPILOG = """\
Exit codes: 0, 1 if something failed, 2 for wrong arguments, 130 after Ctrl-C.
On a terminal the tables are nicer with rich: pip install rich."""
_COMMANDS = (_get, _watch, _events, _top, _doctor, _fake, _demo)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit code.

    :param argv: the arguments; by default those of the process.
    :return: 0, 1 if something failed, or 130 if it was interrupted.
    :raises SystemExit: 2 for wrong arguments, 0 after ``--help`` and ``--version``.
    """
    options = _parser().parse_args(argv)
    # What the library has to say is in the view; the log's last resort would write across it.
    quiet = logging.NullHandler()
    logging.getLogger().addHandler(quiet)
    try:
        return int(options.run(options))
    except CommandFailed as failure:
        print(f"kube-reflect: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read has gone; without this, the exit would try to flush, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    finally:
        logging.getLogger().removeHandler(quiet)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kube-reflect", description=_DESCRIPTION, epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_to(commands)
    return parser


def _version() -> str:
    try:
        return f"kube-reflect {importlib.metadata.version('kube_reflect')}"
    except importlib.metadata.PackageNotFoundError:
        return "kube-reflect, not installed"
