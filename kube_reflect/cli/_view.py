"""The view on a terminal, refreshed in place. Needs rich."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from kube_reflect.cli._frames import Frame, Rates, error_text
from kube_reflect.status import Phase

__all__ = ["View"]

_MAX_WIDTH = 110
#: Lines of the view that are not namespaces.
_FRAME_LINES = 17
_BARS = "▁▂▃▄▅▆▇█"
_COLORS = {
    Phase.WATCHING: "green",
    Phase.LISTING: "yellow",
    Phase.CONNECTING: "yellow",
    Phase.BACKING_OFF: "red",
    Phase.DEAD: "bold red",
    Phase.STOPPED: "dim",
}
_PHASES = (("Running", "green"), ("Pending", "yellow"), ("Succeeded", "blue"), ("Failed", "red"))


def _spark(values: Sequence[float], width: int) -> str:
    shown = list(values)[-width:]
    highest = max(shown, default=0.0) or 1.0
    return "".join(_BARS[round(value / highest * (len(_BARS) - 1))] for value in shown)


class View:
    """Shows frames in place, until left; the last one stays.

    :param title: what is followed.
    :param note: what else to know of it.
    :param rates: of the frames.
    :param console: where to; standard output unless given.
    """

    def __init__(self, title: str, note: str, rates: Rates, console: Console | None = None
                 ) -> None:
        self._console = console if console is not None else Console()
        self._title = title
        self._note = note
        self._rates = rates
        self._live = Live(console=self._console, auto_refresh=False)

    def __enter__(self) -> View:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, frame: Frame) -> None:
        """Show a frame in the place of the one before."""
        self._live.update(self.render(frame), refresh=True)

    def render(self, frame: Frame) -> RenderableType:
        """Draw a frame."""
        width = min(self._console.width, _MAX_WIDTH)
        title = Text(f" {self._title}", style="bold", overflow="ellipsis", no_wrap=True)
        hint = Text(f"{self._note} Ctrl-C compares cache and server, and ends.", style="dim")
        return Group(
            title,
            Panel(self._cache(frame, width), title="cache", title_align="left", width=width,
                  border_style=_COLORS[frame.status.phase]),
            Panel(self._namespaces(frame, width), title="pods in the cache", title_align="left",
                  width=width, border_style="dim"),
            Padding(hint, (0, 1)),
        )

    def _cache(self, frame: Frame, width: int) -> RenderableType:
        status = frame.status
        facts = Table.grid(padding=(0, 2))
        facts.add_column(style="dim", width=10)
        facts.add_column(no_wrap=True, width=22)
        facts.add_column(style="dim", width=9)
        facts.add_column(justify="right", no_wrap=True, width=9)
        facts.add_column(style="cyan", no_wrap=True)
        space = width - 66
        objects, version = frame.server if frame.server is not None else (None, None)
        dot = "● " if status.live else "○ "
        phase = Text(f"{dot}{status.phase.value}", style=_COLORS[status.phase])
        phase.append(f" {frame.phase_age:.0f} s", style="dim")
        staleness = "-" if status.staleness is None else f"{status.staleness:.2f} s"
        facts.add_row("phase", phase, "events/s", f"{frame.events:,.0f}",
                      _spark(self._rates.events, space))
        facts.add_row("objects", _beside(f"{status.objects:,}", objects),
                      "reads/s", f"{frame.reads:,.0f}", _spark(self._rates.reads, space))
        facts.add_row("version", _beside(status.resource_version or "-", version),
                      "staleness", staleness)
        facts.add_row("elapsed", f"{frame.elapsed:.0f} s", "events", f"{status.events:,}")
        facts.add_row("reconnects", f"{status.reconnects}", "relists", f"{status.relists}")
        error = Table.grid(padding=(0, 2))
        error.add_column(style="dim", min_width=10)
        error.add_column(overflow="fold")
        trouble = status.last_error is not None and not status.live
        # In two lines at most.
        text = shorten(error_text(frame), max(20, 2 * (width - 18)), placeholder=" …")
        error.add_row("last error", Text(text, style="red" if trouble else ""))
        return Group(facts, error)

    def _namespaces(self, frame: Frame, width: int) -> RenderableType:
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False, expand=True)
        table.add_column("namespace", no_wrap=True, ratio=1, min_width=12)
        for name, color in _PHASES:
            table.add_column(name, justify="right", style=color)
        table.add_column("all", justify="right")
        table.add_column("", no_wrap=True, width=max(0, width - 68))
        rows = sorted(frame.pods.items(), key=lambda item: (-item[1].total(), item[0]))
        room = max(1, self._console.height - _FRAME_LINES)
        shown, left = (rows, []) if len(rows) <= room else (rows[:room - 1], rows[room - 1:])
        highest = max((counted.total() for _, counted in rows), default=1)
        for namespace, counted in sorted(shown):
            table.add_row(namespace, *_numbers(counted),
                          _bar(counted, highest, max(0, width - 68)))
        if left:
            rest = sum((counted for _, counted in left), start=type(left[0][1])())
            table.add_row(f"{len(left)} more", *_numbers(rest), "")
        return table


def _beside(own: str, server: object) -> Text:
    text = Text(own)
    if server is not None:
        text.append(f"  server {server:,}" if isinstance(server, int) else f"  server {server}",
                    style="dim")
    return text


def _numbers(counted: dict[str, int]) -> list[str]:
    return [f"{counted.get(name) or '-'}" for name, _ in _PHASES] + [f"{sum(counted.values())}"]


def _bar(counted: dict[str, int], highest: int, width: int) -> Text:
    bar = Text()
    for name, color in _PHASES:
        bar.append("█" * round(counted.get(name, 0) / highest * width), style=color)
    return bar
