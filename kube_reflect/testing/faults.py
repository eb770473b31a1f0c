"""What can go wrong between a program and the API server, for `FaultServer` to play.

Each fault answers one request in place of the server; many do so with what the server would have
answered, changed in one way. A fault of your own is any function that takes the
`kube_reflect.testing.Exchange` and answers with its methods.

Where a fault has a ``then``, it says what becomes of the answer afterwards: ``"silence"`` leaves
the connection open and says nothing more, ``"close"`` closes it, ``"reset"`` resets it, and
``"end"`` ends the body as it should.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from kube_reflect.testing._altered import (
    Altered, CloseDelimited, Collected, EditedLines, Ending, Stopped, Timed, Truncated,
    edited_list, finish,
)
from kube_reflect.testing._encoding import dumps
from kube_reflect.testing._http import Disconnected, Exchange
from kube_reflect.testing._negotiation import headers_of, json_headers
from kube_reflect.testing._requests import Request
from kube_reflect.testing._status import ApiStatusError

__all__ = [
    "BLANK", "Behind", "BodyUntilClose", "ConnectionClose", "CutAfter", "Delay", "EditLines",
    "EditList", "EndAtOnce", "Ending", "ErrorEvent", "Fault", "HalfLine", "HangUp", "HeadersOnly",
    "Html", "INVALID_UTF8", "Lines", "NO_OBJECT", "NULL", "NoEndBookmark", "OneChunk", "Reset",
    "Silent", "Status", "Stop", "TRUNCATED", "Truncate", "UNKNOWN_TYPE", "duplicate_items",
    "nameless_item", "next_page", "null_items", "plain_watch", "streaming_list",
    "without_resource_version",
]

Fault = Callable[[Exchange], None]

#: Lines of a WATCH that are none, for `Lines`.
BLANK = b"\n"
NULL = b"null\n"
TRUNCATED = b'{"type":"MODIFIED","object":{"kind":"Pod","apiVersion":"v1","meta\n'
INVALID_UTF8 = b'{"type":"MODIFIED","object":{"kind":"\xff\xfe","apiVersion":"v1"}\n'
UNKNOWN_TYPE = b'{"type":"SURPRISE","object":{"kind":"Pod","apiVersion":"v1","metadata":{}}}\n'
NO_OBJECT = b'{"type":"ADDED"}\n'

_LIST_END = b"k8s.io/initial-events-end"
_REASONS = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound",
            408: "Timeout", 409: "Conflict", 410: "Expired", 422: "Invalid",
            429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable",
            504: "Timeout"}


def streaming_list(request: Request) -> bool:
    """Whether a request is for a streaming list, for ``when``."""
    return request.verb == "watch" and request.flag("sendInitialEvents")


def plain_watch(request: Request) -> bool:
    """Whether a request is for a WATCH that is no streaming list, for ``when``."""
    return request.verb == "watch" and not request.flag("sendInitialEvents")


def next_page(request: Request) -> bool:
    """Whether a request is for a page of a LIST after the first, for ``when``."""
    return request.verb == "list" and bool(request.query.get("continue"))


@dataclass(frozen=True)
class Silent:
    """Read the request and send nothing."""

    def __call__(self, exchange: Exchange) -> None:
        finish(exchange, "silence")


@dataclass(frozen=True)
class HeadersOnly:
    """Send good headers, and then nothing, or whatever ``then`` says."""

    then: Ending = "silence"

    def __call__(self, exchange: Exchange) -> None:
        exchange.start(200, json_headers())
        finish(exchange, self.then)


@dataclass(frozen=True)
class EndAtOnce:
    """Send good headers and an empty body that ends as it should."""

    def __call__(self, exchange: Exchange) -> None:
        exchange.start(200, json_headers())
        exchange.end()


@dataclass(frozen=True)
class HalfLine:
    """Send half of a line of a WATCH (or of a LIST), and then nothing, or as ``then`` says."""

    then: Ending = "silence"

    def __call__(self, exchange: Exchange) -> None:
        exchange.start(200, json_headers())
        half = b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1'
        if exchange.request.verb == "watch":
            half = TRUNCATED[:-1]
        exchange.chunks([half])
        finish(exchange, self.then)


@dataclass(frozen=True)
class HangUp:
    """Close the connection without an answer."""

    def __call__(self, exchange: Exchange) -> None:
        raise Disconnected


@dataclass(frozen=True)
class Reset:
    """Reset the connection without an answer."""

    def __call__(self, exchange: Exchange) -> None:
        finish(exchange, "reset")


@dataclass(frozen=True)
class Delay:
    """Let the client wait, and then answer as usual, or as another fault does."""

    seconds: float
    then: Fault | None = None

    def __call__(self, exchange: Exchange) -> None:
        exchange.wait(self.seconds)
        if self.then is None:
            exchange.proceed()
        else:
            self.then(exchange)


@dataclass(frozen=True)
class Status:
    """Refuse with a Status object.

    :param code: the HTTP status.
    :param retry_after: the Retry-After header: seconds, or a date; None leaves it out.
    :param reason: the Status's reason; by default what goes with the code.
    :param message: the Status's message.
    """

    code: int
    retry_after: float | datetime | None = None
    reason: str | None = None
    message: str = "a fault that was asked for"

    def __call__(self, exchange: Exchange) -> None:
        headers: tuple[tuple[str, str], ...] = ()
        details = None
        if isinstance(self.retry_after, datetime):
            headers = (("Retry-After", format_datetime(self.retry_after, usegmt=True)),)
        elif self.retry_after is not None:
            headers = (("Retry-After", f"{self.retry_after:g}"),)
            details = {"retryAfterSeconds": int(self.retry_after)}
        error = ApiStatusError(self.code, _reason(self.code, self.reason), self.message,
                               details=details)
        exchange.send(self.code, [*json_headers(), *headers], error.body())


@dataclass(frozen=True)
class Html:
    """Refuse with a page of HTML, as a proxy does."""

    code: int = 502

    def __call__(self, exchange: Exchange) -> None:
        body = b"<html>\n<head><title>Bad Gateway</title></head>\n<body>\n</body>\n</html>\n"
        exchange.send(self.code, headers_of("text/html", ()), body)


@dataclass(frozen=True)
class ErrorEvent:
    """Begin a WATCH, and send an ERROR event, then end as ``then`` says.

    :param code: the Status's code, or None to leave it out.
    :param reason: its reason; by default what goes with the code; ``""`` to leave it out.
    """

    code: int | None = 410
    reason: str | None = None
    message: str = "a fault that was asked for"
    then: Ending = "end"

    def __call__(self, exchange: Exchange) -> None:
        status = ApiStatusError(self.code or 0, _reason(self.code, self.reason),
                                self.message).status
        if self.code is None:
            del status["code"]
        exchange.start(200, json_headers())
        exchange.chunks([b'{"type":"ERROR","object":' + dumps(status) + b"}\n"])
        finish(exchange, self.then)


@dataclass(frozen=True, init=False)
class Lines:
    """Begin a WATCH with lines of your own, and go on as usual, or as ``then`` says.

    :param lines: each with its newline, if it is to have one.
    """

    lines: tuple[bytes, ...]
    then: Ending | None = None

    def __init__(self, *lines: bytes, then: Ending | None = None) -> None:
        object.__setattr__(self, "lines", lines)
        object.__setattr__(self, "then", then)

    def __call__(self, exchange: Exchange) -> None:
        if self.then is None:
            EditedLines(exchange, lambda line: line, self.lines).play()
            return
        exchange.start(200, json_headers())
        exchange.chunks(self.lines)
        finish(exchange, self.then)


@dataclass(frozen=True)
class EditLines:
    """Answer a WATCH as usual, but each line as a function returns it; None leaves it out."""

    edit: Callable[[bytes], bytes | None]

    def __call__(self, exchange: Exchange) -> None:
        EditedLines(exchange, self.edit).play()


@dataclass(frozen=True)
class NoEndBookmark:
    """Answer a streaming list as usual, but never send the bookmark that ends it."""

    def __call__(self, exchange: Exchange) -> None:
        EditedLines(exchange, lambda line: None if _LIST_END in line else line).play()


@dataclass(frozen=True)
class OneChunk:
    """Answer a WATCH as usual, but hold the first lines back until so many can go in one chunk."""

    lines: int = 10_000

    def __call__(self, exchange: Exchange) -> None:
        Collected(exchange, self.lines).play()


@dataclass(frozen=True)
class Stop:
    """Answer a WATCH as usual up to some line, then as ``then`` says.

    :param lines: how many lines are sent; bookmarks count.
    :param half: send half of the line after these too, when there is one.
    """

    lines: int = 0
    half: bool = False
    then: Ending = "silence"

    def __call__(self, exchange: Exchange) -> None:
        Stopped(exchange, self.lines, self.half, self.then).play()


@dataclass(frozen=True)
class Truncate:
    """Answer as usual up to some byte, headers and framing included, then as ``then`` says."""

    size: int
    then: Ending = "close"

    def __call__(self, exchange: Exchange) -> None:
        Truncated(exchange, self.size, self.then).play()


@dataclass(frozen=True)
class CutAfter:
    """Answer as usual for so many seconds, then cut the connection, as a proxy does."""

    seconds: float
    then: Ending = "close"

    def __call__(self, exchange: Exchange) -> None:
        Timed(exchange, self.seconds, self.then).play()


@dataclass(frozen=True)
class ConnectionClose:
    """Answer as usual, and close the connection afterwards, as announced by a header."""

    def __call__(self, exchange: Exchange) -> None:
        exchange.keep_alive = False
        exchange.proceed()


@dataclass(frozen=True)
class BodyUntilClose:
    """Answer as usual, with neither length nor chunks: the body ends with the connection."""

    def __call__(self, exchange: Exchange) -> None:
        CloseDelimited(exchange).play()


@dataclass(frozen=True)
class Behind:
    """Answer as a replica that is behind: as of an older version.

    A LIST has the objects of then; a WATCH begins with what came after it, though the client
    has seen that.

    :param version: not older than the server's history.
    """

    version: str

    def __call__(self, exchange: Exchange) -> None:
        request = exchange.request
        query = {**request.query, "resourceVersion": self.version}
        if request.verb == "list":
            query["resourceVersionMatch"] = "Exact"
        Altered(exchange, dataclasses.replace(request, query=query)).play()


@dataclass(frozen=True)
class EditList:
    """Answer a LIST with what a function makes of it.

    :param edit: given the list as a mapping; returns another, or None after changing it.
    """

    edit: Callable[[dict[str, Any]], dict[str, Any] | None]

    def __call__(self, exchange: Exchange) -> None:
        edited_list(exchange, self.edit)


def without_resource_version(answer: dict[str, Any]) -> None:
    """Leave out a list's resource version, for `EditList`."""
    answer["metadata"].pop("resourceVersion", None)


def null_items(answer: dict[str, Any]) -> None:
    """Set the items of a list to ``null``, for `EditList`."""
    answer["items"] = None


def duplicate_items(answer: dict[str, Any]) -> None:
    """Repeat each item of a list, for `EditList`."""
    answer["items"] = answer["items"] * 2


def nameless_item(answer: dict[str, Any]) -> None:
    """Remove the name of a list's first item, for `EditList`."""
    items = json.loads(json.dumps(answer["items"]))
    items[0]["metadata"].pop("name")
    answer["items"] = items


def _reason(code: int | None, reason: str | None) -> str:
    return _REASONS.get(code or 0, "") if reason is None else reason
