"""Tables, on a terminal with rich, and as plain text."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["Plain", "console", "printable", "show_table", "size", "styled"]

_GAP = "   "
_GOOD = {"Running", "Ready", "Active", "Bound", "Available", "Complete", "True", "ok"}
_DONE = {"Completed", "Succeeded", "Terminating", "Released"}
_SLOW = {"Pending", "ContainerCreating", "PodInitializing", "Unknown", "NotReady", "Warning",
         "warn"}
_BAD = ("Error", "Failed", "CrashLoopBackOff", "BackOff", "Evicted", "OOMKilled", "fail",
        "Lost", "ErrImagePull")


def console() -> Console | None:
    """Return rich's console, where there is a terminal and rich; else None."""
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console(highlight=False)


def printable(cell: Any) -> str:
    """Return a cell as text in one line, without what would command the terminal."""
    if cell is None:
        return "<none>"
    text = str(cell)
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else " " for one in text)


def size(count: int) -> str:
    """Write a number of bytes: ``980 B``, ``1.2 kB``, ``15 MB``."""
    if count < 1000:
        return f"{count} B"
    scaled = float(count)
    for unit in ("kB", "MB", "GB"):
        scaled /= 1000
        if scaled < 999.5 or unit == "GB":
            break
    return f"{scaled:.1f} {unit}" if scaled < 9.95 else f"{scaled:,.0f} {unit}"


def styled(heading: str, text: str) -> Text:
    """Return a cell in the colour that its meaning has."""
    from rich.text import Text

    return Text(text, style=_style(heading, text))


def _style(heading: str, text: str) -> str:
    if heading not in ("STATUS", "TYPE", "READY", ""):
        return ""
    first = text.partition(",")[0]
    if heading == "READY" and "/" in text:
        there, _, wanted = text.partition("/")
        return "yellow" if there != wanted else ""
    if first in _GOOD:
        return "green"
    if first in _DONE:
        return "dim"
    if any(word in first for word in _BAD):
        return "red"
    return "yellow" if first in _SLOW or first.startswith("Init:") else ""


def show_table(headings: Sequence[str], rows: Iterable[Sequence[Any]], *,
               numeric: Iterable[int] = ()) -> None:
    """Print a table; as wide as it is, which the terminal may wrap as it does others' output.

    :param numeric: which columns are set right.
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    right = frozenset(numeric)
    out = console()
    plain = Plain(headings, right)
    plain.fit(cells)
    if out is None or plain.width > out.width:
        # Lines that the terminal wraps should not be padded.
        plain.show_all(cells)
        return
    from rich.table import Table

    table = Table(box=None, padding=(0, len(_GAP), 0, 0), header_style="bold", pad_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(heading, no_wrap=True, justify="right" if number in right else "left")
    for row in cells:
        table.add_row(*map(styled, headings, row))
    out.print(table)


class Plain:
    """A table as plain text, of which more rows may come.

    :param headings: of the columns.
    :param right: which columns are set right.
    """

    def __init__(self, headings: Sequence[str], right: Iterable[int] = ()) -> None:
        self.headings = list(headings)
        self._right = frozenset(right)
        self._widths = [len(one) for one in headings]

    def fit(self, rows: Iterable[Sequence[str]]) -> None:
        """Make the columns as wide as these rows need, which may be short; never narrower."""
        for row in rows:
            for number, cell in enumerate(row):
                self._widths[number] = max(self._widths[number], len(cell))

    @property
    def width(self) -> int:
        """How wide the lines are."""
        return sum(self._widths) + len(_GAP) * (len(self._widths) - 1)

    def line(self, row: Sequence[str]) -> str:
        """Return a row as a line of text."""
        padded = [cell.rjust(width) if number in self._right else cell.ljust(width)
                  for number, (cell, width) in enumerate(zip(row, self._widths))]
        return _GAP.join(padded).rstrip()

    def show_all(self, rows: Iterable[Sequence[str]]) -> None:
        """Print the headings and some rows."""
        print("\n".join(map(self.line, [self.headings, *rows])), flush=True)
