"""The tables, as plain text."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tests.bench._modes import MODES
from tests.bench._run import Outcome, Plan, Results
from tests.bench._workloads import MANY

#: What the contenders are called.
LABELS = {"official": "official", "fast": "[fast]", "stdlib": "plain",
          "fast-list": "[fast], LIST", "stdlib-list": "plain, LIST"}


class Row(NamedTuple):
    """One figure of the main table.

    :param scale: by what the stored value is multiplied, to be in the unit of the label.
    :param more: more is better.
    :param of: which way of this library's it is taken of: ``-list`` for list then watch, ``-dict``
        for ``model=dict``; then the official one's figure is that of the row above.
    :param in_readme: it is one of those in the README.
    """

    label: str
    group: str
    figure: str
    scale: float = 1.0
    digits: int = 1
    more: bool = False
    of: str = ""
    in_readme: bool = False


ROWS = [
    Row("synced, and name, phase, node of all: s", "rows", "wall", 1, 2, in_readme=True),
    Row("  CPU, s", "rows", "cpu", 1, 2, in_readme=True),
    Row("  memory then, MB", "rows", "kept", 1e-6, in_readme=True),
    Row("  us to read a pod for the first time", "rows", "read", 1e6),
    Row("the same as dicts: s", "rows", "wall", 1, 2, of="-dict", in_readme=True),
    Row("  memory then, MB", "rows", "kept", 1e-6, of="-dict"),
    Row("a request that filters all, the first: ms", "web", "first", 1e3, in_readme=True),
    Row("  the second: ms", "web", "second", 1e3, 2, in_readme=True),
    Row("a controller, events a second", "controller", "rate", 1, 0, more=True, in_readme=True),
    Row("  CPU an event, us", "controller", "cpu", 1e6),
    Row("wall time to ready, s", "sync", "wall", 1, 2, in_readme=True),
    Row("  by LIST", "sync", "wall", 1, 2, of="-list"),
    Row("CPU to ready, s", "sync", "cpu", 1, 2),
    Row("  by LIST", "sync", "cpu", 1, 2, of="-list"),
    Row("memory kept, MB", "sync", "kept", 1e-6, in_readme=True),
    Row("  by LIST", "sync", "kept", 1e-6, of="-list"),
    Row("peak memory, MB", "sync", "peak", 1e-6),
    Row("  by LIST", "sync", "peak", 1e-6, of="-list"),
    Row("watch events a second", "events", "rate", 1, 0, more=True, in_readme=True),
    Row("CPU an event, us", "events", "cpu", 1e6),
    Row("longest stall in the sync, ms", "stall", "sync", 1e3, in_readme=True),
    Row("  by LIST", "stall", "sync", 1e3, of="-list"),
    Row("longest stall in a burst, ms", "stall", "burst", 1e3),
    Row("a full garbage collection, ms", "sync", "collection", 1e3),
    Row("  before the sync, ms", "sync", "collection_before", 1e3),
    Row("  without what was there before, ms", "collection", "own", 1e3, 2),
    Row("a get, already read, ns", "reads", "get", 1e9, 0, in_readme=True),
    Row("state() of all, already read, us", "reads", "state", 1e6),
    Row("state() after a change, us", "reads", "state_after_change", 1e6, 0),
]


def median(results: Results, contender: str, group: str, figure: str) -> float | None:
    """The median of a figure over the turns, None where it was not taken."""
    values = results.get(contender, {}).get(group, {}).get(figure)
    return statistics.median(values) if values else None


def number(value: float | None, digits: int = 1) -> str:
    """The number, or a dash."""
    return "-" if value is None else f"{value:,.{digits}f}"


def ratio(official: float | None, ours: float | None, *, more: bool = False) -> str:
    """How many times better ours is."""
    if not official or not ours:
        return "-"
    times = ours / official if more else official / ours
    return f"{times:,.0f}x" if times >= 10 else f"{times:.1f}x" if times >= 1 else f"{times:.1g}x"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they must be, the first one to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows)]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join("  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                               for column, (cell, width) in enumerate(zip(line, widths))).rstrip()
                     for line in lines)


def main_table(plan: Plan, outcome: Outcome) -> str:
    """The official informer against this library, with and without the fast parser."""
    results = outcome.sizes[plan.main]
    lines = []
    for row in ROWS:
        official = median(results, "official", row.group, row.figure)
        line = [row.label, "" if row.of else number(scaled(official, row), row.digits)]
        for name in ("fast", "stdlib"):
            ours = median(results, name + row.of, row.group, row.figure)
            line += [number(scaled(ours, row), row.digits), ratio(official, ours, more=row.more)]
        lines.append(line)
    return table(["", "official", "[fast]", "better", "plain", "better"], lines)


def scaled(value: float | None, row: Row) -> float | None:
    """The value in the unit of the row's label."""
    return None if value is None else value * row.scale


def threads_table(plan: Plan, outcome: Outcome) -> str:
    """Gets a second, in thousands, by the number of threads, and events a second meanwhile."""
    results = outcome.sizes[plan.main]
    lines = []
    for which, label in [("alone", "1, nothing written"),
                         *((str(count), str(count)) for count in plan.threads)]:
        line = [label]
        for name in ("official", "fast", "stdlib"):
            gets = median(results, name, "reads",
                          which if which == "alone" else f"threads_{which}")
            line += [number(None if gets is None else gets / 1e3, 0),
                     number(median(results, name, "reads", f"applied_{which}"), 0)]
        lines.append(line)
    return table(["threads", "official", "events", "[fast]", "events", "plain", "events"], lines)


