"""The README tells of the run whose figures are kept beside the benchmark, and of no other."""

from __future__ import annotations

import re

import pytest

from tests.bench._readme import FIGURES, PICTURE, README, load, parts, put


def test_the_readme_has_the_figures_of_the_run_that_is_kept() -> None:
    text = README.read_text("utf-8")
    made = parts(load(FIGURES))
    assert put(text, made) == text
    assert set(re.findall(r"(?m)^\.\. bench: (?!end$)(\S+)$", text)) == made.keys()
    assert PICTURE.read_bytes().startswith(b"\x89PNG")


def test_a_part_is_put_where_its_name_stands() -> None:
    text = "a\n\n.. bench: one\n\nold\n\n.. bench: end\n\nb\n"
    assert put(text, {"one": "new"}) == "a\n\n.. bench: one\n\nnew\n\n.. bench: end\n\nb\n"


def test_a_part_that_nobody_makes_is_an_error() -> None:
    with pytest.raises(KeyError, match="two"):
        put(".. bench: two\n\n.. bench: end\n", {"one": ""})
