"""kube_reflect._segments: the lines of a WATCH, however they are cut."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from kube_reflect.wire.raw import RawObject, glance_at_line
from kube_reflect.wire.lines import Segments

from tests.support.cache_helpers import pod
from tests.wire.test_raw import line_of

LINES = [line_of(pod(f"p{number}", text="x" * number)) for number in range(30)]
WHOLE = b"".join(line + b"\n" for line in LINES)


class Response:
    """A response that gives these chunks."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks

    def chunks(self) -> Iterator[bytes]:
        return iter(self._chunks)


def read(chunks: list[bytes]) -> list[bytes]:
    response: Any = Response(chunks)
    segments = Segments(response, seconds=60, idle_timeout=60, initial=False)
    return [segments.line for _ in segments.stream()]


def seen(line: bytes) -> tuple[str, Any]:
    found = glance_at_line(line)
    assert found is not None and type(found[1]) is RawObject
    return found[0], found[1].json


def test_a_chunk_that_is_a_line_is_not_copied() -> None:
    chunks = [line + b"\n" for line in LINES]
    lines = read(chunks)
    assert len(lines) == len(chunks)
    assert all(line is chunk for line, chunk in zip(lines, chunks))


@pytest.mark.parametrize("seed", range(20))
def test_cut_anywhere_the_lines_are_the_same(seed: int) -> None:
    rng = random.Random(seed)
    ends = [end for end in range(len(WHOLE)) if WHOLE[end - 1:end] == b"\n"]
    marks = sorted(rng.sample(range(len(WHOLE)), rng.randrange(60)) + rng.sample(ends, 15))
    chunks = [WHOLE[start:end] for start, end in zip([0, *marks], [*marks, len(WHOLE)])]
    lines = read(chunks)
    # With its newline or without, it is the same line.
    assert [line.rstrip(b"\n") for line in lines] == LINES
    assert [seen(line) for line in lines] == [seen(line) for line in LINES]


@pytest.mark.parametrize("chunks", [
    [b"\n"], [b"\n\n"], [b"", b"\n", b""], [b"a", b"\n"], [b"a\n", b"\n"], [b"a\nb"], [b"a", b"b"],
    [b"a\n", b"b\nc", b"\n"], [b"\r\n", b"a\r\n"], [b"a\n\n", b"b\n"],
])
def test_blank_and_unfinished_lines(chunks: list[bytes]) -> None:
    expected = b"".join(chunks).split(b"\n")
    assert [line.strip() for line in read(chunks)] == [
        line.strip() for line in (expected if expected[-1] else expected[:-1])]
