"""How a Writer keeps objects, and hands them out: what a Reflector takes too."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["IndexFunction", "Keeping", "Transform"]

IndexFunction = Callable[[Mapping[str, Any]], Any]
Transform = Callable[[dict[str, Any]], Mapping[str, Any]]

_VARIABLE = "KUBE_REFLECT_DETECT_MUTATIONS"
_SWITCH = {"1": True, "true": True, "yes": True, "on": True,
           "0": False, "false": False, "no": False, "off": False, "": False}


@dataclass(frozen=True)
class Keeping:
    """The settings of a Writer; checked when made.

    :param detect_mutations: None for what the environment variable says.
    :raises TypeError: for a function that cannot be called, the name of an index that is no
        string, or a switch that is no bool.
    :raises ValueError: for an environment variable that is neither yes nor no.
    """

    model: Callable[[dict[str, Any]], Any] | None = None
    transform: Transform | None = None
    indexers: Mapping[str, IndexFunction] = field(default_factory=dict)
    copies: bool = False
    compress: bool = False
    detect_mutations: bool | None = None

    def __post_init__(self) -> None:
        for name in ("model", "transform"):
            function = getattr(self, name)
            if function is not None and not callable(function):
                raise TypeError(f"{name} must be callable: {function!r}")
        for name, function in self.indexers.items():
            if not isinstance(name, str):
                raise TypeError(f"the name of an index must be a string: {name!r}")
            if not callable(function):
                raise TypeError(f"index function {name!r} must be callable: {function!r}")
        for name in ("copies", "compress"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False: {getattr(self, name)!r}")
        if self.detect_mutations not in (None, True, False):
            raise TypeError("detect_mutations must be True, False or None: "
                            f"{self.detect_mutations!r}")

    @property
    def detecting(self) -> bool:
        """Whether to look for readers who change what they share; nobody shares copies."""
        if self.copies:
            return False
        if self.detect_mutations is not None:
            return self.detect_mutations
        said = os.environ.get(_VARIABLE, "")
        try:
            return _SWITCH[said.strip().lower()]
        except KeyError:
            raise ValueError(f"{_VARIABLE} must be 1 or 0: {said!r}") from None
