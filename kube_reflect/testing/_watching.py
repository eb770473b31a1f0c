"""WATCH: what came after a version, until the timeout."""

from __future__ import annotations

import time
from dataclasses import dataclass

from kube_reflect.object_ref import ApiResource
from kube_reflect.testing import _status as status
from kube_reflect.testing._encoding import Entry, bookmark
from kube_reflect.testing._http import Exchange
from kube_reflect.testing._listing import forbidden_option, parse_version
from kube_reflect.testing._negotiation import json_headers
from kube_reflect.testing._requests import Request
from kube_reflect.testing._selection import Selection
from kube_reflect.testing._status import ApiStatusError
from kube_reflect.testing._storage import Collection, Storage

# Changes written in one go: enough to be fast, little enough to hold no memory.
_BATCH = 256


@dataclass(frozen=True)
class WatchOptions:
    """What a FakeApiServer's watches are like; times in seconds."""

    streaming_list: bool
    bookmark_interval: float
    timeout: float
    sharding: bool = False


def _check_options(request: Request, options: WatchOptions) -> None:
    query = request.query
    match, send = query.get("resourceVersionMatch", ""), query.get("sendInitialEvents", "")
    field = "resourceVersionMatch"
    if not options.streaming_list:
        # A server from before streaming lists does not know sendInitialEvents.
        causes = []
        if match:
            causes.append((field, f"{field} is forbidden for watch"))
            if not query.get("resourceVersion"):
                causes.append(
                    (field, f"{field} is forbidden unless resourceVersion is provided"))
        if causes:
            raise forbidden_option(*causes)
    elif match and not send:
        raise forbidden_option(
            (field, f"{field} is forbidden for watch unless sendInitialEvents is provided"))
    elif send and match != "NotOlderThan":
        raise forbidden_option(
            (field, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))


class Watch:
    """One open WATCH, run by the thread of its connection."""

    def __init__(self, exchange: Exchange, storage: Storage, collection: Collection,
                 resource: ApiResource, custom: bool, selection: Selection, partial: bool,
                 options: WatchOptions) -> None:
        request = exchange.request
        _check_options(request, options)
        self._exchange = exchange
        self._storage = storage
        self._collection = collection
        self._resource = resource
        self._custom = custom
        self._selection = selection
        self._partial = partial
        self._options = options
        self._from = parse_version(request.query.get("resourceVersion", ""))
        self._send = options.streaming_list and request.flag("sendInitialEvents")
        self._send_not = options.streaming_list and "sendInitialEvents" in request.query \
            and not self._send
        self._bookmarks = request.flag("allowWatchBookmarks")
        self._timeout = _timeout_of(request) or options.timeout
        self._position = 0
        self._current = 0
        # The version of the last bookmark, and of the one that somebody is waiting for.
        self._told = self._from or 0
        self._due = 0

    def run(self) -> None:
        """Send the stream to its end.

        :raises ApiStatusError: it cannot begin; nothing was sent.
        :raises Disconnected: it was cut.
        """
        self._exchange.wakeable()
        with self._storage.woken_by_writes(self._exchange.wake):
            initial, too_old = self._begin()
            self._exchange.start(200, json_headers())
            if too_old is not None:
                error = too_old.body().rstrip(b"\n")
                self._exchange.chunks([b'{"type":"ERROR","object":' + error + b"}\n"])
            else:
                self._exchange.chunks(initial)
                self._follow()
            self._exchange.end()

    def _begin(self) -> tuple[list[bytes], ApiStatusError | None]:
        """Find the position to go on from, and what is sent before."""
        with self._storage.lock:
            current = self._storage.version
            collection = self._collection
            self._position = collection.written
            self._current = current
            entries: list[Entry] = []
            if self._send or (not self._from and not self._send_not):
                if self._from and self._from > current:
                    raise status.too_large_version(self._from, current)
                prefix = f"{self._selection.namespace}/" if self._selection.namespace else ""
                entries = collection.page(current, prefix, "")
            elif self._from:
                if self._from < collection.floor:
                    return [], status.too_old_version(self._from, collection.floor)
                self._position = collection.position_of(self._from)
        lines = [self._line("ADDED", entry) for entry in entries
                 if self._selection.matches(entry)]
        if self._send and self._bookmarks:
            lines.append(self._bookmark(current, initial_end=True))
        return lines, None

    def _follow(self) -> None:
        deadline = time.monotonic() + self._timeout
        interval = self._options.bookmark_interval
        next_bookmark = time.monotonic() + interval
        while True:
            lines, more, ended = self._news()
            if lines:
                self._exchange.chunks(lines)
            if more:
                continue
            now = time.monotonic()
            if ended or now >= deadline:
                break
            if self._bookmarks and (now >= next_bookmark or self._told < self._due):
                self._send_bookmark()
                next_bookmark = now + interval
            until = min(deadline, next_bookmark) if self._bookmarks else deadline
            self._exchange.wait(until - now)
        if self._bookmarks and not ended:
            self._send_bookmark()

    def _news(self) -> tuple[list[bytes], bool, bool]:
        """The lines of the next changes, whether there are more, whether the stream ends."""
        with self._storage.lock:
            self._current = self._storage.version
            self._due = self._storage.bookmark_due
            changes = self._collection.since(self._position)
            ended = self._collection.ended
        if changes is None:
            # A watch that is too slow for the history is ended, as the real server does.
            return [], False, True
        batch = changes[:_BATCH]
        more = len(batch) < len(changes)
        self._position += len(batch)
        lines = []
        for change in batch:
            if self._from and change.version <= self._from:
                continue
            event = change.event(self._selection.matches)
            if event is not None:
                lines.append(self._line(*event))
        return lines, more, ended and not more

    def _line(self, event_type: str, entry: Entry) -> bytes:
        body = entry.partial() if self._partial else entry.full()
        return b'{"type":"%b","object":%b}\n' % (event_type.encode(), body)

    def _bookmark(self, version: int, initial_end: bool = False) -> bytes:
        return bookmark(self._resource, self._custom, self._partial, version, initial_end)

    def _send_bookmark(self) -> None:
        # Nothing is known of a version that the server has not reached.
        self._told = self._current
        if not self._from or self._current >= self._from:
            self._exchange.chunks([self._bookmark(self._current)])


def _timeout_of(request: Request) -> float:
    text = request.query.get("timeoutSeconds", "") or "0"
    try:
        return float(max(0, int(text)))
    except ValueError:
        raise status.bad_request(
            f'strconv.ParseInt: parsing "{text}": invalid syntax') from None
