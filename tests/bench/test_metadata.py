"""Metadata alone is a fraction of the pods, on the wire and at rest."""

from __future__ import annotations

from tests.bench._metadata import measure, text


def test_metadata_is_a_fraction() -> None:
    whole, metadata = measure(50)
    for name in whole._fields[:-1]:
        assert 0 < getattr(metadata, name) < 0.6 * getattr(whole, name), name
    assert metadata.slim < metadata.kept
    lines = text(whole, metadata).splitlines()
    assert lines[0].split() == ["bytes", "a", "pod", "whole", "metadata", "share"]
    assert len(lines) == 8
