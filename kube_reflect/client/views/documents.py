"""Objects' JSON, cut level by level, and what was cut last, for a while.

A view keeps nothing of its JSON: it knows whose object it is (a `JsonSource`) and where in it (a
`Path`). Whoever reads one field mostly reads its neighbours too, so the documents that were opened
last stay, cut as far as they were read: at most `DOCUMENTS` of them, and `BYTES` of JSON.
"""

from __future__ import annotations

import json
import marshal
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from kube_reflect._json import fast
from kube_reflect.client.views.failures import fails_again

__all__ = ["Document", "JsonSource", "Path", "Way", "nesting", "opened"]

#: From the root of an object: the keys, and the places in lists.
Path = tuple[str | int, ...]

DOCUMENTS = 16
BYTES = 1 << 20


class JsonSource(Protocol):
    """An object at rest."""

    def json(self) -> bytes:
        """Return the object's JSON, always the same."""

    def ref(self) -> Any:
        """Return what `str` makes the object's name of, for messages."""


class Way(NamedTuple):
    """One way to take JSON apart; what a node is, is its own matter.

    :param root: makes JSON a node.
    :param members: cut an object's node into nodes by key.
    :param items: cut a list's node into nodes.
    :param kind: tells what a node is: object, list, string, number, boolean or null.
    :param take: parses a node; the value belongs to the caller.
    """

    root: Callable[[bytes], Any]
    members: Callable[[Any], dict[str, Any]]
    items: Callable[[Any], list[Any]]
    kind: Callable[[Any], str]
    take: Callable[[Any], Any]


_KINDS = {"{": "object", "[": "list", '"': "string", "t": "boolean", "f": "boolean", "n": "null"}
_BYTES = {ord(first): kind for first, kind in _KINDS.items()}
_TYPES = {dict: "object", list: "list", str: "string", bool: "boolean", type(None): "null"}
_SIMPLE = frozenset({str, bool, int, float, type(None)})


def _parse(data: Any) -> Any:
    """Parse bytes, what msgspec cut of them, or a string; as `kube_reflect._json.loads` does."""
    if fast is not None:
        try:
            return fast.loads(data)
        except ValueError as error:
            # Stricter than the standard library, which has the last word.
            fails_again(error, fast.loads, data)
    return json.loads(data if isinstance(data, str) else bytes(data).decode("utf-8", "replace"))


def _take_parsed(node: Any) -> Any:
    # The document is shared: whoever changes a list that he read changes his own.
    return node if type(node) in _SIMPLE else marshal.loads(marshal.dumps(node))


# One scan a level, and nothing made of what is below.
_RAW = None if fast is None else Way(
    root=lambda data: data, members=fast.members, items=fast.items, take=_parse,
    kind=lambda node: _BYTES.get(memoryview(node)[0], "number"))

# Everything parsed once, for installations without the extra `fast`.
_PARSED = Way(
    root=_parse, members=lambda node: node, items=lambda node: node, take=_take_parsed,
    kind=lambda node: _TYPES.get(type(node), "number"))

# Slow, but stopped by nothing: neither by deep nesting nor by numbers of thousands of digits, so
# that what is around them can be read.
_MARK = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]', re.DOTALL)
_COLON = re.compile(r"\s*:\s*")


def _pieces(text: str) -> Iterator[str]:
    depth, start = 0, 1
    for mark in _MARK.finditer(text):
        sign = mark[0]
        depth += (sign in "[{") - (sign in "]}")
        if depth == 1 and sign == "," or not depth:
            piece = text[start:mark.start()].strip()
            if piece:
                yield piece
            start = mark.end()


def _scan_members(text: str) -> dict[str, str]:
    members = {}
    for piece in _pieces(text):
        key = _MARK.match(piece)
        colon = _COLON.match(piece, key.end()) if key else None
        if not key or not colon:
            raise ValueError("should be JSON")
        members[str(json.loads(key[0]))] = piece[colon.end():]
    return members


_SCANNED = Way(
    root=lambda data: data.decode("utf-8", "replace").strip(), take=_parse, members=_scan_members,
    items=lambda text: list(_pieces(text)), kind=lambda text: _KINDS.get(text[0], "number"))

_WAYS = (*([] if _RAW is None else [_RAW]), _PARSED, _SCANNED)


class Document:
    """The JSON of one object, cut as far as it was read; any number of threads may read it."""

    __slots__ = ("source", "size", "_data", "_ways", "_levels")

    def __init__(self, source: JsonSource) -> None:
        self.source = source
        self._data = source.json()
        self.size = len(self._data)
        self._ways = _WAYS
        # The way, and the levels by their paths.
        self._levels: tuple[Way, dict[Path, Any]] | None = None

    def level(self, path: Path) -> tuple[Way, Any]:
        """Return the nodes of an object or of a list, by key or place.

        :raises ValueError: if that cannot be had in any way.
        """
        state = self._levels
        if state is not None:
            found = state[1].get(path)
            if found is not None:
                return state[0], found
        for way in self._ways:
            try:
                return way, self._cut(way, path)
            except (ValueError, RecursionError) as error:
                if way is self._ways[-1]:
                    raise
                fails_again(error, self._cut, way, path)
                self._ways = _WAYS[_WAYS.index(way) + 1:]
        raise AssertionError("there is always a way")

    def parsed(self, path: Path) -> Any:
        """Return all that is at a path, parsed anew.

        :raises ValueError: if something in it cannot be parsed.
        """
        if not path:
            return _parse(self._data)
        way, level = self.level(path[:-1])
        return way.take(level[path[-1]])

    def _cut(self, way: Way, path: Path) -> Any:
        state = self._levels
        if state is None or state[0] is not way:
            self._levels = state = way, {(): way.members(way.root(self._data))}
        levels = state[1]
        depth = len(path)
        while path[:depth] not in levels:
            depth -= 1
        for at in range(depth, len(path)):
            node = levels[path[:at]][path[at]]
            cut = way.items if way.kind(node) == "list" else way.members
            levels[path[:at + 1]] = cut(node)
        return levels[path]


_recent: dict[int, Document] = {}


def opened(source: JsonSource) -> Document:
    """Return the document of a source: the one that was opened lately, or a new one."""
    found = _recent.get(id(source))
    if found is not None and found.source is source:
        return found
    made = Document(source)
    if len(_recent) >= DOCUMENTS or made.size + sum(
            each.size for each in list(_recent.values())) > BYTES:
        _recent.clear()
    _recent[id(source)] = made
    return made


def nesting(data: str) -> int:
    """Return how many levels deep a JSON text is nested."""
    depth = deepest = 0
    for mark in _MARK.finditer(data):
        depth += (mark[0] in "[{") - (mark[0] in "]}")
        deepest = max(deepest, depth)
    return deepest
