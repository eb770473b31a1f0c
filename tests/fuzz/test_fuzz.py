"""A little of what `make fuzz` does for minutes."""

from __future__ import annotations

import sys

import pytest

from tests.fuzz.__main__ import READERS, fuzz


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measured by /proc")
@pytest.mark.parametrize("name", READERS)
def test_damaged_input_is_refused_or_read(name: str) -> None:
    read, seeds = READERS[name]
    assert fuzz(name, read, seeds(), seconds=5, seed=1)
