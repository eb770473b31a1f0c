"""A canned API server in a process of its own, which is never the bottleneck.

Nothing is encoded while a client waits: a pod is a prebuilt beginning and a shared recorded rest,
and both go to the kernel in one scatter write of some hundred chunks. Run it with
``python -m tests.bench._canned SIZE``; it prints its port, and ends when its stdin does.

    GET  /api/v1/pods              LIST, whole or with limit and continue, gzip if accepted
    GET  /api/v1/pods?watch=…      WATCH, with sendInitialEvents a streaming list
    GET  /burst?events=&batch=&rate=&prepare=   starts sending events to every open WATCH
    GET  /stats                    its CPU seconds, the requests so far, the WATCHes open now
"""

from __future__ import annotations

import gzip
import json
import re
import resource
import socket
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from urllib.parse import parse_qs, urlsplit

from tests.bench._pods import BASE_VERSION, bases, bookmark, event_head, head

Buffers = list[bytes]

# As the recordings show: a v1.36 server writes an item of a list in a piece of 2,048 bytes and
# a second one with what is left.
_FIRST_PIECE = 2048
_IOV_MAX = 1000
# Events at a rate go out in this many seconds' worth at a time.
_TICK = 0.002
_PORTION = 40
_CHUNKED = (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Cache-Control: no-cache, private\r\nTransfer-Encoding: chunked\r\n\r\n")
_END = b"0\r\n\r\n"
_ACCEPTS_GZIP = re.compile(r"^accept-encoding:.*\bgzip\b", re.IGNORECASE | re.MULTILINE)
# Those of an API server.
_GZIP_LEVEL = 1
_GZIP_PIECE = 32768


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _dechunked(data: bytes) -> bytes:
    body: Buffers = []
    at = 0
    while True:
        end = data.index(b"\r\n", at)
        size = int(data[at:end], 16)
        if not size:
            return b"".join(body)
        body.append(data[end + 2:end + 2 + size])
        at = end + 2 + size + 2


def _send(sock: socket.socket, buffers: Iterable[bytes]) -> int:
    """Send it all, in scatter writes; return the number of bytes."""
    total = 0
    source: Iterator[bytes] = iter(buffers)
    while batch := list(islice(source, _IOV_MAX)):
        size = sum(map(len, batch))
        sent = sock.sendmsg(batch)
        if sent < size:
            sock.sendall(memoryview(b"".join(batch))[sent:])
        total += size
    return total


class Canned:
    """The bytes of SIZE pods in each form that a client may ask for."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._line_rests = [base.rest + b"}\n\r\n" for base in bases()]
        self._stream: Buffers = []
        self._items: list[tuple[bytes, ...]] = []
        for index in range(size):
            self._stream += self._line(index, BASE_VERSION - size + index, "ADDED")
            self._items.append(self._item(index))
        self._stream.append(_chunk(bookmark(BASE_VERSION, initial_events_end=True)))
        self._prepared: tuple[tuple[int, int, int], Buffers] = (0, 0, 0), []

    def _line(self, index: int, version: int, event: str) -> Buffers:
        start = event_head(index, version, event)
        rest = self._line_rests[index % len(self._line_rests)]
        return [b"%x\r\n%s" % (len(start) + len(rest) - 2, start), rest]

    def _item(self, index: int) -> tuple[bytes, ...]:
        version = BASE_VERSION - self.size + index
        rest = bases()[index % len(bases())].rest
        start = (b"," if index else b"") + head(index, version, kind=False)
        cut = _FIRST_PIECE - len(start)
        return _chunk(start + rest[:cut]), b"%x\r\n" % (len(rest) - cut), rest[cut:] + b"\r\n"

    def page(self, start: int, limit: int) -> Iterator[bytes]:
        """The chunks of a LIST from this item on."""
        end = min(start + limit, self.size) if limit else self.size
        more = (b',"continue":"%d","remainingItemCount":%d' % (end, self.size - end)
                if end < self.size else b"")
        yield _chunk(b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"%d"%s},'
                     b'"items":[' % (BASE_VERSION, more))
        for index in range(start, end):
            first, *others = self._items[index]
            if index == start and index:
                # The first item of a page has no comma before it.
                first = _chunk(first.split(b"\r\n", 1)[1][1:-2])
            yield first
            yield from others
        yield _chunk(b"]}\n")
        yield _END

    @lru_cache(maxsize=None)
    def gzipped_page(self, start: int, limit: int) -> Buffers:
        """The same, compressed as an API server does; the first time costs something."""
        packed = gzip.compress(_dechunked(b"".join(self.page(start, limit))), _GZIP_LEVEL)
        return [_chunk(packed[at:at + _GZIP_PIECE])
                for at in range(0, len(packed), _GZIP_PIECE)] + [_END]

    def initial(self) -> Buffers:
        """The chunks of a streaming list, with the bookmark that ends it."""
        return self._stream

    def prepare(self, first: int, events: int, batch: int) -> Buffers:
        """The chunks of a burst: changes of one pod after the other, ``batch`` a chunk.

        The last burst is remembered, so that one that was prepared costs nothing but its sending.

        :param first: the version of the first event.
        """
        if self._prepared[0] != (first, events, batch):
            made: Buffers = []
            for start in range(0, events, batch):
                lines: Buffers = []
                for number in range(start, min(start + batch, events)):
                    lines += self._line(number % self.size, first + number, "MODIFIED")
                made += lines if batch == 1 else self._merged(lines)
            self._prepared = (first, events, batch), made
        return self._prepared[1]

    @staticmethod
    def _merged(lines: Buffers) -> Buffers:
        body = []
        for start, rest in zip(lines[::2], lines[1::2]):
            body += [start.split(b"\r\n", 1)[1], rest[:-2]]
        return [b"%x\r\n" % sum(map(len, body)), *body, b"\r\n"]


class Server:
    """One thread a connection."""

    def __init__(self, canned: Canned) -> None:
        self._canned = canned
        self._watches: list[socket.socket] = []
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._generation = 0
        self._requests = 0
        # Of the last event sent. Versions only ever grow, and the list stays at the first one.
        self._version = BASE_VERSION
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]

    def serve(self) -> None:
        """Accept for ever."""
        while True:
            sock, _ = self._listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._talk, args=(sock,), daemon=True).start()

    def _talk(self, sock: socket.socket) -> None:
        with sock:
            try:
                while request := self._request(sock):
                    self._requests += 1
                    path = request.split(" ", 2)[1]
                    self._answer(sock, path, bool(_ACCEPTS_GZIP.search(request)))
            except OSError:
                return

    @staticmethod
    def _request(sock: socket.socket) -> str:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = sock.recv(65536)
            if not piece:
                return ""
            data += piece
        return data.decode("latin-1")

    def _answer(self, sock: socket.socket, path: str, gzipped: bool) -> None:
        url = urlsplit(path)
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        if url.path == "/burst":
            self._json(sock, self._burst(query))
        elif url.path == "/stats":
            usage = resource.getrusage(resource.RUSAGE_SELF)
            self._json(sock, {"cpu": usage.ru_utime + usage.ru_stime,
                              "requests": self._requests, "watches": len(self._watches)})
        elif url.path != "/api/v1/pods":
            sock.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        elif query.get("watch", "").lower() in ("1", "true"):
            self._watch(sock, query)
        else:
            start, limit = int(query.get("continue", 0)), int(query.get("limit", 0))
            # A server answers a list at version 0 from its cache, and then knows no pages.
            limit = 0 if query.get("resourceVersion") == "0" else limit
            if gzipped:
                sock.sendall(_CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n"))
                _send(sock, self._canned.gzipped_page(start, limit))
            else:
                sock.sendall(_CHUNKED)
                _send(sock, self._canned.page(start, limit))

    @staticmethod
    def _json(sock: socket.socket, value: object) -> None:
        body = json.dumps(value).encode()
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def _watch(self, sock: socket.socket, query: dict[str, str]) -> None:
        sock.sendall(_CHUNKED)
        if query.get("sendInitialEvents", "").lower() in ("1", "true"):
            _send(sock, self._canned.initial())
        with self._lock:
            self._watches.append(sock)
        try:
            # A client of a WATCH says nothing more: this returns when it has gone.
            while sock.recv(4096):
                pass
        finally:
            with self._lock:
                self._watches.remove(sock)

    def _burst(self, query: dict[str, str]) -> dict[str, object]:
        events, batch = int(query["events"]), int(query.get("batch", 1))
        rate = float(query.get("rate", 0))
        chunks = self._canned.prepare(self._version + 1, events, batch)
        if not query.get("prepare"):
            self._version += events
            self._generation += 1
            with self._lock:
                watches = list(self._watches)
            for sock in watches:
                threading.Thread(target=self._send_burst, daemon=True,
                                 args=(sock, chunks, rate * len(chunks) / events)).start()
        return {"bytes": sum(map(len, chunks)), "version": self._version}

    def _send_burst(self, sock: socket.socket, chunks: Buffers, rate: float) -> None:
        """Send it all at once, or this many buffers a second until the next burst begins."""
        generation = self._generation
        try:
            with self._sending:
                if not rate:
                    _send(sock, chunks)
                    return
                began, sent = time.monotonic(), 0
                while sent < len(chunks) and generation == self._generation:
                    due = int((time.monotonic() - began) * rate)
                    # In small portions, so that a slow client does not hold up the next burst;
                    # an event on its own is two buffers.
                    due = min(due, sent + _PORTION) // 2 * 2
                    _send(sock, chunks[sent:due])
                    sent = due
                    # Nothing happens that could be waited for: this is the rate.
                    time.sleep(_TICK)
        except OSError:
            return


def main() -> None:
    """Serve until stdin ends, so that no server outlives the benchmark."""
    server = Server(Canned(int(sys.argv[1])))
    threading.Thread(target=server.serve, daemon=True).start()
    print(server.port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