def growth_table(outcome: Outcome) -> str:
    """What an object costs as the store grows."""
    lines = []
    for size, results in outcome.sizes.items():
        for name in ("official", "fast", "stdlib"):
            if name not in results:
                continue

            def of(group: str, figure: str, scale: float, name: str = name,
                   results: Results = results) -> float | None:
                value = median(results, name, group, figure)
                return None if value is None else value * scale

            lines.append([f"{size:,} pods, {LABELS[name]}",
                          number(of("sync", "wall", 1), 2),
                          number(of("sync", "cpu", 1e6 / size), 0),
                          number(of("sync", "kept", 1 / size), 0),
                          number(of("sync", "peak", 1 / size), 0),
                          number(of("sync", "collection", 1e3), 1),
                          number(of("events", "cpu", 1e6), 1)])
    return table(["", "ready, s", "CPU us/pod", "kept B/pod", "peak B/pod", "collection, ms",
                  "CPU us/event"], lines)


def floor_table(plan: Plan, outcome: Outcome) -> str:
    """That the server was not the bottleneck, and what merely receiving the bytes costs."""
    results = outcome.sizes[plan.main]
    lines = []
    for path in ("list", "stream"):
        values = [median(results, "floor", "floor", f"{path}_{what}")
                  for what in ("wall", "cpu", "server_cpu")]
        per_pod = [None if value is None else value * 1e6 / plan.main for value in values]
        lines.append([f"floor, {path}, us a pod", *map(number, per_pod)])
    rate = median(results, "floor", "floor", "rate")
    lines.append(["floor, us an event", number(1e6 / rate if rate else None)]
                 + [number(None if value is None else value * 1e6) for value in
                    (median(results, "floor", "floor", f"event_{what}")
                     for what in ("cpu", "server_cpu"))])
    for name, label in LABELS.items():
        wall, cpu, server = (median(results, name, "sync", figure)
                             for figure in ("wall", "cpu", "server_cpu"))
        if wall is not None and cpu is not None and server is not None:
            each = 1e6 / plan.main
            lines.append([f"{label}, us a pod", *(number(value * each)
                                                  for value in (wall, cpu, server))])
        wall, cpu, server, events = (median(results, name, "events", figure)
                                     for figure in ("wall", "cpu", "server_cpu", "events"))
        if wall is not None and cpu is not None and server is not None and events:
            lines.append([f"{label}, us an event", number(wall * 1e6 / events),
                          number(cpu * 1e6), number(server * 1e6 / events)])
    return table(["", "wall", "client's CPU", "server's CPU"], lines)


def modes_table(plan: Plan, outcome: Outcome) -> str:
    """What an object costs in each mode of the store."""
    official = median(outcome.sizes[plan.main], "official", "sync", "kept")
    lines = []
    for name, mode in MODES.items():
        figures = {figure: values[0] for figure, values in outcome.modes.get(name, {}).items()}
        kept, cpu = figures.get("kept"), figures.get("cpu")
        read = figures.get("read")
        lines.append([mode.label, number(None if kept is None else kept / plan.main, 0),
                      ratio(official, kept),
                      number(None if cpu is None else cpu * 1e6 / plan.main, 0),
                      number(None if read is None else read * 1e6, 1)])
    return table(["kept", "B/pod", "less", "CPU us/pod to sync", "us/pod to read first"], lines)


def many_line(plan: Plan, outcome: Outcome) -> str:
    """What many reflectors in one process cost."""
    wall, cpu, kept = (median(outcome.sizes[plan.main], "many", "many", figure)
                       for figure in ("wall", "cpu", "kept"))
    return (f"{MANY} reflectors of one ApiClient, over TLS: ready after {number(wall, 2)} s and "
            f"{number(cpu, 2)} s of CPU (the server's not counted), "
            f"{number(None if kept is None else kept * 1e-6, 2)} MB each.")


def text(plan: Plan, outcome: Outcome, about: Mapping[str, str]) -> str:
    """The whole report."""
    parts = [
        ", ".join(f"{name} {version}" for name, version in about.items()),
        f"{plan.main:,} pods of 11.6 KB, medians of {plan.repeats}; [fast] is with a fast JSON "
        f"parser ({outcome.parsers.get('fast', '-')}), plain is without.\n\n"
        + main_table(plan, outcome),
        f"Gets a second, in thousands, of 500 of the pods, while {plan.rate:,} events a second "
        "are sent that change all of them in turn; and how many events a second were applied:\n\n"
        + threads_table(plan, outcome),
        "As the store grows:\n\n" + growth_table(outcome),
    ]
    if "many" in outcome.sizes[plan.main]:
        parts.append(many_line(plan, outcome))
    if plan.modes:
        parts.append(f"What {plan.main:,} pods cost in each mode of the store, and all read "
                     f"before that is taken where it is said:\n\n" + modes_table(plan, outcome))
    parts.append("The server is not the bottleneck; floor is a client that merely receives the "
                 "bytes:\n\n" + floor_table(plan, outcome))
    if outcome.failures:
        reasons: dict[str, list[str]] = {}
        for what, why in outcome.failures.items():
            reasons.setdefault(why, []).append(what)
        parts.append("Not measured:\n\n" + "\n".join(
            f"{', '.join(what)}: {why}" for why, what in reasons.items()))
    return "\n\n".join(parts) + "\n"
