"""The parser of the extra ``fast``."""

from __future__ import annotations

from typing import Any

import msgspec

from kube_reflect._raw import RawObject

__all__ = ["loads", "look"]


class _Metadata(msgspec.Struct, gc=False):
    name: str
    uid: str
    resourceVersion: str
    namespace: str | None = None
    labels: dict[str, str] | None = None


class _Object(msgspec.Struct, gc=False):
    kind: str
    apiVersion: str
    metadata: _Metadata


_decode = msgspec.json.Decoder().decode
_decode_object = msgspec.json.Decoder(_Object).decode


def loads(data: bytes | str) -> Any:
    """Parse one JSON value.

    :raises ValueError: for what is no JSON, or what only the standard library reads.
    """
    return _decode(data)


def look(data: bytes) -> RawObject | None:
    """Look at an object for what is to be known of it without parsing the rest; some 9 us.

    That all of it is JSON is checked. Gives None for all but the plainest of objects.
    """
    try:
        seen = _decode_object(data)
    except ValueError:
        return None
    metadata = seen.metadata
    if not (metadata.name and metadata.resourceVersion and seen.kind and seen.apiVersion):
        return None
    return RawObject(data, seen.apiVersion, seen.kind, metadata.namespace or None, metadata.name,
                     metadata.uid, metadata.resourceVersion, metadata.labels or {})
