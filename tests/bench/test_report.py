"""The report says what was measured, and a dash for what was not."""

from __future__ import annotations

from tests.bench._report import ratio, table, text
from tests.bench._run import Outcome, Plan

PLAN = Plan(sizes=(500,), main=500, repeats=3)


def test_a_ratio_says_how_many_times_better() -> None:
    assert ratio(8.0, 0.5) == "16x"
    assert ratio(400.0, 10_000.0, more=True) == "25x"
    assert ratio(3.0, 2.0) == "1.5x"
    assert ratio(1.0, 20.0) == "0.05x"
    assert ratio(None, 1.0) == ratio(1.0, None) == "-"


def test_a_table_aligns_its_columns() -> None:
    assert table(["", "a"], [["row", "1.0"], ["longer row", "10.0"]]).splitlines() == [
        "               a",
        "----------  ----",
        "row          1.0",
        "longer row  10.0"]


def test_the_report_gives_medians_and_dashes() -> None:
    outcome = Outcome(sizes={500: {"official": {"sync": {"wall": [9.0, 8.0, 1.0]}},
                                   "stdlib": {"sync": {"wall": [1.0, 1.0, 3.0]}}}},
                      failures={"fast sync": "ImportError: no", "fast reads": "ImportError: no"})
    report = text(PLAN, outcome, {"CPython": "3.11"})
    wall = next(line for line in report.splitlines() if line.startswith("wall time to ready"))
    assert wall.split()[5:] == ["8.00", "-", "-", "1.00", "8.0x"]
    assert "fast sync, fast reads: ImportError: no" in report
