"""The page on tests of users' programs: its code is a project whose tests pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.pages import check_it_parses, code_in, page

from .test_plugin import pytest_in

PAGE = page("testing")


@pytest.mark.slow
def test_the_code_is_a_project_whose_tests_pass(tmp_path: Path) -> None:
    blocks = code_in(PAGE)
    (objects,) = [block.text for block in blocks if block.language == "yaml"]
    (tmp_path / "pods.yaml").write_text(objects)
    code = "".join(block.text for block in blocks if block.language == "python")
    (tmp_path / "test_page.py").write_text(code)
    ran = pytest_in(tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{code.count('def test_')} passed" in ran.stdout


def test_it_parses() -> None:
    check_it_parses(PAGE)
