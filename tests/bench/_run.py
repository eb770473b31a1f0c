"""Run every group of figures in fresh processes, the contenders in turn, several times."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from tests.bench._control import canned_server
from tests.bench._measure import Task
from tests.bench._modes import MODES

#: The values of one figure, one a turn.
Values = list[float]
#: Contender, group, figure.
Results = dict[str, dict[str, dict[str, Values]]]


class Contender(NamedTuple):
    """Who is measured, and how."""

    client: str
    listing: bool = False
    stdlib: bool = False
    mode: str = "default"
    groups: tuple[str, ...] = ("sync", "collection", "stall", "events", "reads", "rows", "web",
                               "controller")


_BY_LIST = ("sync", "stall")
_AS_DICTS = ("rows", "web")

CONTENDERS = {
    "floor": Contender("floor", groups=("floor",)),
    "official": Contender("official"),
    "fast": Contender("kube_reflect"),
    "stdlib": Contender("kube_reflect", stdlib=True),
    "fast-dict": Contender("kube_reflect", mode="dict", groups=_AS_DICTS),
    "stdlib-dict": Contender("kube_reflect", mode="dict", stdlib=True, groups=_AS_DICTS),
    "many": Contender("kube_reflect", groups=("many",)),
    "fast-list": Contender("kube_reflect", listing=True, groups=_BY_LIST),
    "stdlib-list": Contender("kube_reflect", listing=True, stdlib=True, groups=_BY_LIST),
}


@dataclass(frozen=True)
class Plan:
    """What to run.

    :param repeats: how many turns the main size gets; the others get one, for the growth.
    :param main: the size for which all figures are taken.
    :param official_limit: above this many pods the official informer would need all memory.
    :param slow_events: how many events the official informer gets in a burst.
    :param events: how many the others get.
    :param rate: events a second while threads read.
    :param seconds: how long each number of threads reads.
    """

    sizes: Sequence[int] = (1000, 5000, 20000)
    main: int = 5000
    repeats: int = 3
    fast: bool = True
    modes: bool = True
    official_limit: int = 20000
    slow_events: int = 2000
    events: int = 20000
    rate: int = 2000
    seconds: float = 1.0
    threads: Sequence[int] = (1, 2, 4, 8)

    def contenders(self, size: int) -> dict[str, Contender]:
        """Those who take part at this size."""
        return {name: contender for name, contender in CONTENDERS.items()
                if (self.fast or not name.startswith("fast"))
                and (name != "official" or size <= self.official_limit)}


@dataclass
class Outcome:
    """All that was measured, by number of pods.

    :param modes: figures by mode of the store.
    :param failures: by contender and group, the last line of what a process said when it failed.
    """

    sizes: dict[int, Results] = field(default_factory=dict)
    modes: dict[str, dict[str, Values]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    parsers: dict[str, str] = field(default_factory=dict)

    def as_json(self, plan: Plan, about: Mapping[str, str]) -> str:
        """Everything, so that the table and the picture can be made from it again."""
        return json.dumps({"about": dict(about), "plan": asdict(plan), **asdict(self)}, indent=1)


def run(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Measure it all.

    :param say: is told what runs now.
    """
    outcome = Outcome()
    for size in plan.sizes:
        results = outcome.sizes.setdefault(size, {})
        with canned_server(size) as port:
            for turn in range(plan.repeats if size == plan.main else 1):
                for name, contender in plan.contenders(size).items():
                    say(f"{size} pods, turn {turn + 1}: {name}")
                    for group in contender.groups:
                        if size == plan.main or group in ("sync", "events", "floor"):
                            _one(outcome, results, name, _task(plan, contender, group, size, port))
            if plan.modes and size == plan.main:
                _modes(plan, outcome, size, port, say)
    return outcome


def _task(plan: Plan, contender: Contender, group: str, size: int, port: int) -> Task:
    events = plan.slow_events if contender.client == "official" else plan.events
    return Task(group, contender.client, port, size, listing=contender.listing, events=events,
                rate=plan.rate, seconds=plan.seconds, threads=list(plan.threads),
                mode=contender.mode)


def _one(outcome: Outcome, results: Results, name: str, task: Task) -> None:
    figures = measure(task, stdlib=CONTENDERS[name].stdlib)
    if isinstance(figures, str):
        outcome.failures.setdefault(f"{name} {task.figures}", figures)
        return
    parser = figures.pop("parser", "")
    if parser:
        outcome.parsers[name] = parser
    kept = results.setdefault(name, {}).setdefault(task.figures, {})
    for figure, value in figures.items():
        kept.setdefault(figure, []).append(value)


def _modes(plan: Plan, outcome: Outcome, size: int, port: int, say: Callable[[str], None]) -> None:
    for name in MODES:
        say(f"{size} pods: mode {name}")
        figures = measure(Task("mode", "kube_reflect", port, size, mode=name),
                          stdlib=not plan.fast)
        if isinstance(figures, str):
            outcome.failures[f"mode {name}"] = figures
        else:
            outcome.modes[name] = {figure: [value] for figure, value in figures.items()}


def measure(task: Task, *, stdlib: bool) -> dict[str, Any] | str:
    """The figures of one fresh process, or why there are none."""
    environment = dict(os.environ)
    environment.pop("KUBE_REFLECT_JSON", None)
    if stdlib:
        environment["KUBE_REFLECT_JSON"] = "stdlib"
    try:
        done = subprocess.run([sys.executable, "-m", "tests.bench._measure",
                               json.dumps(asdict(task))], env=environment, text=True,
                              capture_output=True, timeout=1200)
    except subprocess.TimeoutExpired:
        return "took more than 20 minutes"
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures
