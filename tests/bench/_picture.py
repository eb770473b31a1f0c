"""The picture for the README. Needs matplotlib, which is the extra [bench]."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.bench._report import median
from tests.bench._run import Outcome, Plan

_NAMES = {"official": "official SharedInformer", "fast": "kube_reflect [fast]",
          "stdlib": "kube_reflect"}
_COLOURS = {"official": "#9aa0a6", "fast": "#1f77b4", "stdlib": "#79b4e0"}
_INK = "#6e7781"

# Title, group, figure, scale, digits.
_PANELS = [
    ("seconds to ready", "sync", "wall", 1.0, 2),
    ("MB kept", "sync", "kept", 1e-6, 0),
    ("longest stall of\nanother thread, ms", "stall", "sync", 1e3, 0),
    ("watch events a second", "events", "rate", 1.0, 0),
]


def draw(plan: Plan, outcome: Outcome, path: Path) -> None:
    """Draw four panels of bars.

    :raises ImportError: without matplotlib.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(_PANELS), figsize=(11, 2.9))
    for panel, (title, group, name, scale, digits) in zip(panels, _PANELS):
        _panel(panel, title, _values(plan, outcome, group, name, scale), digits)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=3, frameon=False,
                  labelcolor=_INK)
    figure.suptitle(f"{plan.main:,} pods of 11.6 KB", color=_INK)
    figure.tight_layout(rect=(0, 0.09, 1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    # No background, so that the picture suits light and dark pages.
    figure.savefig(path, dpi=160, transparent=True)
    pyplot.close(figure)


def _values(plan: Plan, outcome: Outcome, group: str, name: str,
            scale: float) -> dict[str, float]:
    found = {}
    for contender in _NAMES:
        value = median(outcome.sizes[plan.main], contender, group, name)
        if value is not None:
            found[contender] = value * scale
    return found


def _panel(panel: Any, title: str, values: dict[str, float], digits: int) -> None:
    for position, (contender, value) in enumerate(values.items()):
        bar = panel.bar([position], [value], width=0.7, color=_COLOURS[contender],
                        label=_NAMES[contender])
        panel.bar_label(bar, labels=[f"{value:,.{digits}f}"], padding=2, color=_INK, fontsize=9)
    panel.set_title(title, fontsize=10, color=_INK)
    panel.set_xticks([])
    panel.set_yticks([])
    panel.margins(y=0.15)
    for side in ("top", "left", "right"):
        panel.spines[side].set_visible(False)
    panel.spines["bottom"].set_color(_INK)
