"""An object that is still the JSON it came as.

A glance at it gives what the store needs to know. With msgspec installed (the extra ``fast``) it
need not be parsed for that until somebody reads it. Without, it must be; but in a burst of events
it is still quicker to store as it came.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kube_reflect._json import fast, loads

__all__ = ["GLANCES", "RawObject", "glance", "glance_at_line"]

#: Whether a glance is quicker than parsing.
GLANCES = fast is not None

#: An event that holds a whole object, as the API server writes it.
_START = re.compile(rb'\{"type":"(ADDED|MODIFIED|DELETED)","object":(?=\{)')
_END = re.compile(rb"\}\n?\Z")


class RawObject(Mapping[str, Any]):
    """The JSON of an object, with what the store needs to know of it; a mapping when asked.

    It belongs to the thread that reads the stream.
    """

    __slots__ = ("_mapping", "api_version", "hurried", "json", "kind", "labels", "name",
                 "namespace", "resource_version", "uid")

    def __init__(self, json: bytes, api_version: str, kind: str, namespace: str | None,
                 name: str, uid: str, resource_version: str, labels: dict[str, str],
                 mapping: dict[str, Any] | None = None) -> None:
        self.json = json
        self.api_version = api_version
        self.kind = kind
        self.namespace = namespace
        self.name = name
        self.uid = uid
        self.resource_version = resource_version
        self.labels = labels
        self._mapping = mapping
        #: Whether it came in a burst, in which time counts more than memory.
        self.hurried = False

    def mapping(self) -> dict[str, Any]:
        """The object as on the wire; parsed once."""
        mapping = self._mapping
        if mapping is None:
            mapping = self._mapping = loads(self.json)
        return mapping

    def __getitem__(self, key: str) -> Any:
        return self.mapping()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.mapping())

    def __len__(self) -> int:
        return len(self.mapping())


def glance(data: bytes) -> RawObject | None:
    """Look at an object for what is to be known of it.

    That all of it is JSON is checked. Gives None for all but the plainest of objects, written as
    the API server writes them, which are to be parsed.
    """
    if fast is None:
        return _parsed(data)
    try:
        seen = fast.essentials(data)
    except ValueError:
        return None
    metadata = seen.metadata
    if not (metadata.name and metadata.resourceVersion and seen.kind and seen.apiVersion):
        return None
    return RawObject(data, seen.apiVersion, seen.kind, metadata.namespace or None, metadata.name,
                     metadata.uid, metadata.resourceVersion, metadata.labels or {})


def glance_at_line(line: bytes) -> tuple[str, RawObject] | None:
    """Look at the line of a watch event: give its type, and what a glance at its object gives.

    :param line: with or without its newline.
    """
    start, end = _START.match(line), _END.search(line, max(0, len(line) - 2))
    if start is None or end is None:
        return None
    # If that is one JSON value, then it is the object, and there is nothing beside it.
    seen = glance(line[start.end():end.start()])
    return None if seen is None else (start[1].decode(), seen)


def _parsed(data: bytes) -> RawObject | None:
    """Parse it after all; it is then quicker to store, as it came."""
    try:
        obj = loads(data)
    except ValueError:
        return None
    metadata = obj.get("metadata")
    if type(metadata) is not dict:
        return None
    api_version, kind, name = obj.get("apiVersion"), obj.get("kind"), metadata.get("name")
    uid, version = metadata.get("uid"), metadata.get("resourceVersion")
    namespace, labels = metadata.get("namespace"), metadata.get("labels") or {}
    plain = (all(type(one) is str for one in (api_version, kind, name, uid, version))
             and (namespace is None or type(namespace) is str) and type(labels) is dict
             and all(type(value) is str for value in labels.values()))
    if not (plain and api_version and kind and name and version) or uid is None:
        return None
    return RawObject(data, api_version, kind, namespace or None, name, uid, version, labels, obj)
