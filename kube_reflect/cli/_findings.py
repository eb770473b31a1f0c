"""What the doctor finds, and how it is told."""

from __future__ import annotations

import enum
from typing import NamedTuple

from kube_reflect.cli._printing import console, printable, styled

__all__ = ["Finding", "Level", "show"]

_TITLE_WIDTH = 15


class Level(enum.Enum):
    """How bad a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(NamedTuple):
    """What was found out about one thing.

    :ivar title: the thing, in a word or two.
    :ivar text: what was found.
    :ivar advice: what to do, if something is to be done.
    """

    level: Level
    title: str
    text: str
    advice: str = ""


def show(finding: Finding) -> None:
    """Print a finding."""
    text = printable(finding.text)
    out = console()
    if out is None:
        print(f"{finding.level.value:<5} {finding.title:<{_TITLE_WIDTH}} {text}", flush=True)
        if finding.advice:
            print(f"{'':<5} {'':<{_TITLE_WIDTH}} -> {finding.advice}", flush=True)
        return
    from rich.table import Table
    from rich.text import Text

    line = Table.grid(padding=(0, 1, 0, 0))
    line.add_column(width=5)
    line.add_column(width=_TITLE_WIDTH)
    line.add_column(overflow="fold")
    level = styled("", finding.level.value)
    level.stylize("bold")
    line.add_row(level, finding.title, Text(text))
    if finding.advice:
        line.add_row("", "", Text(f"→ {finding.advice}", style="italic"))
    out.print(line)
