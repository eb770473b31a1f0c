"""What an object is at rest: one packed bytes, and a key.

Plain dicts of a pod take some 70 KB in 2,000 pieces that each garbage collection walks through.
Packed, they are one bytes of 9 KB that the collector never looks at. A small head comes first,
which is read without unpacking the rest: all that keys, selectors and indexes need. The body is
the mapping, or its JSON if nobody has parsed that yet, or either of them made smaller.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from kube_reflect.store.deflate import Deflaters
from kube_reflect._json import loads
from kube_reflect.store.phrases import restored, shortened
from kube_reflect.wire.raw import RawObject

__all__ = ["BadObject", "Head", "IndexValues", "Key", "checked_values", "head_of", "key_of",
           "mapping_of", "pack", "type_of", "uid_of", "unpack", "version_of", "with_values"]

#: (namespace, name); the namespace is None for an object that has none.
Key = tuple[str | None, str]
#: For each index, in the order of the indexers: the values under which the object is found.
IndexValues = tuple[tuple[Any, ...], ...]

# A packed object is the marshal of (head, body). The head is bytes, marshal again, and so stands
# in it as it is, always at the same place: it can be read without the rest.
_HEAD_AT = marshal.dumps((b"head", None)).index(b"head")
# A body that was made smaller is a tuple of one of these and the bytes: deflated JSON, deflated
# marshal, and JSON with its phrases replaced.
_JSON, _MARSHAL, _SHORT = 0, 1, 2
# marshal's buffer grows to 3, 7.5 or 16 KB and is then cut, and the next one does not fit into what
# was cut off of one of 7.5 KB: a third of the memory would be such holes.
_LOOSE = 7500
# Without back references, of which each object has others: 570 bytes of a pod then, not 1,190.
_MARSHAL_TO_DEFLATE = 2


class BadObject(Exception):
    """An object that cannot be stored, whatever the reason."""


class Head(NamedTuple):
    """What is known of an object without unpacking it."""

    uid: str | None
    resource_version: str | None
    labels: Mapping[str, str]
    values: IndexValues


def key_of(obj: Any) -> Key:
    """Give the key of an object as on the wire.

    :raises BadObject: for what is no object, or has no name.
    """
    if type(obj) is RawObject:
        return obj.namespace, obj.name
    metadata = _metadata(obj)
    if metadata is None:
        raise BadObject("it has no metadata")
    name = metadata.get("name")
    if not isinstance(name, str) or not name:
        raise BadObject("it has no metadata.name")
    namespace = metadata.get("namespace") or None
    if namespace is not None and not isinstance(namespace, str):
        raise BadObject("its metadata.namespace is no string")
    return namespace, name


def version_of(obj: Any) -> str | None:
    """Give the resource version of an object as on the wire, if it has one."""
    if type(obj) is RawObject:
        return obj.resource_version
    metadata = _metadata(obj)
    version = metadata.get("resourceVersion") if metadata is not None else None
    return version if isinstance(version, str) and version else None


def mapping_of(obj: Any) -> Mapping[str, Any]:
    """Give an object as on the wire, parsed.

    :raises BadObject: for JSON that Python does not parse: too deep, or numbers too long.
    """
    if type(obj) is not RawObject:
        return obj  # type: ignore[no-any-return]
    try:
        return obj.mapping()
    except (ValueError, RecursionError) as error:
        raise BadObject(f"it cannot be parsed ({type(error).__name__}: {error})") from error


def type_of(obj: Any) -> tuple[Any, Any]:
    """Give the apiVersion and kind of an object as on the wire."""
    if type(obj) is RawObject:
        return obj.api_version, obj.kind
    return obj.get("apiVersion"), obj.get("kind")


def uid_of(obj: Any) -> str | None:
    """Give the uid of an object as on the wire, if it has one."""
    if type(obj) is RawObject:
        return obj.uid
    metadata = _metadata(obj)
    return _text(metadata.get("uid")) if metadata is not None else None


def _metadata(obj: Any) -> Mapping[str, Any] | None:
    # Asked for each event; nearly all are dicts, which are the quickest to tell.
    if type(obj) is not dict and not isinstance(obj, Mapping):
        return None
    metadata = obj.get("metadata")
    if type(metadata) is not dict and not isinstance(metadata, Mapping):
        return None
    return metadata


def checked_values(values: Iterable[Any]) -> tuple[Any, ...]:
    """Give each of the values of an index once.

    :raises TypeError: for what cannot be looked up, or not be packed.
    """
    found = tuple(dict.fromkeys(values))
    try:
        marshal.dumps(found)
    except ValueError:
        raise TypeError("values must be plain strings, numbers, or tuples of such") from None
    return found


def pack(obj: Mapping[str, Any], values: IndexValues, deflaters: Deflaters | None = None) -> bytes:
    """Pack an object as on the wire.

    Takes some 30 us for a pod, 40 us for one that is still JSON, 5 us for that in a hurry.

    :param deflaters: what to deflate it with; some 40 us more.
    :raises BadObject: for contents that JSON does not know.
    """
    if type(obj) is RawObject:
        body = _json_body(obj, deflaters)
        if body is not None:
            head = marshal.dumps((obj.uid, obj.resource_version, obj.labels, values))
            packed = marshal.dumps((head, body))
            return packed if obj.hurried else _copied(packed)
        obj = mapping_of(obj)
    metadata = obj["metadata"]
    try:
        head = marshal.dumps((_text(metadata.get("uid")), version_of(obj),
                              _labels(metadata.get("labels")), values))
        mapping = obj if type(obj) is dict else dict(obj)
        body = None
        if deflaters is not None:
            body = _deflated(_MARSHAL, marshal.dumps(mapping, _MARSHAL_TO_DEFLATE), deflaters)
        packed = marshal.dumps((head, body or mapping))
        return _copied(packed) if len(packed) < _LOOSE else packed
    except ValueError as error:
        raise BadObject(f"it holds what JSON does not know ({error})") from error


def _json_body(obj: RawObject, deflaters: Deflaters | None) -> bytes | tuple[int, bytes] | None:
    """Give what is kept of JSON; None where the mapping takes less."""
    if deflaters is not None:
        return _deflated(_JSON, obj.json, deflaters) or obj.json
    if obj.hurried:
        return obj.json
    short = shortened(obj.json)
    return None if short is None else (_SHORT, short)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _labels(labels: Any) -> dict[str, str]:
    """Give what can be selected by: labels that are strings."""
    if not isinstance(labels, Mapping):
        return {}
    return {key: value for key, value in labels.items()
            if isinstance(key, str) and isinstance(value, str)}


def _copied(packed: bytes) -> bytes:
    """Give the same bytes in a piece of memory of their size, which is not cut off of another."""
    return bytes(memoryview(packed))


def _deflated(form: int, data: bytes, deflaters: Deflaters) -> tuple[int, bytes] | None:
    deflated = (deflaters.json if form == _JSON else deflaters.marshal).deflate(data)
    return None if deflated is None else (form, deflated)


def head_of(packed: bytes) -> Head:
    """Read the head of a packed object; below 1 us."""
    # marshal reads one value, and ignores what comes after it.
    return Head(*marshal.loads(memoryview(packed)[_HEAD_AT:]))


def with_values(packed: bytes, values: IndexValues) -> bytes:
    """Give the same object with other index values; some 70 us for a pod."""
    known = head_of(packed)
    head = marshal.dumps((known.uid, known.resource_version, dict(known.labels), values))
    return marshal.dumps((head, marshal.loads(packed)[1]))


def unpack(packed: bytes, deflaters: Deflaters | None = None) -> dict[str, Any]:
    """Give a new copy of the object as on the wire; some 45 us for a pod.

    :param deflaters: those that it was packed with; some 10 us more where it is deflated.
    """
    body = marshal.loads(packed)[1]
    if type(body) is tuple:
        form, small = body
        if form == _SHORT:
            body = restored(small)
        else:
            assert deflaters is not None
            body = (deflaters.json.inflate(small) if form == _JSON
                    else marshal.loads(deflaters.marshal.inflate(small)))
    mapping: dict[str, Any] = loads(body) if type(body) is bytes else body
    return mapping
