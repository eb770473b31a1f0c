"""Exchanges that let a fault see, change or withhold what the server sends."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterable
from typing import Any, Literal, NoReturn

from kube_reflect.testing._encoding import dumps
from kube_reflect.testing._http import Disconnected, Exchange
from kube_reflect.testing._requests import Request

__all__ = ["Altered", "CloseDelimited", "Collected", "EditedLines", "Ending", "Gated", "Stopped",
           "Timed", "Truncated", "edited_list", "finish"]

#: How an answer ends: cleanly, or with the connection open and silent, closed, or reset.
Ending = Literal["end", "silence", "close", "reset"]


def finish(exchange: Exchange, then: Ending) -> NoReturn:
    """End an answer that was begun, and with it the connection.

    :raises Disconnected: always.
    """
    if then == "end":
        exchange.end()
    if then == "silence":
        while True:
            # Not an override of it, which may be what called this.
            Exchange.wait(exchange, 60.0)
    if then == "reset":
        exchange.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise Disconnected


class Altered(Exchange):
    """An exchange within an exchange; as it is here, it changes nothing.

    :param request: what the server is to answer instead of what was asked.
    """

    def __init__(self, original: Exchange, request: Request | None = None) -> None:
        super().__init__(request or original.request, original.sock, original._proceed)
        self.keep_alive = original.keep_alive
        self._original = original

    def write(self, data: bytes) -> None:
        self.started = True
        self._original.write(data)

    def play(self, answer: Callable[[Exchange], None] | None = None) -> None:
        """Answer through this exchange, as usual unless told how."""
        try:
            if answer is None:
                self.proceed()
            else:
                answer(self)
        finally:
            self._original.keep_alive = self.keep_alive
            self.dispose()


class Gated(Altered):
    """An exchange that another thread can have fall silent for good."""

    #: Set by any thread; the next write looks at it.
    frozen: Literal["", "line", "half"] = ""
    #: Whether a fault is answering; set by the exchange's own thread.
    faulty = False

    def write(self, data: bytes) -> None:
        if self.frozen and data:
            if self.frozen == "half":
                super().write(data[:len(data) // 2])
            finish(self, "silence")
        super().write(data)

    def cut(self) -> None:
        """End the connection; any thread may call."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)


class Truncated(Altered):
    """Sends so many bytes, headers and framing included, and no more."""

    def __init__(self, original: Exchange, size: int, then: Ending) -> None:
        super().__init__(original)
        self._left = size
        self._then = then

    def write(self, data: bytes) -> None:
        super().write(data[:self._left])
        if len(data) >= self._left:
            self._left = 0
            finish(self, self._then)
        self._left -= len(data)


class Stopped(Altered):
    """Sends so many lines of a WATCH, and perhaps half of another, and no more."""

    def __init__(self, original: Exchange, lines: int, half: bool, then: Ending) -> None:
        super().__init__(original)
        self._left = lines
        self._half = half
        self._then = then

    def start(self, code: int, headers: Iterable[tuple[str, str]]) -> None:
        super().start(code, headers)
        self.chunks(())

    def chunks(self, chunks: Iterable[bytes]) -> None:
        lines = list(chunks)
        super().chunks(lines[:self._left])
        over = lines[self._left:]
        self._left = max(0, self._left - len(lines))
        if self._left:
            return
        if self._half:
            if not over:
                return
            super().chunks([over[0][:len(over[0]) // 2]])
        finish(self, self._then)


class Timed(Altered):
    """Goes on for so many seconds, and then is cut wherever it is."""

    def __init__(self, original: Exchange, seconds: float, then: Ending) -> None:
        super().__init__(original)
        self._deadline = time.monotonic() + seconds
        self._then = then

    def _check(self) -> None:
        if time.monotonic() >= self._deadline:
            finish(self, self._then)

    def write(self, data: bytes) -> None:
        self._check()
        super().write(data)

    def wait(self, timeout: float) -> None:
        super().wait(min(timeout, max(0.0, self._deadline - time.monotonic())))
        self._check()


class EditedLines(Altered):
    """Passes each line of a WATCH through a function; what it makes None of is left out.

    :param first: lines that are sent before.
    """

    def __init__(self, original: Exchange, edit: Callable[[bytes], bytes | None],
                 first: Iterable[bytes] = ()) -> None:
        super().__init__(original)
        self._edit = edit
        self._first = list(first)

    def start(self, code: int, headers: Iterable[tuple[str, str]]) -> None:
        super().start(code, headers)
        super().chunks(self._first)

    def chunks(self, chunks: Iterable[bytes]) -> None:
        edited = map(self._edit, chunks)
        super().chunks([line for line in edited if line is not None])


class Collected(Altered):
    """Holds the first lines of a WATCH back until there are so many, and sends one chunk."""

    def __init__(self, original: Exchange, lines: int) -> None:
        super().__init__(original)
        self._lines = lines
        self._held: list[bytes] = []

    def chunks(self, chunks: Iterable[bytes]) -> None:
        self._held += chunks
        if len(self._held) >= self._lines:
            self._send_held()

    def end(self) -> None:
        self._send_held()
        super().end()

    def _send_held(self) -> None:
        self._lines = 0
        held, self._held = b"".join(self._held), []
        super().chunks([held])


class CloseDelimited(Altered):
    """Sends a body whose end is that of the connection."""

    def __init__(self, original: Exchange) -> None:
        super().__init__(original)
        self.keep_alive = False

    def send(self, code: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        self.write(self.head(code, headers) + b"\r\n" + body)

    def start(self, code: int, headers: Iterable[tuple[str, str]]) -> None:
        self.write(self.head(code, headers) + b"\r\n")

    def chunks(self, chunks: Iterable[bytes]) -> None:
        self.write(b"".join(chunks))

    def end(self) -> None:
        """Do nothing: the connection is closed after this exchange."""


class _Kept(Altered):
    """Keeps the answer instead of sending it."""

    def __init__(self, original: Exchange) -> None:
        super().__init__(original)
        self.code = 0
        self.headers: list[tuple[str, str]] = []
        self.body = b""

    def send(self, code: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        self.start(code, headers)
        self.body = body

    def start(self, code: int, headers: Iterable[tuple[str, str]]) -> None:
        self.started = True
        self.code, self.headers = code, list(headers)

    def chunks(self, chunks: Iterable[bytes]) -> None:
        self.body += b"".join(chunks)

    def end(self) -> None:
        """Do nothing: whoever made this sends the answer."""


def edited_list(exchange: Exchange, edit: Callable[[dict[str, Any]], dict[str, Any] | None]
                ) -> None:
    """Answer a LIST with what a function makes of the answer, or leaves of it."""
    kept = _Kept(exchange)
    kept.play()
    body, headers = kept.body, kept.headers
    if any(name == "Content-Encoding" for name, _ in headers):
        body = zlib.decompress(body, wbits=31)
        headers = [(name, value) for name, value in headers if name != "Content-Encoding"]
    if kept.code == 200:
        answer = json.loads(body)
        edited = edit(answer)
        body = dumps(answer if edited is None else edited) + b"\n"
    exchange.send(kept.code, headers, body)
