"""How a cache keeps objects, and hands them out: what a Reflector takes too."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kube_reflect.ground.locks import checked_timeout
from kube_reflect.indexers import IndexFunction
from kube_reflect.transforms import Transform

__all__ = ["StoreOptions", "check_index"]

_VARIABLE = "KUBE_REFLECT_DETECT_MUTATIONS"
_SWITCH = {"1": True, "true": True, "yes": True, "on": True,
           "0": False, "false": False, "no": False, "off": False, "": False}
_NOT_READY = ("empty", "wait", "raise")


@dataclass(frozen=True, kw_only=True)
class StoreOptions:
    """The settings of a cache; checked when made.

    :param model: makes a K of a mapping; None leaves it a mapping, as ``dict`` does. What it
        refuses is handed out as a mapping, counted and logged.
    :param view: makes a K of what has the JSON, at once, and parses it when it is looked at; in the
        place of a model.
    :param transform: changes each mapping, in place if it likes, and returns what is to be
        stored. Where it raises, the object is left out, counted and logged. There are some ready
        made in `kube_reflect.transforms`.
    :param indexers: by the name of the index, functions of the mapping that give the values
        under which to find the object. Where one raises, the object has no values in that index.
    :param copies: give each read a K of its own, which may be changed.
    :param detect_mutations: find readers who change what they share, for debugging: the log is
        told of the object and of where it was changed, as an error, once a version; whoever reads
        it from then on gets it as it was. Each read then costs about as much as a first one. None
        for what the environment variable KUBE_REFLECT_DETECT_MUTATIONS says, 1 or 0.
    :param when_not_ready: what a read does before the first complete list: ``empty`` answers from
        what is there, that is nothing; ``wait`` waits for the list, and raises NotReady when
        `ready_timeout` has passed, or at once where nothing is on its way; ``raise`` raises it at
        once. ``len``, ``in`` and the properties never wait.
    :param ready_timeout: seconds that such a read waits at most.
    :param decoded_limit: objects that stay decoded, those that were read last; others are decoded
        again when they are read.
    :param max_objects: beyond these, what is new is left out, counted and logged; see `Config`.
    :raises TypeError: for a function that cannot be called, the name of an index that is no
        string, or a switch that is no bool.
    :raises ValueError: for a value that there is not, or an environment variable that is neither
        yes nor no.
    """

    model: Callable[[dict[str, Any]], Any] | None = None
    view: Callable[[Any], Any] | None = None
    transform: Transform | None = None
    indexers: Mapping[str, IndexFunction] = field(default_factory=dict)
    copies: bool = False
    detect_mutations: bool | None = None
    when_not_ready: str = "empty"
    ready_timeout: float = 30.0
    decoded_limit: int = 10_000
    max_objects: int = 1_000_000

    def __post_init__(self) -> None:
        for name in ("model", "view", "transform"):
            function = getattr(self, name)
            if function is not None and not callable(function):
                raise TypeError(f"{name} must be callable: {function!r}")
        for name, function in self.indexers.items():
            check_index(name, function)
        if not isinstance(self.copies, bool):
            raise TypeError(f"copies must be True or False: {self.copies!r}")
        if not isinstance(self.detect_mutations, (bool, type(None))):
            raise TypeError("detect_mutations must be True, False or None: "
                            f"{self.detect_mutations!r}")
        if self.when_not_ready not in _NOT_READY:
            raise ValueError(f"when_not_ready must be one of {', '.join(_NOT_READY)}: "
                             f"{self.when_not_ready!r}")
        checked_timeout(self.ready_timeout, "ready_timeout")
        if isinstance(self.decoded_limit, bool) or not isinstance(self.decoded_limit, int):
            raise TypeError(f"decoded_limit must be an integer: {self.decoded_limit!r}")
        if self.decoded_limit < 0:
            raise ValueError(f"decoded_limit must be 0 or more: {self.decoded_limit}")

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


def check_index(name: object, function: object) -> None:
    """Refuse what is no index.

    :raises TypeError: for a name that is no string, or a function that cannot be called.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of an index must be a string: {name!r}")
    if not callable(function):
        raise TypeError(f"index function {name!r} must be callable: {function!r}")
