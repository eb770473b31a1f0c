"""An object that is still the JSON it came as."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

__all__ = ["RawObject"]


class RawObject(Mapping[str, Any]):
    """The JSON of an object, with what the store needs to know of it; a mapping when asked.

    It belongs to the thread that reads the stream.
    """

    __slots__ = ("_mapping", "api_version", "hurried", "json", "kind", "labels", "name",
                 "namespace", "resource_version", "uid")

    #: How to parse JSON; the module that chooses the parser sets it.
    parse: ClassVar[Callable[[bytes], Any]]

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
            mapping = self._mapping = RawObject.parse(self.json)
        return mapping

    def __getitem__(self, key: str) -> Any:
        return self.mapping()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.mapping())

    def __len__(self) -> int:
        return len(self.mapping())
