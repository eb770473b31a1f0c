"""The figures of the manual, made from those of a run: ``python -m tests.bench --readme``.

The README has the few that say most, the page beside this module has all. Each part that is made
here stands below a comment, ``.. bench: NAME``, and reaches to the next one, ``.. bench: end``.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bench._modes import MODES
from tests.bench._report import LABELS, ROWS, Row, median, number, ratio, scaled
from tests.bench._run import Outcome, Plan, Results
from tests.bench._workloads import MANY

HERE = Path(__file__).parent
#: The run that the manual tells of.
FIGURES = HERE / "figures.json"
PICTURE = HERE / "figures.png"
PAGES = (HERE.parent.parent / "README.rst", HERE / "README.rst")

_OURS = ("fast", "stdlib")
_PART = re.compile(r"(?ms)^\.\. bench: (?P<name>(?!end$)\S+)\n.*?^\.\. bench: end$")


class Run(NamedTuple):
    """What a run of the benchmark has written down."""

    plan: Plan
    outcome: Outcome
    about: Mapping[str, str]


def load(path: Path) -> Run:
    """Read the JSON of a run."""
    said = json.loads(path.read_text("utf-8"))
    outcome = Outcome({int(size): results for size, results in said["sizes"].items()},
                      said["modes"], said["failures"], said["parsers"])
    return Run(Plan(**said["plan"]), outcome, said["about"])


def parts(run: Run) -> dict[str, str]:
    """Make each part, by name."""
    return {"about": _about(run), "main": _main(run), "all": _all(run), "threads": _threads(run),
            "growth": _growth(run), "modes": _modes(run), "many": _many(run), "floor": _floor(run)}


def put(page: str, made: Mapping[str, str]) -> str:
    """Return the text with its parts replaced.

    :raises KeyError: for a part that is not made here.
    """
    return _PART.sub(lambda old: f".. bench: {old['name']}\n\n{made[old['name']]}\n\n.. bench: end",
                     page)


def main(figures: Path, picture: Path) -> None:
    """Put the figures of a run into the pages, and keep them beside this module.

    :raises FileNotFoundError: before anything is written, where one of the two is missing.
    """
    made, drawn = parts(load(figures)), picture.read_bytes()
    for page in PAGES:
        page.write_text(put(page.read_text("utf-8"), made), "utf-8")
    if figures.resolve() != FIGURES:
        shutil.copyfile(figures, FIGURES)
    PICTURE.write_bytes(drawn)


def _table(widths: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in (head, *rows):
        lines += [f"   {'*' if not column else ' '} - {cell}".rstrip()
                  for column, cell in enumerate(row)]
    return "\n".join(lines)


def _about(run: Run) -> str:
    said = dict(run.about)
    cores = said.pop("cores", "?")
    versions = ", ".join(f"{name} {version}" for name, version in said.items())
    repeats = run.plan.repeats
    turns = "One turn" if repeats == 1 else f"Medians of {repeats} turns"
    return (f"{turns} with {run.plan.main:,} pods of 11.6 KB, on {cores} cores, with\n"
            f"{versions}:")


def _main(run: Run) -> str:
    """Make a table that is short, also as text."""
    lines = _compared(run, [row for row in ROWS if row.in_readme])
    widths = [max(map(len, column)) for column in zip(*lines)]
    bar = "  ".join("=" * width for width in widths)
    head, *rows = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
                   for line in lines]
    return "\n".join((bar, head, bar, *rows, bar))


def _all(run: Run) -> str:
    head, *rows = _compared(run, ROWS)
    return _table("40 12 12 12 12 12", ["", *head[1:]], rows)


def _compared(run: Run, chosen: Sequence[Row]) -> list[list[str]]:
    """Return the head, and of the rows those of which there are figures."""
    results = run.outcome.sizes[run.plan.main]
    lines = [["..", "official", "``[fast]``", "better", "plain", "better"]]
    for row in chosen:
        official = median(results, "official", row.group, row.figure)
        line = [_label(row), "" if row.of else number(scaled(official, row), row.digits)]
        for name in _OURS:
            ours = median(results, name + row.of, row.group, row.figure)
            line += [number(scaled(ours, row), row.digits), ratio(official, ours, more=row.more)]
        if set(line[1:]) - {"", "-"}:
            lines.append(line)
    return lines


def _label(row: Row) -> str:
    label = re.sub(r"\bus\b", "µs", row.label)
    return "… " + label.strip() if label.startswith(" ") else label


def _threads(run: Run) -> str:
    results = run.outcome.sizes[run.plan.main]
    rows = []
    for which in ("alone", *map(str, run.plan.threads)):
        gets = which if which == "alone" else f"threads_{which}"
        line = ["1, nothing written" if which == "alone" else which]
        for name in ("official", *_OURS):
            line += [number(median(results, name, "reads", gets), 0),
                     number(median(results, name, "reads", f"applied_{which}"), 0)]
        rows.append(line)
    head = ["threads", "official, gets", "events", "``[fast]``, gets", "events", "plain, gets",
            "events"]
    return _table("22 14 12 14 12 14 12", head, rows)


def _growth(run: Run) -> str:
    rows = []
    for size, results in run.outcome.sizes.items():
        for name in ("official", *_OURS):
            if name in results:
                rows.append([f"{size:,}, {LABELS[name]}", *_of_one(results, name, size)])
    return _table("36 16 16 16 16", ["pods", "seconds to ready", "CPU a pod, µs", "bytes a pod",
                                     "CPU an event, µs"], rows)


def _of_one(results: Results, name: str, size: int) -> list[str]:
    each = 1 / size
    return [number(None if value is None else value * scale, digits)
            for group, figure, scale, digits in (
                ("sync", "wall", 1, 2), ("sync", "cpu", 1e6 * each, 0), ("sync", "kept", each, 0),
                ("events", "cpu", 1e6, 0))
            for value in [median(results, name, group, figure)]]


def _modes(run: Run) -> str:
    results, size = run.outcome.sizes[run.plan.main], run.plan.main
    rows = []
    for name, mode in MODES.items():
        taken = {figure: values[0] for figure, values in run.outcome.modes.get(name, {}).items()}
        if taken:
            read = taken["read"] * 1e6
            rows.append([mode.label, mode.by, number(taken["kept"] / size, 0),
                         number(taken["cpu"] * 1e6 / size, 0), number(read, 0 if read > 10 else 1)])
    kept, cpu = (median(results, "official", "sync", figure) for figure in ("kept", "cpu"))
    rows.append(["the official informer, for comparison", "",
                 number(None if kept is None else kept / size, 0),
                 number(None if cpu is None else cpu * 1e6 / size, 0), ""])
    return _table("28 32 13 13 14", ["a pod kept …", "by", "bytes", "µs to sync",
                                     "µs to read first"], rows)


def _many(run: Run) -> str:
    wall, cpu, kept = (median(run.outcome.sizes[run.plan.main], "many", "many", figure)
                       for figure in ("wall", "cpu", "kept"))
    return (f"{MANY} reflectors of one ``ApiClient``, over TLS, are ready after "
            f"{number(wall, 2)} s and {number(cpu, 2)} s of CPU, and take "
            f"{number(None if kept is None else kept * 1e-6, 2)} MB each.")


def _floor(run: Run) -> str:
    results = run.outcome.sizes[run.plan.main]
    pod = median(results, "floor", "floor", "stream_cpu")
    event = median(results, "floor", "floor", "event_cpu")
    return (f"Merely to receive the bytes takes "
            f"{number(None if pod is None else pod * 1e6 / run.plan.main)} µs of CPU a pod, and "
            f"{number(None if event is None else event * 1e6)} µs an event.")
