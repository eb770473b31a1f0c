"""The parser of the extra ``fast``."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Essentials", "Metadata", "dumps", "essentials", "items", "loads", "members"]


class Metadata(msgspec.Struct, gc=False):
    """What the store needs to know of an object's metadata."""

    name: str
    uid: str
    resourceVersion: str
    namespace: str | None = None
    labels: dict[str, str] | None = None


class Essentials(msgspec.Struct, gc=False):
    """What the store needs to know of an object."""

    kind: str
    apiVersion: str
    metadata: Metadata


_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_decode_essentials = msgspec.json.Decoder(Essentials).decode
#: Cut an object, or a list, into its values, none of which is parsed.
members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
items = msgspec.json.Decoder(list[msgspec.Raw]).decode


def loads(data: bytes | str) -> Any:
    """Parse one JSON value.

    :raises ValueError: for what is no JSON, or what only the standard library reads.
    """
    return _decode(data)


def dumps(value: Any) -> bytes:
    """Return a value as JSON, without white space.

    :raises TypeError: for what JSON does not know.
    """
    return _encode(value)


def essentials(data: bytes) -> Essentials:
    """Parse what is to be known of an object, and skip the rest; some 9 us.

    That all of it is JSON is checked.

    :raises ValueError: for all but the plainest of objects.
    """
    return _decode_essentials(data)
