"""Reading HTTP/1.1 requests from a socket."""

from __future__ import annotations

from typing import BinaryIO

_MAX_LINE = 65536
_MAX_BODY = 32 * 1024 * 1024


class BadRequest(Exception):
    """What came is no HTTP request."""


class Headers(dict[str, str]):
    """Headers by name, whatever the case; a later one of the same name is appended."""

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        """The value, or the default."""
        return super().get(name.lower(), default)

    def add(self, name: str, value: str) -> None:
        """Add a header."""
        name = name.lower()
        self[name] = f"{self[name]}, {value}" if name in self else value


def _line(stream: BinaryIO) -> str:
    line = stream.readline(_MAX_LINE)
    if line and not line.endswith(b"\n"):
        raise BadRequest("a line is too long or cut")
    return line.decode("latin-1").rstrip("\r\n")


def read_head(stream: BinaryIO) -> tuple[str, str, str, Headers] | None:
    """Read a request line and headers: method, target, version, headers; None at the end.

    :raises BadRequest: it is not HTTP.
    """
    first = _line(stream)
    if not first:
        return None
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/"):
        raise BadRequest(f"no request line: {first[:80]!r}")
    headers = Headers()
    while line := _line(stream):
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequest(f"no header: {line[:80]!r}")
        headers.add(name, value.strip())
    return parts[0], parts[1], parts[2], headers


def read_body(stream: BinaryIO, headers: Headers) -> bytes:
    """Read the body that the headers announce.

    :raises BadRequest: it is cut, too large, or badly framed.
    """
    if "chunked" in headers.get("transfer-encoding").lower():
        return _read_chunked(stream)
    text = headers.get("content-length", "0")
    if not text.isdigit():
        raise BadRequest(f"no Content-Length: {text!r}")
    return _read_exactly(stream, int(text))


def _read_chunked(stream: BinaryIO) -> bytes:
    body = b""
    while True:
        text = _line(stream).partition(";")[0].strip()
        try:
            size = int(text, 16)
        except ValueError:
            raise BadRequest(f"no chunk size: {text[:80]!r}") from None
        if size == 0:
            while _line(stream):
                pass
            return body
        body += _read_exactly(stream, size)
        _line(stream)


def _read_exactly(stream: BinaryIO, size: int) -> bytes:
    if size > _MAX_BODY:
        raise BadRequest("the body is too large")
    body = stream.read(size)
    if len(body) < size:
        raise BadRequest("the body is cut")
    return body
