"""Pages of the manual, and the code in them."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import NamedTuple

from tests.support._examples import ROOT

__all__ = ["Block", "chapter", "check_it_parses", "code_in", "page", "pages"]


class Block(NamedTuple):
    """A piece of code in a page."""

    language: str
    line: int
    text: str


def page(room: str) -> Path:
    """Return the page of a room, ``cli`` for instance."""
    return ROOT / "kube_reflect" / room / "README.rst"


def pages() -> list[Path]:
    """Find every page of the manual."""
    return [ROOT / "README.rst", *(path for folder in ("kube_reflect", "examples", "tests")
                                   for path in sorted((ROOT / folder).rglob("*.rst")))]


def chapter(path: Path, title: str) -> str:
    """Return the text of a chapter of a page."""
    text = path.read_text("utf-8")
    return re.split(rf"^{re.escape(title)}\n-+\n", text, flags=re.M)[1].partition("\n---")[0]


def code_in(path: Path) -> list[Block]:
    """Find all code in a page, in its order."""
    text = path.read_text("utf-8")
    found = []
    for match in re.finditer(r"^\.\. code-block:: (\w+)\n\n((?:    .*\n|\n)+)", text, re.M):
        line = text.count("\n", 0, match.start(2))
        found.append(Block(match[1], line, textwrap.dedent(match[2])))
    return found


def check_it_parses(path: Path) -> None:
    """Fail where the page is no reStructuredText; skip where nobody can tell."""
    import pytest

    core = pytest.importorskip("docutils.core")
    document = core.publish_doctree(
        path.read_text("utf-8"), source_path=str(path),
        settings_overrides={"halt_level": 2, "report_level": 2, "file_insertion_enabled": False})
    assert document.children
