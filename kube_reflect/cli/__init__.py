"""The command ``kube-reflect``: a demonstration of the cache."""

from __future__ import annotations

import argparse
import logging
import math
import os
import sys
from collections.abc import Sequence

from kube_reflect.cli._demo import DemoFailed, run

__all__ = ["main"]

_DEMO = """\
Show a cache of pods that follows a cluster, while several threads read it. In the end, compare
the cache with the server. Without a kubeconfig, the cluster is a small API server in this
process, whose pods come, change and go. With one, it is that cluster, which is only read."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit code.

    :param argv: the arguments; by default those of the process.
    :return: 0, 1 if something failed or the cache was not equal to the server, or 130 if it was
        interrupted before that could be told.
    :raises SystemExit: 2 for wrong arguments, 0 after ``--help``.
    """
    options = _parser().parse_args(argv)
    # What the library has to say is in the view; the log's last resort would write across it.
    quiet = logging.NullHandler()
    logging.getLogger().addHandler(quiet)
    try:
        return run(kubeconfig=options.kubeconfig, seconds=options.seconds)
    except DemoFailed as failure:
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
    parser = argparse.ArgumentParser(prog="kube-reflect", description=__doc__)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    demo = commands.add_parser("demo", help="show a cache that follows a cluster",
                               description=_DEMO)
    demo.add_argument(
        "--kubeconfig", metavar="PATH", default=os.environ.get("KUBECONFIG") or None,
        help="follow the pods of this cluster, reading only (default: $KUBECONFIG, if set)")
    demo.add_argument(
        "--seconds", metavar="N", type=_seconds,
        help="end after so many (default: on a terminal with Ctrl-C, else after 8)")
    return parser


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"a number of seconds above 0 is needed, not {text!r}")
    return seconds
