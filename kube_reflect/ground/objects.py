"""An object on its way: its JSON or its mapping, and what is known of it, read once.

Whoever meets an object reads `Object`'s attributes; nobody else looks into its metadata. The JSON
itself is parsed only when somebody asks for the mapping.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kube_reflect.ground.foreign import fails_again
from kube_reflect.ground.json_parser import dumps, fast, loads

__all__ = ["BadObject", "Key", "Object", "compare_versions", "lowest_version",
           "members", "newer_version", "text_or_none"]

#: (namespace, name); the namespace is None for an object that has none.
Key = tuple["str | None", str]

_NO_LABELS: Mapping[str, str] = {}
# What gives JSON its structure: brackets, and strings, in which brackets mean nothing. A string
# without an end is one token too: to look again from each quote in it would take for ever.
_TOKEN = re.compile(rb'[{}\[\]]|"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
_COLON = re.compile(rb"\s*:\s*")
# A value that is no string, object or array.
_SCALAR = re.compile(rb'[^\s,:{}\[\]"]+')
#: The keys of an object that are read where the whole of it cannot be parsed.
_HEAD = frozenset({b'"apiVersion"', b'"kind"', b'"metadata"'})
#: Brackets within brackets that are looked through to find a head; an API server parses 10,000.
_DEEPEST = 100_000


class BadObject(ValueError):
    """An object that cannot be stored or read, whatever the reason; the message says which."""


class Object(Mapping[str, Any]):
    """An object as on the wire, with what the cache needs to know of it; a mapping when asked.

    It belongs to the thread that reads the stream, and does not change. What is missing is None,
    or empty; `key` says what makes an object unfit to be stored.

    Made by `parse` from JSON and by `of` from a mapping.
    """

    __slots__ = ("_mapping", "api_version", "data", "kind", "labels", "name", "namespace",
                 "problem", "resource_version", "uid")

    def __init__(self, json: bytes | None, mapping: Mapping[str, Any] | None, api_version: Any,
                 kind: Any, metadata: Any) -> None:
        #: The JSON; None where it is a mapping that nobody has asked the JSON of yet.
        self.data = json
        self._mapping = mapping
        #: Why it cannot be stored; None: it can.
        self.problem: BadObject | None = None
        #: The apiVersion and kind, or None.
        self.api_version = text_or_none(api_version)
        self.kind = text_or_none(kind)
        known = metadata if isinstance(metadata, Mapping) else {}
        self.name = text_or_none(known.get("name"))
        namespace = known.get("namespace")
        self.namespace = text_or_none(namespace)
        self.uid = text_or_none(known.get("uid"))
        self.resource_version = text_or_none(known.get("resourceVersion"))
        #: The labels that can be selected by: those that are strings.
        self.labels = _labels(known.get("labels"))
        if known is not metadata:
            self.problem = BadObject("it has no metadata")
        elif self.name is None:
            self.problem = BadObject("it has no metadata.name")
        elif namespace and self.namespace is None:
            # Better no key than that of another object, one without a namespace.
            self.problem = BadObject(f"its metadata.namespace is no string (of {self.name!r})")
            self.name = None

    @classmethod
    def parse(cls, json: bytes) -> Object:
        """Read what is to be known of the JSON of an object; some 9 us of a pod with [fast].

        That all of it is JSON is checked, but for an object that is nested too deeply or holds
        too long a number: its `mapping` then raises.

        :param json: one JSON value, without white space around it.
        :raises ValueError: for what is no JSON object.
        """
        if fast is not None:
            try:
                seen = fast.essentials(json)
            except (ValueError, RecursionError) as error:
                # The quick way takes plain objects only; try the long one.
                fails_again(error, fast.essentials, json)
            else:
                # Not by __init__, for speed: the parser has checked the types already.
                self = cls.__new__(cls)
                metadata = seen.metadata
                self.data = json
                self._mapping = self.problem = None
                self.api_version = seen.apiVersion or None
                self.kind = seen.kind or None
                self.name = metadata.name or None
                self.namespace = metadata.namespace or None
                self.uid = metadata.uid or None
                self.resource_version = metadata.resourceVersion or None
                self.labels = metadata.labels or _NO_LABELS
                if not self.name:
                    self.problem = BadObject("it has no metadata.name")
                return self
        try:
            mapping = loads(json)
        except (RecursionError, ValueError) as error:
            # int() raises a ValueError for more digits than sys.set_int_max_str_digits allows. An
            # error of syntax is of a subclass.
            fails_again(error, loads, json)
            if type(error) not in (RecursionError, ValueError):
                raise
            return cls._unreadable(json, error)
        if not isinstance(mapping, dict):
            raise ValueError("it is no JSON object")
        return cls(json, mapping, mapping.get("apiVersion"), mapping.get("kind"),
                   mapping.get("metadata"))

    @classmethod
    def of(cls, obj: Any) -> Object:
        """Return an object for a mapping with the keys of the wire, or the `Object` that it is.

        What is no mapping has no key.
        """
        if type(obj) is cls:
            return obj
        if not isinstance(obj, Mapping):
            return cls(b"null", {}, None, None, None)
        return cls(None, obj, obj.get("apiVersion"), obj.get("kind"), obj.get("metadata"))

    @classmethod
    def _unreadable(cls, json: bytes, error: Exception) -> Object:
        """Return an object whose metadata alone can be read."""
        head: dict[str, Any] = {}
        for name, value in members(json, _HEAD):
            try:
                head[loads(name)] = loads(value)
            except (ValueError, RecursionError):
                # The metadata itself is wrong, so the object has no name that can be read.
                continue
        self = cls(json, None, head.get("apiVersion"), head.get("kind"), head.get("metadata"))
        self.problem = self.problem or BadObject(
            f"it cannot be parsed ({type(error).__name__}: {error})")
        return self

    @property
    def key(self) -> Key:
        """The namespace and name under which it is stored.

        :raises BadObject: for what has no name, or a namespace that is no string.
        """
        if self.name is None:
            raise self.problem or BadObject("it has no metadata.name")
        return self.namespace, self.name

    def json(self) -> bytes:
        """Return its JSON, as it came or, for a mapping, made now.

        :raises BadObject: for contents that JSON does not know.
        """
        if self.data is None:
            try:
                self.data = dumps(self._mapping)
            except (TypeError, ValueError, OverflowError, RecursionError) as error:
                fails_again(error, dumps, self._mapping)
                raise BadObject(f"it holds what JSON does not know ({error})") from error
        return self.data

    def mapping(self) -> Mapping[str, Any]:
        """Return it as on the wire; parsed once.

        :raises BadObject: for JSON that Python does not parse: too deep, or numbers too long.
        """
        mapping = self._mapping
        if mapping is None:
            assert self.data is not None
            try:
                mapping = self._mapping = loads(self.data)
            except (ValueError, RecursionError) as error:
                fails_again(error, loads, self.data)
                raise BadObject(
                    f"it cannot be parsed ({type(error).__name__}: {error})") from error
        return mapping

    def __getitem__(self, key: str) -> Any:
        return self.mapping()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.mapping())

    def __len__(self) -> int:
        return len(self.mapping())

    def __repr__(self) -> str:
        return f"<Object {self.kind} {self.namespace or ''}/{self.name}>"


def text_or_none(value: Any) -> str | None:
    """Return a value if it is a text, and not empty."""
    return value if isinstance(value, str) and value else None


def _labels(labels: Any) -> Mapping[str, str]:
    if not isinstance(labels, Mapping) or not labels:
        return _NO_LABELS
    return {key: value for key, value in labels.items()
            if isinstance(key, str) and isinstance(value, str)}


def members(json: bytes, names: frozenset[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield some members of a JSON object, each with its value as JSON; without recursion.

    It looks for brackets and strings only, and so cuts out what the parser refuses, too.

    :param names: the keys to yield, as JSON: with their quotes.
    :raises ValueError: for what is no object, or does not end.
    """
    depth = start = 0
    name: bytes | None = None
    end = 0
    for token in _TOKEN.finditer(json):
        if end and not depth:
            raise ValueError("it is more than one value")
        text, end = token[0], token.end()
        if depth == 1 and text in names and name is None and (
                colon := _COLON.match(json, end)) is not None:
            start = colon.end()
            scalar = _SCALAR.match(json, start)
            if scalar is None:
                name = text
            else:
                yield text, scalar[0]
        elif text in b"{[":
            depth += 1
            if depth > _DEEPEST:
                raise ValueError("it is too deep")
            continue
        elif text in b"}]":
            depth -= 1
        if depth == 1 and name is not None and token.start() >= start:
            yield name, json[start:end]
            name = None
    if depth or not json.startswith(b"{") or json[end:].strip():
        raise ValueError("it is no JSON object")


