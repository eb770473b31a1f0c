"""What a view needs to know of a model, whichever the client's version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kube_reflect.client.views.failures import a

__all__ = ["Field", "Shape"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a model.

    :param key: its key in JSON.
    :param kind: the kind of JSON value that it should be, or "" for any.
    :param noun: the kind with its article, as messages say it.
    :param decode: makes what the client would, of a parsed value; None stands for none.
    :param child: the model of what it holds, or None for what holds no models. (A name, where the
        client declares it by name.)
    :param many: whether it holds a list or a map of that model.
    :param nulls: whether the client takes null among the many.
    :param exact: the type whose values are taken as they are, where it is that simple.
    """

    key: str
    kind: str
    noun: str
    decode: Callable[[Any], Any]
    child: type | None = None
    many: bool = False
    nulls: bool = False
    exact: type | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """A model.

    :param fields: by the names under which an instance's ``__dict__`` has them.
    :param names: all names in an instance's ``__dict__``, in order.
    :param eager: makes a whole instance of a parsed object.
    :param blank: makes an instance whose ``__dict__`` is the one given, unchecked.
    :param extras: make what else an instance has, by name.
    :param slots: those of the extras that are not in the ``__dict__``.
    :param whole: methods that read everything.
    """

    model: type
    fields: Mapping[str, Field]
    names: tuple[str, ...]
    eager: Callable[[Any], Any]
    blank: Callable[[dict[str, Any]], Any]
    extras: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    slots: frozenset[str] = frozenset()
    whole: tuple[str, ...] = ()


def noun(kind: str, special: str = "") -> str:
    """Return how a message calls what a field should be."""
    return special or (a(kind) if kind else "any value")
