"""Metadata alone is a fraction of the pods, on the wire."""

from __future__ import annotations

from tests.bench._metadata import measure, text


def test_metadata_is_a_fraction() -> None:
    whole, metadata = measure(50)
    # At rest, what so few take depends on which of them the dictionary is made of.
    for name in ("listed", "zipped", "streamed"):
        assert 0 < getattr(metadata, name) < 0.6 * getattr(whole, name), name
    lines = text(whole, metadata).splitlines()
    assert lines[0].split() == ["bytes", "a", "pod", "whole", "metadata", "share"]
    assert len(lines) == 8
