"""Shards: the part of the objects whose uid or namespace has a hash in some ranges."""

from __future__ import annotations

import re

from kube_reflect.testing import _status as status
from kube_reflect.testing._encoding import Entry

__all__ = ["Shard", "fnv1a"]

_SPACE = 1 << 64
_RANGE = re.compile(r"shardRange\(\s*object\.metadata\.(uid|namespace)\s*,"
                    r"\s*'0x([0-9a-f]{1,17})'\s*,\s*'0x([0-9a-f]{1,17})'\s*\)")


def fnv1a(text: str) -> int:
    """The 64-bit FNV-1a hash of a text in UTF-8."""
    found = 0xCBF29CE484222325
    for byte in text.encode():
        found = (found ^ byte) * 0x100000001B3 % _SPACE
    return found


class Shard:
    """What a ``shardSelector`` selects.

    :param selector: one or more ``shardRange(object.metadata.uid, '0x…', '0x…')``, all by the same
        field, with ``||`` between; the first bound is within, the second is not.
    :raises ApiStatusError: 400 where it is none of these.
    """

    def __init__(self, selector: str) -> None:
        self.selector = selector
        self._ranges: list[tuple[int, int]] = []
        fields = set()
        for part in selector.split("||"):
            match = _RANGE.fullmatch(part.strip())
            if match is None:
                raise status.bad_request(f"invalid shardSelector: {part.strip()!r} is no "
                                         "shardRange(object.metadata.uid, '0x…', '0x…')")
            start, end = int(match[2], 16), int(match[3], 16)
            if not start < end <= _SPACE:
                raise status.bad_request(
                    f"invalid shardSelector: no range from {match[2]} to {match[3]}")
            fields.add(match[1])
            self._ranges.append((start, end))
        if len(fields) > 1:
            raise status.bad_request("invalid shardSelector: all ranges must be of one field")
        (self._field,) = fields

    def matches(self, entry: Entry) -> bool:
        """Whether an object is in this shard."""
        value = fnv1a(entry.uid if self._field == "uid" else entry.namespace or "")
        return any(start <= value < end for start, end in self._ranges)
