"""The way of a line to the store, and of an object to its reader, does not get longer unnoticed."""

from __future__ import annotations

from tests.bench.hops import Frame, count


def hops(frames: list[Frame]) -> int:
    return sum(frame.is_hop for frame in frames)


def test_the_ways_are_short() -> None:
    # Up to Python 3.13 a lock is of C.
    line, first_get, next_get = ([frame for frame in way if "frame_lock.py" not in str(frame)]
                                 for way in count())
    assert 10 < len(line) <= 32 and 10 < hops(line) <= 18, "\n".join(map(str, line))
    assert len(first_get) <= 7 and hops(first_get) <= 4, "\n".join(map(str, first_get))
    assert len(next_get) == 1
