"""What a watcher tells: the events of a list and of a watch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Union

__all__ = ["Apply", "Bookmark", "Delete", "Event", "Init", "InitApply", "InitDone", "Object"]

#: An object as on the wire, with camelCase keys.
Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Init:
    """A new list begins: what is known is to be replaced when it is done."""


@dataclass(frozen=True, slots=True)
class InitApply:
    """An object of the list."""

    object: Object


@dataclass(frozen=True, slots=True)
class InitDone:
    """The list is complete, as of this resource version."""

    resource_version: str | None = None


@dataclass(frozen=True, slots=True)
class Apply:
    """An object was created or changed."""

    object: Object


@dataclass(frozen=True, slots=True)
class Delete:
    """An object was deleted, or left the selection; with its last state."""

    object: Object


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Up to this resource version there is no other change."""

    resource_version: str


Event = Union[Init, InitApply, InitDone, Apply, Delete, Bookmark]
