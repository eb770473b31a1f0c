"""Cut the body of a LIST into its items, and read of each what is to be known.

A page of pods is megabytes long. Parsed as a whole it would hold the interpreter for tens of
milliseconds and then exist as a page's worth of dicts; and one item that the parser refuses would
spoil them all. So the items are found in the bytes as they come, and each is parsed by itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kube_reflect.client import RequestError
from kube_reflect.ground.json_parser import loads
from kube_reflect.ground.objects import Object, members, text_or_none

__all__ = ["Page"]

#: How much is held that is no whole item yet, in bytes; a page whose kind comes after its items is
#: held whole.
_MOST_HELD = 256 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"

# (A quote after a backslash is one within a string.)
_ITEMS = re.compile(rb'(?<!\\)"items"\s*:\s*\[\s*')
# With the strings that all items begin with (apiVersion, kind), and the key after them.
_FIRST_KEY = re.compile(rb'\{(?:"[^"\\]*":"[^"\\]*",)*"[^"\\]*":\{?')
# A string without an end is one token too: to look again from each quote in it would take for ever.
_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|(?P<open>\\?\Z))'
_BRACE = re.compile(rb"[{}]|" + _STRING, re.DOTALL)
#: What tells where an element of an array ends.
_MARK = re.compile(rb"[{}\[\],]|" + _STRING, re.DOTALL)
#: An item with a kind of its own, as custom resources have; ownerReferences have kinds too.
_NAMED = re.compile(rb'\{\s*(?:"apiVersion"\s*:\s*"[^"\\]*"\s*,\s*)?"kind"\s*:')
_ITEMS_KEY = b'"items"'


class Page:
    """One page of a LIST: iterate it, once, for its items; then ask for the rest.

    The items of built-in kinds come without apiVersion and kind; they are given those of the
    list. ``resource_version``, ``continue_token`` and ``shard_selector`` are known when the last
    item has been read, since custom resources have them at the end of the page.

    An item that cannot be parsed, for its depth or its numbers, is an `Object` all the same; what
    is no JSON is no list.

    :param chunks: the body, in pieces of any size.
    :param done: called when all has been read.
    :raises RequestError: on iteration, for what is no list.
    """

    def __init__(self, chunks: Iterable[bytes],
                 done: Callable[[Page], None] | None = None) -> None:
        self._chunks = iter(chunks)
        self._done = done
        self._buffer = bytearray()
        #: What each item is given in front of its own keys.
        self._named: bytes = b""
        self.resource_version: str | None = None
        self.continue_token: str | None = None
        self.shard_selector: str | None = None

    def __iter__(self) -> Iterator[Object]:
        try:
            yield from self._items()
            if self._done is not None:
                self._done(self)
        except (ValueError, RecursionError) as error:
            raise RequestError(f"the answer is no list: {error}") from error

    def _items(self) -> Iterator[Object]:
        start, envelope = self._find_items(), None
        if start is not None:
            head = bytes(self._buffer[:start.start()])
            try:
                envelope = loads(head + b'"items":[]}')
            except ValueError:
                # The first "items" is not that of the list itself.
                pass
        if start is None or envelope is None or (
                envelope.get("kind") is None and not self._first_item_names_its_kind(start.end())):
            yield from self._whole()
            return
        self._read_kind(envelope)
        del self._buffer[:start.end()]
        yield from self._compact_items()
        rest = self._rest()
        end = 0
        for item, end in _elements(rest):
            yield self._item(item)
        self._read_envelope(loads(head + b'"items":[]' + rest[end + 1:]))

    def _more(self) -> bool:
        for chunk in self._chunks:
            self._buffer += chunk
            if len(self._buffer) > _MOST_HELD:
                raise RequestError(f"more than {_MOST_HELD} bytes, and no end of an item")
            return True
        return False

    def _find_items(self) -> re.Match[bytes] | None:
        searched = 0
        while True:
            found = _ITEMS.search(self._buffer, searched)
            # An item that begins later is waited for: white space may be cut in two.
            if found is not None and found.end() < len(self._buffer):
                # A match of its own bytes: the buffer must be free to shrink.
                return _ITEMS.search(bytes(self._buffer[:found.end()]), found.start())
            if found is None:
                searched = max(0, len(self._buffer) - 200)
            if not self._more():
                return None

    def _first_item_names_its_kind(self, start: int) -> bool:
        if self._buffer[start:start + 1] == b"]":
            return True
        self._hold(start + 200)
        return _NAMED.match(self._buffer, start) is not None

    def _compact_items(self) -> Iterator[Object]:
        """Yield all items but the last, as the API server writes them: without white space.

        Where one item ends and another begins stand the same bytes each time: ``},{"metadata":``
        for instance. They may stand within an item too; but no beginning of a JSON object is
        itself a JSON object, so what parses is an item, and the whole of it.
        """
        buffer = self._buffer
        self._hold(200)
        first_key = _FIRST_KEY.match(bytes(buffer[:200]))
        if first_key is None:
            return
        boundary = b"}," + first_key.group()
        start = b"{" if b'"kind":' in boundary else b"{" + self._named
        while (end := self._find(boundary)) is not None:
            if not buffer.startswith(b"{"):
                return
            try:
                item = Object.parse(start + buffer[1:end + 1])
            except ValueError:
                # The same bytes within the item. To try each of them would take for ever where
                # there are many, so its end is counted out.
                end = self._item_end()
                if end is None or buffer[end + 1:end + 2] != b",":
                    return
                item = self._item(bytes(buffer[:end + 1]))
            if item.api_version is None or item.kind is None:
                item = self._item(bytes(buffer[:end + 1]))
            del buffer[:end + 2]
            yield item

    def _item(self, data: bytes) -> Object:
        """Parse an item, and give it the kind of the list where it has none."""
        if not data.startswith(b"{"):
            return Object.of(loads(data))
        item = Object.parse(data)
        if self._named and (item.kind is None or item.api_version is None):
            # Complete each key separately: what comes last counts, and that is the item's own.
            own = data[1:].lstrip()
            named = self._named.rstrip(b",") if own.startswith(b"}") else self._named
            item = Object.parse(b"{" + named + own)
        return item

    def _find(self, boundary: bytes) -> int | None:
        searched = 0
        while (end := self._buffer.find(boundary, searched)) < 0:
            searched = max(0, len(self._buffer) - len(boundary))
            if not self._more():
                return None
        return end

    def _item_end(self) -> int | None:
        """Find the brace that closes the item at the start of the buffer, by counting braces."""
        depth = at = 0
        while True:
            # Of its own bytes: the buffer must be free to grow.
            for token in _BRACE.finditer(bytes(self._buffer), at):
                if token["open"] is not None:
                    # A string that goes on in the next chunk is looked at again, whole.
                    break
                at = token.end()
                if token[0] == b"{":
                    depth += 1
                elif token[0] == b"}":
                    depth -= 1
                    if not depth:
                        self._hold(at + 1)
                        return at - 1
            if not self._hold(2 * len(self._buffer) + 1):
                return None

    def _hold(self, size: int) -> bool:
        """Read until there are as many bytes; tell whether any came."""
        before = len(self._buffer)
        while len(self._buffer) < size and self._more():
            pass
        return len(self._buffer) > before

    def _rest(self) -> bytes:
        while self._more():
            pass
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def _whole(self) -> Iterator[Object]:
        """Yield the items of a page whose kind or whose items are not where they should be."""
        body = self._rest().removeprefix(_BOM).strip()
        items = dict(members(body, frozenset({_ITEMS_KEY}))).get(_ITEMS_KEY)
        if items is None:
            raise ValueError("it has no items")
        if items == b"null":
            items = b"[]"
        if not items.startswith(b"["):
            raise ValueError("its items are no array")
        envelope = loads(body.replace(items, b"[]", 1))
        self._read_kind(envelope)
        for item, _ in _elements(items[1:]):
            yield self._item(item)
        self._read_envelope(envelope)

    def _read_kind(self, envelope: dict[str, Any]) -> None:
        kind, api_version = envelope.get("kind"), envelope.get("apiVersion")
        if not isinstance(kind, (str, type(None))):
            raise ValueError("its kind is no string")
        if kind is not None:
            self._named = b'"kind":%s,' % _json(kind.removesuffix("List"))
            if isinstance(api_version, str):
                self._named += b'"apiVersion":%s,' % _json(api_version)

    def _read_envelope(self, envelope: Any) -> None:
        metadata = envelope.get("metadata")
        if isinstance(metadata, dict):
            self.resource_version = text_or_none(metadata.get("resourceVersion"))
            self.continue_token = text_or_none(metadata.get("continue"))
            shard = metadata.get("shardInfo")
            if isinstance(shard, dict):
                self.shard_selector = text_or_none(shard.get("selector"))


def _json(text: str) -> bytes:
    return json.dumps(text).encode()


def _elements(text: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the elements of an array, each with where in the text it ends; at last, the bracket.

    :param text: what comes after the opening bracket.
    :raises ValueError: where it does not end.
    """
    depth = start = 0
    for token in _MARK.finditer(text):
        mark, end = token[0], token.start()
        if mark in b"{[":
            depth += 1
        elif mark == b"," and not depth:
            yield _element(text[start:end]), end
            start = end + 1
        elif mark in b"}]":
            if depth:
                depth -= 1
            elif mark == b"]":
                if start or text[:end].strip():
                    yield _element(text[start:end]), end
                return
            else:
                break
    raise ValueError("it does not end")


def _element(text: bytes) -> bytes:
    text = text.strip()
    if not text:
        raise ValueError("an item is missing")
    return text
