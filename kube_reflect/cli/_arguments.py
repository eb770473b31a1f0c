"""Arguments that several commands take."""

from __future__ import annotations

import argparse
import math
from typing import Any

from kube_reflect.selector import parse, parse_field_selector
from kube_reflect.shard import Shard

__all__ = ["add_scope", "add_seconds", "add_shard", "field_selector", "label_selector", "seconds",
           "shard"]


def add_scope(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which objects of a resource, and of which cluster."""
    group = parser.add_argument_group("which of them")
    where = group.add_mutually_exclusive_group()
    where.add_argument("-n", "--namespace", metavar="NAME",
                       help="default: that of the context, or 'default'")
    where.add_argument("-A", "--all-namespaces", action="store_true")
    group.add_argument("-l", "--selector", metavar="LABELS", type=label_selector,
                       help="a label selector: 'app=web,tier in (front, back),!canary'")
    group.add_argument("--field-selector", metavar="FIELDS", type=field_selector,
                       help="a field selector: 'spec.nodeName=node-1,status.phase!=Running'")
    group = parser.add_argument_group("the cluster")
    group.add_argument("--kubeconfig", metavar="PATH", help=(
        "default: $KUBECONFIG, ~/.kube/config, or in a pod its service account"))
    group.add_argument("--context", metavar="NAME", help="of the kubeconfig")


def add_shard(parser: argparse.ArgumentParser) -> None:
    """Add the option that says which shard of the objects."""
    parser.add_argument("--shard", metavar="I/N", type=shard,
                        help="only the objects of one shard of N, counted from 0: 2/5")


def add_seconds(parser: argparse.ArgumentParser) -> None:
    """Add the option by which the command ends by itself."""
    parser.add_argument("--seconds", metavar="N", type=seconds, help="end after so many")


def _checked(parser: Any, what: str, text: str) -> str:
    try:
        parser(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"no {what} selector: {error}") from error
    return text


def label_selector(text: str) -> str:
    """Check a label selector."""
    return _checked(parse, "label", text)


def field_selector(text: str) -> str:
    """Check a field selector."""
    return _checked(parse_field_selector, "field", text)


def shard(text: str) -> Shard:
    """Read a shard: its index and how many there are."""
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal()):
        raise argparse.ArgumentTypeError(f"a shard is as 2/5, not {text!r}")
    try:
        return Shard(int(index), int(count))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"no shard: {error}") from error


def seconds(text: str) -> float:
    """Read a number of seconds above 0."""
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 < found < math.inf:
        raise argparse.ArgumentTypeError(f"a number of seconds above 0 is needed, not {text!r}")
    return found
