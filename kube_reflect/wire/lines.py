"""The lines of a WATCH: cut from its bytes, parsed once, and how long to wait for them."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Generator, Iterator
from json import JSONDecodeError
from typing import NamedTuple

from kube_reflect.client import OfficialWatch, RequestError, Response
from kube_reflect.ground.json_parser import loads
from kube_reflect.ground.objects import Object, members
from kube_reflect.wire.record import ServerRecord

__all__ = ["WatchLine", "WatchLines"]

#: A watch that the server ends sooner than this was not served, in seconds; nor says it anything
#: of the server that one broke which ran for longer.
_EARLY = 5.0
#: A streaming list that shows no further object for this long is not going to end, in seconds.
_LIST_SILENCE = 30.0
#: No object is near this long, in bytes: etcd takes 1.5 MB.
_LONGEST_LINE = 64 * 1024 * 1024
#: An event that holds a whole object, as the API server writes it.
_EVENT = re.compile(r'\{"type":"(ADDED|MODIFIED|DELETED)","object":(?=\{)')
_EVENT_MEMBERS = frozenset({b'"type"', b'"object"'})


class WatchLine(NamedTuple):
    """One line of a WATCH: its type (ADDED, …, ERROR) and the object, as on the wire."""

    type: str
    object: Object


class WatchLines:
    """The lines of one WATCH, parsed: an iterator, for the thread that asked.

    It raises RequestError where they break off.

    :param seconds: after which the server was asked to end it.
    :param idle_timeout: of the config, in seconds.
    :param initial: it begins with a streaming list.
    :param record: told what it shows of the server.
    """

    def __init__(self, response: Response, *, seconds: float, idle_timeout: float, initial: bool,
                 record: ServerRecord) -> None:
        self._response = response
        self._record = record
        self._seconds = seconds
        self._idle_timeout = idle_timeout
        self._initial = initial
        #: When the headers came, and the last whole line.
        self._started = self._last_line = time.monotonic()
        self._list_silence = min(_LIST_SILENCE, idle_timeout)
        self._list_deadline = self._started + self._list_silence if initial else math.inf
        if initial:
            response.set_read_timeout(self._list_silence)
        self._lines = OfficialWatch(self._parse).read(self._read())

    def __iter__(self) -> Iterator[WatchLine]:
        # One generator for all: the machine goes on where it stopped, at the end of the list.
        return self._lines

    @property
    def served(self) -> bool:
        """Whether it has run for so long that its breaking off says nothing of the server."""
        return self._age() >= _EARLY

    def listed(self) -> None:
        """Note that the initial events are complete, so that silence is no longer wrong."""
        self._initial = False
        # What the list has shown is as old as its beginning.
        self._record.contact = self._started
        self._list_deadline = math.inf
        self._response.set_read_timeout(self._idle_timeout)

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        # Where nothing was read, there is nobody else who does.
        self._response.close()

    def _read(self) -> Generator[bytes | str, None, None]:
        """Yield whole lines, each with its newline.

        :raises RequestError: for a line that does not end, where they break off, and at an end
            that comes too early.
        """
        parts: list[bytes] = []
        size, begun = 0, 0.0
        try:
            for chunk in self._response.chunks():
                now = time.monotonic()
                if now > self._list_deadline:
                    raise RequestError("the streaming list does not end")
                start = 0
                while end := chunk.find(b"\n", start) + 1:
                    self._last_line = now
                    # As the API server sends it, a line is a chunk, and need not be copied.
                    line = chunk[start:end] if not parts else b"".join((*parts, chunk[start:end]))
                    parts.clear()
                    start = end
                    if not line.isspace():
                        # Before 28 the official Watch dies of one bad byte.
                        yield line if line.isascii() else line.decode("utf-8", "replace")
                if start == len(chunk):
                    continue
                if not parts:
                    size, begun = 0, now
                elif now - begun > self._idle_timeout:
                    # A byte now and then keeps the socket from timing out.
                    raise RequestError("a line does not end")
                parts.append(chunk[start:])
                size += len(chunk) - start
                if size > _LONGEST_LINE:
                    raise RequestError(f"a line is longer than {_LONGEST_LINE} bytes")
        except RequestError:
            self._record_cut()
            raise
        finally:
            self._response.close()
        if parts:
            # Cut within a line, or the last line lacks its newline: parsing tells.
            yield b"".join((*parts, b"\n")).decode("utf-8", "replace")
        self._check_end()

    def _check_end(self) -> None:
        if self._age() < min(_EARLY, self._seconds / 2):
            raise RequestError(f"the server ended the watch after {self._age():.1f} s")
        self._record.watch_ended()
        if not self._initial:
            self._record.contact = time.monotonic()

    def _record_cut(self) -> None:
        if not self._initial:
            self._record.watch_cut(self._age())

    def _age(self) -> float:
        return time.monotonic() - self._started

    def _parse(self, line: str, return_type: object = None) -> WatchLine:
        """Parse a line, and note what it says of the server; it is a contact with it.

        :param return_type: of no use here; the official Watch passes it.
        """
        start = _EVENT.match(line)
        found = None
        if start is not None and line.endswith("}"):
            try:
                # If that is one JSON value, it is the object, and there is nothing beside it.
                found = WatchLine(start[1], Object.parse(line[start.end():-1].encode()))
            except ValueError:
                pass
        if found is None:
            try:
                found = _any_event(line)
            except RequestError:
                self._record_cut()
                raise
        kind, record = found.type, self._record
        if self._initial:
            # No contact: a list says nothing before it is complete.
            record.list_shows(self._started)
            if kind == "ADDED":
                self._list_deadline = time.monotonic() + self._list_silence
        elif kind != "ERROR":
            record.contact = self._last_line
            if kind == "BOOKMARK":
                record.sends_bookmarks = True
        return found


def _any_event(line: str) -> WatchLine:
    """Parse a line that is not written as the API server writes those of objects."""
    data = line.encode()
    try:
        event = loads(data)
    except (ValueError, RecursionError) as error:
        return _unreadable_event(data, error)
    if isinstance(event, dict):
        kind, content = event.get("type"), event.get("object")
        if isinstance(kind, str) and isinstance(content, dict):
            return WatchLine(kind, Object.of(content))
        if isinstance(event.get("items"), list):
            # As of a server that does not know the parameter.
            raise RequestError("the server answered a WATCH with a list", code=405)
    raise RequestError(f"a line that is no watch event: {line[:80]!r}")


def _unreadable_event(data: bytes, error: Exception) -> WatchLine:
    """Parse a line whose object is too deep for the parser, or holds too long a number."""
    if not isinstance(error, JSONDecodeError):
        try:
            parts = dict(members(data.strip(), _EVENT_MEMBERS))
            kind, obj = loads(parts[b'"type"']), Object.parse(parts[b'"object"'])
        except (KeyError, ValueError, RecursionError):
            kind = None
        if isinstance(kind, str):
            return WatchLine(kind, obj)
    raise RequestError(f"a line that is no JSON: {data[:80]!r}") from error
