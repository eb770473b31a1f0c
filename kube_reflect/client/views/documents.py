"""Objects' JSON, cut level by level, and what was cut last, for a while.

A view keeps nothing of its JSON: it knows whose object it is (a `JsonSource`) and where in it (a
`Path`). Whoever reads one field mostly reads its neighbours too, so the documents that were opened
last stay, cut as far as they were read: at most `DOCUMENTS` of them, and, but for one that is
large, `BYTES` of JSON.
"""

from __future__ import annotations

import json
import marshal
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from kube_reflect.ground.foreign import fails_again
from kube_reflect.ground.json_parser import fast, loads

__all__ = ["JsonSource", "Path", "level_of", "nesting", "opened"]

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
    """One way to take JSON apart, into nodes: a level that is cut, a plain value, or a piece.

    :param piece: the type of what is still to be cut or parsed.
    :param root: cut an object's JSON into nodes by key, mostly two levels of it at once.
    :param cut: cut a piece that is an object or a list into nodes, by key or place.
    :param load: parses a piece.
    :param kind: tells what a piece is: object, list, string, number, boolean or null.
    """

    piece: type
    root: Callable[[bytes], dict[str, Any]]
    cut: Callable[[Any], Any]
    load: Callable[[Any], Any]
    kind: Callable[[Any], str]

    def take(self, node: Any) -> Any:
        """Return what a node holds, parsed; the value belongs to the caller."""
        kind = type(node)
        if kind is self.piece:
            return self.load(node)
        if kind is dict:
            return {key: self.load(one) if type(one) is self.piece else one
                    for key, one in node.items()}
        if kind is list:
            return [self.load(one) if type(one) is self.piece else one for one in node]
        return node

    def kind_of(self, node: Any) -> str:
        """Return what a node is: object, list, string, number, boolean or null."""
        return self.kind(node) if type(node) is self.piece else _TYPES[type(node)]


_KINDS = {"{": "object", "[": "list", '"': "string", "t": "boolean", "f": "boolean", "n": "null"}
_BYTES = {ord(first): kind for first, kind in _KINDS.items()}
_TYPES = {dict: "object", list: "list", str: "string", bool: "boolean", type(None): "null",
          int: "number", float: "number"}


# One scan for two levels, and one for each level below; nothing is made of what is not read.
_RAW = None if fast is None else Way(
    piece=fast.Raw, root=fast.levels, load=loads,
    kind=lambda piece: _BYTES.get(memoryview(piece)[0], "number"),
    cut=fast.cut)


def _packed(value: Any) -> Any:
    # Not as parsed: so many dicts and lists would have the garbage collector go through all that
    # the program has, again and again. And whoever changes a list that he read changes his own.
    return marshal.dumps(value) if type(value) in (dict, list) else value


def _cut_parsed(value: Any) -> Any:
    if type(value) is dict:
        return {key: _packed(one) for key, one in value.items()}
    return [_packed(one) for one in value]


def _parsed_root(data: bytes) -> dict[str, Any]:
    return {key: _cut_parsed(one) if type(one) in (dict, list) else one
            for key, one in loads(data).items()}


# Everything parsed once, for installations without the extra `fast`.
_PARSED = Way(
    piece=bytes, root=_parsed_root, load=marshal.loads,
    cut=lambda piece: _cut_parsed(marshal.loads(piece)),
    # The first byte of what marshal makes is the type's, with a flag.
    kind=lambda piece: "list" if piece[0] & 0x7F == ord("[") else "object")

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
    piece=str, root=lambda data: _scan_members(data.decode("utf-8", "replace").strip()),
    cut=lambda text: list(_pieces(text)) if text[0] == "[" else _scan_members(text), load=loads,
    kind=lambda text: _KINDS.get(text[0], "number"))

_WAYS = tuple(way for way in (_RAW, _PARSED, _SCANNED) if way is not None)


class Document:
    """The JSON of one object, cut as far as it was read; any number of threads may read it."""

    __slots__ = ("source", "size", "levels", "_data", "_ways")

    def __init__(self, source: JsonSource) -> None:
        self.source = source
        self._data = source.json()
        self.size = len(self._data)
        self._ways = _WAYS
        #: The way, and the levels by their paths; replaced whole.
        self.levels: tuple[Way, dict[Path, Any]] = _WAYS[0], {}

    def level(self, path: Path) -> tuple[Way, Any]:
        """Return the nodes of an object or of a list, by key or place, cut now.

        :raises ValueError: if that cannot be had in any way.
        """
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
            return loads(self._data)
        way, level = level_of(self.source, path[:-1])
        return way.take(level[path[-1]])

    def _cut(self, way: Way, path: Path) -> Any:
        known, levels = self.levels
        if known is not way or not levels:
            root = way.root(self._data)
            levels = {(key,): node for key, node in root.items() if type(node) in (dict, list)}
            levels[()] = root
            self.levels = way, levels
        depth = len(path)
        while path[:depth] not in levels:
            depth -= 1
        for at in range(depth, len(path)):
            levels[path[:at + 1]] = way.cut(levels[path[:at]][path[at]])
        return levels[path]


_recent: dict[int, Document] = {}


def level_of(source: JsonSource, path: Path) -> tuple[Way, Any]:
    """Return the nodes of an object or of a list of a source, by key or place.

    :raises ValueError: if that cannot be had in any way.
    """
    document = _recent.get(id(source))
    if document is None or document.source is not source:
        document = opened(source)
    way, levels = document.levels
    found = levels.get(path)
    return document.level(path) if found is None else (way, found)


def opened(source: JsonSource) -> Document:
    """Return the document of a source: the one that was opened lately, or a new one."""
    found = _recent.get(id(source))
    if found is not None and found.source is source:
        return found
    made = Document(source)
    if len(_recent) >= DOCUMENTS or made.size > BYTES // DOCUMENTS:
        _recent.clear()
    _recent[id(source)] = made
    return made


def nesting(node: Any) -> int:
    """Return how many levels deep a node is nested; 0 for a plain value."""
    if type(node) in (dict, list):
        return 1 + max(map(nesting, node.values() if type(node) is dict else node), default=0)
    if type(node) is not str and (fast is None or type(node) is not fast.Raw):
        return 0
    depth = deepest = 0
    text = node if type(node) is str else bytes(node).decode("utf-8", "replace")
    for mark in _MARK.finditer(text):
        depth += (mark[0] in "[{") - (mark[0] in "]}")
        deepest = max(deepest, depth)
    return deepest
