"""Damaged input, of good input and a seed."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

__all__ = ["cut", "damaged", "misshapen"]

_TRICKY = (
    b'"', b"\\", b'\\"', b"{", b"}", b"[", b"]", b",", b":", b"\n", b"\r\n", b"\x00", b"\xff\xfe",
    b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\\ud800", b'"items":[', b'},{"metadata":', b"null", b"true",
    b"NaN", b"-Infinity", b"1e999", b"-0", b"1" * 5000, b'"kind":', b'"object":',
    b'"type":"ADDED",', b'"metadata":{}', b'"name":""', b'"namespace":3', b'"labels":[]',
    b"[" * 3000, b'{"a":' * 3000, b'"resourceVersion":"9"', b'"continue":"x"', b"]}",
    b"\xf0\x9f\x92\xa9", b'{"metadata":null}',
)

_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 2**63, 10**400, 1e308, "", "x", "\x00", "\ud800", "2026-13-45T99:99:99",
    [], [None], ["x", 3], {}, {"": None}, {"name": "x"}, [[[]]], "x" * 10_000, [{}] * 100,
)


def misshapen(draw: random.Random, seeds: list[bytes]) -> bytes:
    """Put odd values into one of the seeds, which stays JSON."""
    obj = json.loads(draw.choice(seeds))
    for _ in range(draw.choice((1, 2, 8))):
        node: Any = obj
        while isinstance(node, (dict, list)) and node:
            key = draw.choice(list(node) if isinstance(node, dict) else range(len(node)))
            if not isinstance(node[key], (dict, list)) or draw.random() < 0.2:
                node[key] = copy.deepcopy(draw.choice(_VALUES))
                break
            node = node[key]
    return json.dumps(obj, separators=(",", ":"), ensure_ascii=draw.random() < 0.5).encode(
        errors="surrogatepass")


def damaged(draw: random.Random, seeds: list[bytes]) -> bytes:
    """Change one of the seeds in a few places."""
    data = bytearray(draw.choice(seeds))
    for _ in range(draw.choice((1, 1, 2, 3, 8))):
        at = draw.randrange(len(data) + 1)
        until = min(len(data), at + draw.choice((1, 1, 4, 30, 500)))
        way = draw.randrange(7)
        if way == 0 and data:
            data[at % len(data)] = draw.randrange(256)
        elif way == 1:
            del data[at:until]
        elif way == 2:
            data[at:at] = data[at:until] * draw.choice((1, 2, 50))
        elif way == 3:
            data[at:at] = draw.choice(_TRICKY)
        elif way == 4:
            data[at:until] = draw.choice(_TRICKY)
        elif way == 5:
            other = draw.choice(seeds)
            data[at:until] = other[draw.randrange(len(other) + 1):][:draw.choice((10, 300, 5000))]
        else:
            del data[at:]
    return bytes(data)


def cut(draw: random.Random, data: bytes) -> list[bytes]:
    """Cut it into chunks, as they come from a network."""
    marks = sorted(draw.randrange(len(data) + 1) for _ in range(draw.choice((0, 1, 3, 20))))
    return [data[start:end] for start, end in zip([0, *marks], [*marks, len(data)])]
