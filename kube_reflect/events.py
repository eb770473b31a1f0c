"""What a watcher tells: the events of a list and of a watch; and why an object is gone."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Union

__all__ = ["Apply", "Bookmark", "Delete", "Event", "Init", "InitApply", "InitDone", "Object",
           "Reason"]

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


class Reason(enum.Enum):
    """Why an object is no longer in the cache."""

    #: The API server said so: it was deleted, or left the selection.
    DELETED = "deleted"
    #: A complete list did not have it any more; when and how it went, nobody told.
    RELISTED = "relisted"
    #: Another object (another uid) has its name.
    REPLACED = "replaced"
    #: Its namespace is no longer watched; the object may live on.
    UNWATCHED = "unwatched"
    #: It came in a form that cannot be stored; the object lives on.
    UNREADABLE = "unreadable"
