"""``kube-reflect top``: what a reflector of each kind would cost."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kube_reflect.cli import _discovery
from kube_reflect.cli._arguments import add_scope
from kube_reflect.cli._connection import Connection, connect
from kube_reflect.cli._discovery import Kind
from kube_reflect.cli._failure import CommandFailed
from kube_reflect.cli._printing import console, show_table, size
from kube_reflect.cli._scope import Scope
from kube_reflect.config import Config, InitialListStrategy
from kube_reflect.errors import WatcherError
from kube_reflect.events import Event, Init, InitApply, InitDone
from kube_reflect.store import Writer
from kube_reflect.transforms import drop_managed_fields, keep
from kube_reflect.watcher import Watcher

__all__ = ["add_to"]

_DESCRIPTION = """\
List each resource once, and tell what a reflector of it would cost: how many objects there are,
how much JSON they are, and what a store of them takes at rest: in FULL, without managed fields
(NO-MANAGED, with drop_managed_fields as transform), and with METADATA only (metadata_only=True).
SECONDS is how long it takes to list and store them in full. Objects that resemble one another are
packed with a dictionary (some 100 kB, not counted here) once that pays; where it does not yet in
each of the three ways, none of them is shown with it. Without resources, all that can be listed and
watched. Without -n, all namespaces."""
_HEADINGS = ("RESOURCE", "OBJECTS", "JSON", "FULL", "NO-MANAGED", "METADATA", "SECONDS")
_WAYS: tuple[Callable[[Any], Any], ...] = (dict, drop_managed_fields, keep("metadata"))


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "top", help="tell what reflectors would cost", description=_DESCRIPTION)
    parser.add_argument("resources", nargs="*", metavar="RESOURCE", help="as for get")
    add_scope(parser)
    parser.set_defaults(run=run)


@dataclass
class _Cost:
    """What was measured of a kind.

    :param stores: bytes at rest in each way of keeping them.
    :param seconds: to list and to store, whole.
    """

    name: str
    objects: int = 0
    json: int = 0
    stores: tuple[int, ...] = (0,) * len(_WAYS)
    seconds: float = 0.0

    def __add__(self, other: _Cost) -> _Cost:
        return _Cost(self.name, self.objects + other.objects, self.json + other.json,
                     tuple(map(sum, zip(self.stores, other.stores))),
                     self.seconds + other.seconds)

    @property
    def row(self) -> list[str]:
        """The cells of it."""
        return [self.name, f"{self.objects:,}", size(self.json), *map(size, self.stores),
                f"{self.seconds:.2f}"]


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    with connect(options.kubeconfig, options.context) as connection:
        scope = Scope.of(options, connection)
        if options.namespace is None:
            scope = Scope(None, scope.labels, scope.fields)
        if options.resources:
            kinds = [_discovery.find(connection, one) for one in options.resources]
        else:
            kinds = [kind for kind in _discovery.everything(connection)
                     if kind.resource.namespaced or not options.namespace]
        costs, failed = [], False
        with _progress(len(kinds)) as step:
            for kind in kinds:
                step(kind.qualified)
                try:
                    costs.append(_measure(connection, kind, scope))
                except CommandFailed as failure:
                    failed = True
                    print(f"kube-reflect: {failure}", file=sys.stderr)
    costs.sort(key=lambda cost: -cost.stores[0])
    if not options.resources:
        costs = [cost for cost in costs if cost.objects]
    if len(costs) > 1:
        costs.append(sum(costs, _Cost("all")))
    if costs:
        show_table(_HEADINGS, [cost.row for cost in costs],
                   numeric=range(1, len(_HEADINGS)))
    elif not failed:
        print("No resources found.", file=sys.stderr)
    return int(failed)


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """Show how far it is, where there is a terminal; return what to call at each step."""
    if console() is None:
        yield lambda name: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    with Progress(TextColumn("listing"), BarColumn(), MofNCompleteColumn(),
                  TextColumn("{task.description}"), transient=True) as progress:
        task = progress.add_task("", total=total)

        def step(name: str) -> None:
            progress.update(task, description=name)
            progress.advance(task)

        yield step


def _measure(connection: Connection, kind: Kind, scope: Scope) -> _Cost:
    kind.check("list")
    config = Config(label_selector=scope.labels, field_selector=scope.fields,
                    initial_list_strategy=InitialListStrategy.LIST_WATCH)
    cost = _Cost(kind.qualified)
    writers = [Writer(kind.resource) for _ in _WAYS]
    plain = [_Plain(kind) for _ in _WAYS]
    watcher = Watcher(kind.list_function(connection, scope.namespace), config=config)
    try:
        began = time.perf_counter()
        for event in watcher:
            if isinstance(event, WatcherError):
                raise CommandFailed(f"{kind.qualified}: {event}")
            writers[0].apply_watcher_event(event)
            cost.seconds += time.perf_counter() - began
            if isinstance(event, InitApply):
                obj = dict(event.object)
                cost.objects += 1
                cost.json += len(_compact(obj))
                for way, weighed in zip(_WAYS, plain):
                    weighed.add(way(obj))
            for way, writer in zip(_WAYS[1:], writers[1:]):
                writer.apply_watcher_event(InitApply(way(obj)) if isinstance(
                    event, InitApply) else event)
            if isinstance(event, InitDone):
                break
            began = time.perf_counter()
    finally:
        watcher.close()
    cost.stores = _comparable([_at_rest(writer) for writer in writers],
                              [weighed.total() for weighed in plain])
    return cost


def _comparable(stores: Sequence[int], plain: Sequence[int]) -> tuple[int, ...]:
    """Return what each way takes, never more than the first, which keeps all.

    The more there is of each object, the sooner a dictionary pays. With one here and none there,
    what keeps less would seem to cost more.
    """
    full = max(stores) == stores[0]
    return tuple(stores if full else (min(one, plain[0]) for one in plain))


def _compact(obj: Any) -> bytes:
    return json.dumps(obj, separators=(",", ":"), ensure_ascii=False).encode()


def _at_rest(writer: Writer) -> int:
    return writer.as_reader().memory().bytes_at_rest


class _Plain:
    """What objects take at rest without a dictionary: in stores of too few for one."""

    _FEW = 8

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._done = 0
        self._few: list[Any] = []

    def add(self, obj: Any) -> None:
        """Take an object too."""
        self._few.append(obj)
        if len(self._few) == self._FEW:
            self._done = self.total()
            self._few.clear()

    def total(self) -> int:
        """Return the bytes of all so far."""
        writer = Writer(self._kind.resource)
        events: list[Event] = [Init(), *map(InitApply, self._few), InitDone()]
        for event in events:
            writer.apply_watcher_event(event)
        return self._done + _at_rest(writer)
