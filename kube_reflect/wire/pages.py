"""Cut the body of a LIST into its items, without ever holding more than one decoded.

A page of pods is megabytes long. Parsed as a whole it would hold the interpreter for tens of
milliseconds and then exist as a page's worth of dicts; so the items are found in the bytes as
they come, and each is parsed by itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from kube_reflect.client import RequestError
from kube_reflect._json import loads
from kube_reflect.wire.raw import glance

__all__ = ["Page"]

_ITEMS = re.compile(rb'"items"\s*:\s*\[\s*')
# With the strings that all items begin with (apiVersion, kind), and the key after them.
_FIRST_KEY = re.compile(rb'\{(?:"[^"\\]*":"[^"\\]*",)*"[^"\\]*":\{?')
_TOKEN = re.compile(rb'[{}]|"(?:[^"\\]+|\\.)*(?:"|(?P<open>\\?\Z))', re.DOTALL)
#: An item with a kind of its own, as custom resources have; ownerReferences have kinds too.
_NAMED = re.compile(rb'\{\s*(?:"apiVersion"\s*:\s*"[^"\\]*"\s*,\s*)?"kind"\s*:')
_SEPARATOR = re.compile(r"\s*,\s*")
_WHITESPACE = re.compile(r"\s*")
_raw_decode = json.JSONDecoder().raw_decode


class Page:
    """One page of a LIST: iterate it, once, for its items; then ask for the rest.

    The items of built-in kinds come without apiVersion and kind; they are given those of the
    list. ``resource_version`` and ``continue_token`` are known when the last item has been read,
    since custom resources have them at the end of the page.

    :param chunks: the body, in pieces of any size.
    :param done: told when all has been read.
    :param glancing: leave the items unparsed (as RawObject), where nothing is unusual.
    :raises RequestError: on iteration, for what is no list.
    """

    def __init__(self, chunks: Iterable[bytes],
                 done: Callable[[Page], None] | None = None, *, glancing: bool = False) -> None:
        self._chunks = iter(chunks)
        self._done = done
        self._glancing = glancing
        self._buffer = bytearray()
        self.resource_version: str | None = None
        self.continue_token: str | None = None

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        try:
            yield from self._items()
            if self._done is not None:
                self._done(self)
        except (ValueError, RecursionError) as error:
            raise RequestError(f"the answer is no list: {error}", started=True) from error

    def _items(self) -> Iterator[Any]:
        start = self._find_items()
        if start is None:
            yield from self._whole()
            return
        head = bytes(self._buffer[:start.start()])
        try:
            envelope = loads(head + b'"items":[]}')
        except ValueError:
            # The first "items" is not that of the list itself.
            yield from self._whole()
            return
        kind, api_version = _item_kind(envelope), envelope.get("apiVersion")
        if kind is None and not self._first_item_names_its_kind(start.end()):
            yield from self._whole()
            return
        del self._buffer[:start.end()]
        yield from _named(self._compact_items(kind, api_version), kind, api_version)
        text = self._rest()
        position = 0
        if not text.startswith("]"):
            for item, position in _spaced_items(text):
                yield from _named([item], kind, api_version)
        if not text.startswith("]", position):
            raise ValueError("it does not end")
        self._read_envelope(loads(head + b'"items":[]' + text[position + 1:].encode()))

    def _more(self) -> bool:
        for chunk in self._chunks:
            self._buffer += chunk
            return True
        return False

    def _find_items(self) -> re.Match[bytes] | None:
        while True:
            found = _ITEMS.search(self._buffer)
            # An item that begins later is waited for: white space may be cut in two.
            if found is not None and found.end() < len(self._buffer):
                # A match of its own bytes: the buffer must be free to shrink.
                return _ITEMS.search(bytes(self._buffer[:found.end()]))
            if not self._more():
                return None

    def _first_item_names_its_kind(self, start: int) -> bool:
        if self._buffer[start:start + 1] == b"]":
            return True
        while len(self._buffer) < start + 200 and self._more():
            pass
        return _NAMED.match(self._buffer, start) is not None

    def _compact_items(self, kind: str | None, api_version: Any) -> Iterator[Any]:
        """Yield all items but the last, as the API server writes them: without white space.

        Where one item ends and another begins stand the same bytes each time: ``},{"metadata":``
        for instance. They may stand within an item too; but no beginning of a JSON object is
        itself a JSON object, so what parses is an item, and the whole of it.
        """
        buffer = self._buffer
        while len(buffer) < 200 and self._more():
            pass
        first_key = _FIRST_KEY.match(bytes(buffer[:200]))
        if first_key is None:
            return
        boundary = b"}," + first_key.group()
        start = b"{"
        if b'"kind":' not in boundary and isinstance(kind, str) and isinstance(api_version, str):
            start += b'"kind":%s,"apiVersion":%s,' % (_json(kind), _json(api_version))
        while True:
            end = self._find(boundary)
            if end is None:
                return
            try:
                item = self._parsed(start, end)
            except ValueError:
                if not buffer.startswith(b"{"):
                    return
                # The same bytes within the item. To try each of them would take for ever where
                # there are many, so its end is counted out.
                end = self._item_end()
                if end is None or buffer[end + 1:end + 2] != b",":
                    return
                item = self._parsed(start, end)
            del buffer[:end + 2]
            yield item

    def _parsed(self, start: bytes, end: int) -> Any:
        """Parse the item at the start of the buffer.

        :param start: how it begins when it is given the kind of the list.
        :param end: where its last brace is.
        """
        if self._glancing and self._buffer.startswith(b"{"):
            seen = glance(start + self._buffer[1:end + 1])
            if seen is not None:
                return seen
        return loads(bytes(self._buffer[:end + 1]))

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
            for token in _TOKEN.finditer(bytes(self._buffer), at):
                if token["open"] is not None:
                    # A string that goes on in the next chunk is looked at again, whole.
                    break
                at = token.end()
                if token[0] == b"{":
                    depth += 1
                elif token[0] == b"}":
                    depth -= 1
                    if not depth:
                        self._more_than(at)
                        return at - 1
            if not self._more_than(2 * len(self._buffer)):
                return None

    def _more_than(self, size: int) -> bool:
        """Read until there are more bytes than that; tell whether any came."""
        before = len(self._buffer)
        while len(self._buffer) <= size and self._more():
            pass
        return len(self._buffer) > before

    def _rest(self) -> str:
        while self._more():
            pass
        text = self._buffer.decode("utf-8", "replace")
        self._buffer.clear()
        return text

    def _whole(self) -> Iterator[Any]:
        document = loads(self._rest())
        if not isinstance(document, dict) or "items" not in document:
            raise ValueError("it has no items")
        items = document["items"]
        if items is None:
            items = []
        if not isinstance(items, list):
            raise ValueError("its items are no array")
        self._read_envelope(document)
        yield from _named(items, _item_kind(document), document.get("apiVersion"))

    def _read_envelope(self, envelope: Any) -> None:
        metadata = envelope.get("metadata")
        if isinstance(metadata, dict):
            self.resource_version = _text(metadata.get("resourceVersion"))
            self.continue_token = _text(metadata.get("continue"))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _spaced_items(text: str) -> Iterator[tuple[Any, int]]:
    """Yield the items that stand at the start of the text, each with where it ends."""
    position = 0
    while True:
        item, position = _raw_decode(text, position)
        separator = _SEPARATOR.match(text, position)
        if separator is None:
            space = _WHITESPACE.match(text, position)
            yield item, space.end() if space else position
            return
        yield item, position
        position = separator.end()


def _json(text: str) -> bytes:
    return json.dumps(text).encode()


def _item_kind(envelope: dict[str, Any]) -> str | None:
    kind = envelope.get("kind")
    if not isinstance(kind, (str, type(None))):
        raise ValueError("its kind is no string")
    return None if kind is None else kind.removesuffix("List")


def _named(items: Iterable[Any], kind: str | None, api_version: Any) -> Iterator[Any]:
    """Give each item the apiVersion and kind that the server left out."""
    for item in items:
        # Each by itself, as of an item that is glanced at with both before what it has.
        if kind is not None and isinstance(item, dict) and not ("kind" in item
                                                                and "apiVersion" in item):
            item = {"kind": kind, "apiVersion": api_version, **item}
        yield item
