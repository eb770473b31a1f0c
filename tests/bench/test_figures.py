"""The manual tells of the run whose figures are kept beside the benchmark, and of no other."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.bench import _readme
from tests.bench._readme import FIGURES, PAGES, PICTURE, load, main, parts, put


def test_the_pages_have_the_figures_of_the_run_that_is_kept() -> None:
    made = parts(load(FIGURES))
    names: set[str] = set()
    for page in PAGES:
        text = page.read_text("utf-8")
        assert put(text, made) == text
        names |= set(re.findall(r"(?m)^\.\. bench: (?!end$)(\S+)$", text))
    assert names == made.keys()
    assert PICTURE.read_bytes().startswith(b"\x89PNG")


def test_one_command_fills_every_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [tmp_path / "one.rst", tmp_path / "two.rst"]
    for page, name in zip(pages, ("main", "all")):
        page.write_text(f".. bench: {name}\n\n.. bench: end\n")
    monkeypatch.setattr(_readme, "PAGES", pages)
    monkeypatch.setattr(_readme, "FIGURES", tmp_path / "figures.json")
    monkeypatch.setattr(_readme, "PICTURE", tmp_path / "figures.png")
    said = json.loads(FIGURES.read_text("utf-8"))
    # Groups that are not in every run: their rows are there when the run has them.
    results = said["sizes"][str(said["plan"]["main"])]
    results["official"]["rows"] = {"wall": [6.0], "kept": [700e6]}
    results["fast"]["rows"] = {"wall": [0.5], "kept": [70e6]}
    results["stdlib"].pop("rows", None)
    ran = tmp_path / "ran.json"
    ran.write_text(json.dumps(said))
    main(ran, PICTURE)
    short, whole = (page.read_text("utf-8") for page in pages)
    [row] = [line for line in short.splitlines() if "name, phase, node of all" in line]
    assert row.split()[-5:] == ["6.00", "0.50", "12x", "-", "-"]
    assert "name, phase, node of all" in whole
    assert (tmp_path / "figures.json").read_text() == ran.read_text()
    assert (tmp_path / "figures.png").read_bytes() == PICTURE.read_bytes()


def test_a_part_is_put_where_its_name_stands() -> None:
    text = "a\n\n.. bench: one\n\nold\n\n.. bench: end\n\nb\n"
    assert put(text, {"one": "new"}) == "a\n\n.. bench: one\n\nnew\n\n.. bench: end\n\nb\n"


def test_a_part_that_nobody_makes_is_an_error() -> None:
    with pytest.raises(KeyError, match="two"):
        put(".. bench: two\n\n.. bench: end\n", {"one": ""})
