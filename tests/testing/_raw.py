"""A bare HTTP client that shows each chunk as it came."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from tests.support.objects import new_pod

TIMEOUT = 10.0


@dataclass
class Answer:
    """A response: its chunks, or its body as the only one."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    chunks: list[bytes] = field(default_factory=list)
    complete: bool = False

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        return found[0] if found else None

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    def json(self) -> Any:
        return json.loads(self.body)

    def events(self) -> list[tuple[str, str]]:
        """Type and name of each watch event."""
        lines = [json.loads(chunk) for chunk in self.chunks]
        return [(line["type"], line["object"]["metadata"].get("name", "")) for line in lines]


class Connection:
    """One connection, for one request after another."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.port is not None
        self.sock = socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT)
        self._stream = self.sock.makefile("rb")

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self._stream.close()
        self.sock.close()

    def send(self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None,
             body: bytes = b"") -> None:
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def head(self) -> Answer:
        _, status, reason = self._stream.readline().decode().rstrip("\r\n").split(" ", 2)
        headers = []
        while line := self._stream.readline().decode().rstrip("\r\n"):
            name, _, value = line.partition(": ")
            headers.append((name, value))
        return Answer(int(status), reason, headers)

    def chunk(self) -> bytes | None:
        """The next chunk; None at the end.

        :raises ConnectionError: the stream was cut.
        """
        size = self._stream.readline()
        if not size.endswith(b"\n"):
            raise ConnectionError("cut")
        data = self._stream.read(int(size, 16))
        self._stream.readline()
        return data or None

    def event(self) -> dict[str, Any]:
        """The next watch event."""
        chunk = self.chunk()
        assert chunk is not None, "the stream ended"
        event: dict[str, Any] = json.loads(chunk)
        return event

    def rest(self, answer: Answer) -> Answer:
        if answer.header("Transfer-Encoding") == "chunked":
            while (chunk := self.chunk()) is not None:
                answer.chunks.append(chunk)
        else:
            answer.chunks.append(self._stream.read(int(answer.header("Content-Length") or 0)))
        answer.complete = True
        return answer

    def ask(self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None,
            body: bytes = b"") -> Answer:
        self.send(path, method, headers, body)
        return self.rest(self.head())

    def at_end(self) -> bool:
        """Whether the server has closed the connection."""
        try:
            return not self._stream.read(1)
        except ConnectionError:
            return True


def ask(url: str, path: str, method: str = "GET", headers: Mapping[str, str] | None = None,
        body: Any = None) -> Answer:
    """Send one request on a connection of its own; a body goes as JSON."""
    sent = dict(headers or {})
    if body is not None:
        sent.setdefault("Content-Type", "application/json")
    with Connection(url) as connection:
        return connection.ask(path, method, sent,
                              b"" if body is None else json.dumps(body).encode())


def pod(name: str, namespace: str = "default", **labels: str) -> dict[str, Any]:
    """A small Pod."""
    return new_pod(name, namespace, **labels)


def names(objects: list[dict[str, Any]]) -> list[str]:
    """The names of objects."""
    return [obj["metadata"]["name"] for obj in objects]
