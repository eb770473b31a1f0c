"""The parser of the extra ``fast``."""

from __future__ import annotations

from typing import Any

import msgspec

from kube_reflect._raw import RawObject

__all__ = ["glance", "loads"]


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


class _Event(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    type: str
    object: _Object


_decode = msgspec.json.Decoder().decode
_decode_event = msgspec.json.Decoder(_Event).decode


def loads(data: bytes | str) -> Any:
    """Parse one JSON value.

    :raises ValueError: for what is no JSON, or what only the standard library reads.
    """
    return _decode(data)


def glance(line: bytes) -> tuple[str, RawObject] | None:
    """Look at the line of a watch event without parsing the object in it; some 9 us.

    That the whole line is JSON is checked. Gives None for all but the plainest of events, written
    as the API server writes them; those are to be parsed.
    """
    try:
        event = _decode_event(line)
    except ValueError:
        return None
    start = b'{"type":"%b","object":' % event.type.encode()
    if (event.type not in ("ADDED", "MODIFIED", "DELETED") or not line.startswith(start)
            or not line.endswith(b"}")):
        return None
    seen, metadata = event.object, event.object.metadata
    if not (metadata.name and metadata.resourceVersion and seen.kind and seen.apiVersion):
        return None
    return event.type, RawObject(
        line[len(start):-1], seen.apiVersion, seen.kind, metadata.namespace or None,
        metadata.name, metadata.uid, metadata.resourceVersion, metadata.labels or {})
