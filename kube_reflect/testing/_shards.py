"""Shards: the part of the objects whose uid or namespace has a hash in some ranges."""

from __future__ import annotations

import re

from kube_reflect.shard import fnv1a
from kube_reflect.testing import _status as status
from kube_reflect.testing._encoding import Entry

__all__ = ["ShardSelector"]

_RANGE = re.compile(r"shardRange\(\s*object\.metadata\.(uid|namespace)\s*,"
                    r"\s*'(0x[0-9a-f]{16}|0x10{16})'\s*,\s*'(0x[0-9a-f]{16}|0x10{16})'\s*\)")


class ShardSelector:
    """What a ``shardSelector`` selects.

    :param selector: one or more ``shardRange(object.metadata.uid, '0x…', '0x…')``, all by the same
        field, with ``||`` between; the first bound is within, the second is not. The bounds have
        16 digits, but for that of 2^64.
    :raises ApiStatusError: 500 where it is none of these.
    """

    def __init__(self, selector: str) -> None:
        self._ranges: list[tuple[int, int]] = []
        fields, written = set(), []
        for part in selector.split("||"):
            match = _RANGE.fullmatch(part.strip())
            if match is None:
                raise status.invalid_shard_selector(
                    f"{part.strip()!r} is no shardRange(object.metadata.uid, '0x…', '0x…') with "
                    "bounds of 16 digits")
            field, start, end = match.groups()
            if not int(start, 16) < int(end, 16):
                raise status.invalid_shard_selector(
                    f"shard range start {start} must be less than end {end}")
            fields.add(field)
            self._ranges.append((int(start, 16), int(end, 16)))
            written.append(f"shardRange(object.metadata.{field}, '{start}', '{end}')")
        if len(fields) > 1:
            raise status.invalid_shard_selector("all shard ranges must use the same field")
        (self._field,) = fields
        #: As the server writes it.
        self.text = " || ".join(written)

    def matches(self, entry: Entry) -> bool:
        """Whether an object is in this shard."""
        value = fnv1a(entry.uid if self._field == "uid" else entry.namespace or "")
        return any(start <= value < end for start, end in self._ranges)
