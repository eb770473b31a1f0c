"""The table of ``kube-reflect watch``, refreshed in place. Needs rich."""

from __future__ import annotations

import time
from textwrap import shorten
from typing import Any, NamedTuple

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from kube_reflect.cli._columns import headings_of
from kube_reflect.cli._printing import printable, styled
from kube_reflect.dispatcher import Applied, Deleted
from kube_reflect.reflector import Reflector
from kube_reflect.status import Phase, Status
from kube_reflect.testing.columns import Column

__all__ = ["Board"]

#: Seconds for which a change is marked.
_MARKED = 3.0
#: Lines that are not rows.
_FRAME_LINES = 5
#: Names are what one looks for; the others give way.
_NAME_WIDTH = 16
#: Between two columns; and the column of the marks, with what follows it.
_GAP = 2
_MARK_WIDTH = 1 + _GAP
_COLORS = {Phase.WATCHING: "green", Phase.LISTING: "yellow", Phase.CONNECTING: "yellow",
           Phase.BACKING_OFF: "red", Phase.DEAD: "bold red", Phase.STOPPED: "dim"}

_Key = tuple[str, str]


class _Mark(NamedTuple):
    """What happened to an object, and when."""

    sign: str
    style: str
    at: float


class Board:
    """What is there, with marks; shown in place until it is left, and the last picture stays.

    One thread uses it, but for `count`.

    :param title: what is followed.
    :param columns: of the table.
    :param total: how many objects the first list is expected to have, if that is known.
    :param console: where to.
    """

    def __init__(self, title: str, columns: list[Column], total: int | None, console: Console,
                 ) -> None:
        self._title = title
        self._columns = columns
        self._console = console
        self._live = Live(console=console, auto_refresh=False)
        #: Of each object the last change, which decodes it when it is drawn.
        self._objects: dict[_Key, Applied[Any] | Deleted[Any]] = {}
        self._marks: dict[_Key, _Mark] = {}
        self._listed = False
        self._counted = 0
        self._progress = Progress(
            SpinnerColumn(), TextColumn("listing"), BarColumn(), MofNCompleteColumn(),
            console=console)
        self._task = self._progress.add_task("listing", total=total)

    def __enter__(self) -> Board:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def count(self, obj: Any) -> Any:
        """Count an object that came, as a reflector's transform; by the reflector's thread."""
        self._counted += 1
        return obj

    def all_listed(self) -> None:
        """Mark what comes from now on."""
        self._listed = True

    def changed(self, change: Applied[Any] | Deleted[Any]) -> None:
        """Show a change."""
        key = change.ref.namespace or "", change.ref.name
        self._objects[key] = change
        if isinstance(change, Deleted):
            self._marks[key] = _Mark("-", "red strike", time.monotonic())
        elif not self._listed:
            self._marks.pop(key, None)
        elif change.is_new:
            self._marks[key] = _Mark("+", "green", time.monotonic())
        else:
            self._marks[key] = _Mark("~", "yellow", time.monotonic())

    def show(self, reflector: Reflector[Any]) -> None:
        """Show the picture of this moment."""
        self._live.update(self.render(reflector.status), refresh=True)

    def render(self, status: Status) -> RenderableType:
        """Draw the picture of this moment."""
        self._forget_old_marks()
        title = Text(self._title, style="bold", overflow="ellipsis", no_wrap=True)
        if not self._listed:
            self._progress.update(self._task, completed=self._counted)
            return Group(title, self._progress.get_renderable(), self._status(status, ""))
        room = max(1, self._console.height - _FRAME_LINES)
        keys = sorted(self._objects)
        note = ""
        if len(keys) > room:
            keys.sort(key=lambda key: -self._marks[key].at if key in self._marks else 0.0)
            keys = keys[:room]
            note = f"{room:,} shown, last changed first"
        return Group(title, self._table(keys), self._status(status, note))

    def _forget_old_marks(self) -> None:
        now = time.monotonic()
        for key, mark in list(self._marks.items()):
            if now - mark.at > _MARKED:
                del self._marks[key]
                if mark.sign == "-":
                    self._objects.pop(key, None)

    def _table(self, keys: list[_Key]) -> RenderableType:
        if not keys:
            return Text("nothing there", style="dim")
        headings = headings_of(self._columns)
        rows = [[printable(one.cell(self._objects[key].object)) for one in self._columns]
                for key in keys]
        shown = self._fitting(headings, rows)
        table = Table(box=None, padding=(0, _GAP, 0, 0), header_style="bold", pad_edge=False)
        table.add_column("", width=1, min_width=1, no_wrap=True)
        for heading in headings[:shown]:
            table.add_column(heading, no_wrap=True, overflow="ellipsis",
                             min_width=_NAME_WIDTH if heading == "NAME" else 0)
        for key, cells in zip(keys, rows):
            mark = self._marks.get(key)
            if mark is None:
                table.add_row("", *map(styled, headings[:shown], cells))
            else:
                # What is struck out is the text, and not the space beside it.
                table.add_row(Text(mark.sign, style=mark.style.split()[0]),
                              *(Text().append(cell, mark.style) for cell in cells[:shown]))
        return table

    def _fitting(self, headings: list[str], rows: list[list[str]]) -> int:
        """Return how many columns there is room for; names have the room that there is."""
        left = self._console.width - _MARK_WIDTH
        first = headings.index("NAME") + 1 if "NAME" in headings else 1
        for number, heading in enumerate(headings):
            width = max([len(heading), *(cell_len(row[number]) for row in rows)])
            left -= max(width, _NAME_WIDTH) if heading == "NAME" else width
            if left < 0 and number >= first:
                return number
            left -= _GAP
        return len(headings)

    def _status(self, status: Status, note: str) -> RenderableType:
        line = Text("● " if status.live else "○ ", style=_COLORS[status.phase], no_wrap=True,
                    overflow="ellipsis")
        line.append(status.phase.value)
        facts = [f"{status.objects:,} objects"]
        if status.staleness is not None:
            facts.append(f"last contact {status.staleness:.0f} s ago")
        facts += [f"{count:,} {what}" for what, count in (
            ("reconnects", status.reconnects), ("relists", status.relists)) if count]
        facts.append(note)
        line.append("".join(f" · {fact}" for fact in facts if fact), style="dim")
        if status.last_error is not None:
            text = shorten(f"{status.last_error}", max(20, self._console.width - 14),
                           placeholder=" …")
            return Group(line, Text(f"last error: {text}",
                                    style="dim" if status.live else "red"))
        return line