def compare_versions(one: str, other: str) -> int | None:
    """Compare two resource versions: below 0 if the first is older, 0 if equal, above if newer.

    Return None where nothing can be told: one of them is no decimal number, and they differ.
    """
    if one == other:
        return 0
    if not (one.isascii() and one.isdecimal() and other.isascii() and other.isdecimal()):
        return None
    # As digits, because int() refuses thousands of them.
    one, other = one.lstrip("0"), other.lstrip("0")
    left, right = (len(one), one), (len(other), other)
    return (left > right) - (left < right)


def newer_version(known: str, new: str) -> str:
    """Return the resource version up to which all is seen, after an event with a new one.

    It never goes back, and a version that cannot be compared does not move it: some servers give
    objects versions of another kind than lists, or delete with the version that the object had.
    """
    if len(known) == len(new) and (both := known + new).isascii() and both.isdecimal():
        # Nearly all are so; this saves the call of `compare_versions`.
        return new if new > known else known
    order = compare_versions(new, known)
    if order is None:
        # A number and something else are of two kinds: stay. Of two that are no numbers, which is
        # newer cannot be known: move on.
        return known if new.isdecimal() or known.isdecimal() else new
    return new if order > 0 else known


def lowest_version(versions: Iterable[str], known: str | None) -> str | None:
    """Return the version up to which everything has been seen, by all of several namespaces."""
    lowest: str | None = None
    for version in versions:
        if lowest is None:
            lowest = version
            continue
        order = compare_versions(version, lowest)
        if order is None:
            # They cannot be compared: nothing better is known.
            return known
        if order < 0:
            lowest = version
    return known if lowest is None else lowest
