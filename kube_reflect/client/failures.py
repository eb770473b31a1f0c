"""What went wrong with a request, and how it is said in one line."""

from __future__ import annotations

import email.utils
import ssl
import time
from collections.abc import Mapping
from typing import Any

from urllib3.exceptions import SSLError

from kube_reflect.ground.json_parser import loads

__all__ = ["RequestError", "failure", "is_cut", "is_of_tls", "refused"]

#: How much of a text is quoted, in characters.
_QUOTED = 300


class RequestError(Exception):
    """A request failed, or its answer could not be read.

    :param code: HTTP status, or None where there was no answer.
    :param status: the Status object in the answer, if there was one.
    :param retry_after: seconds the server asked to wait.
    """

    def __init__(self, message: str, *, code: int | None = None,
                 status: Mapping[str, Any] | None = None,
                 retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.retry_after = retry_after


def failure(error: BaseException) -> RequestError:
    """Return what an exception of the client or the network means."""
    reason = getattr(error, "reason", None)
    inner = reason if isinstance(reason, BaseException) else error
    # In one line; that of a validation error says which argument only further down.
    text = " ".join(str(inner).split())[:_QUOTED] or repr(inner)
    # urllib3 puts the connection object's repr in front.
    text = text.rpartition(">: ")[2]
    return RequestError(f"{type(inner).__name__}: {text}")


def is_cut(error: BaseException) -> bool:
    """Return whether the other side has ended the connection."""
    reason = getattr(error, "reason", None) or error
    within = (error, reason, *getattr(reason, "args", ()))
    return any(isinstance(one, ConnectionError) for one in within)


def is_of_tls(error: BaseException) -> bool:
    """Return whether TLS has failed; another certificate may help, or another authority."""
    return any(isinstance(one, (SSLError, ssl.SSLError))
               for one in (error, getattr(error, "reason", None)))


def refused(code: int, headers: Mapping[str, str] | None, body: str | bytes | None,
            ) -> RequestError:
    """Return what an answer means that is no success."""
    body = body or b""
    try:
        status = loads(body)
    except ValueError:
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status":
        message = str(status.get("message") or "").strip()
    else:
        # A proxy's, or of a path that the server does not know.
        status, message = None, _first_line(body)
    return RequestError(f"HTTP {code}" + (f": {message}" if message else ""), code=code,
                        status=status,
                        retry_after=_retry_after((headers or {}).get("Retry-After")))


def _first_line(body: str | bytes) -> str:
    """Quote the first line of a text, if it is for people to read: no markup, nothing binary."""
    text = body if isinstance(body, str) else body.decode("utf-8", "replace")
    line = " ".join(text.strip().partition("\n")[0].split())
    if line.startswith("<") or not line.isprintable():
        return ""
    return line if len(line) <= _QUOTED else f"{line[:_QUOTED]}…"


def _retry_after(value: str | None) -> float | None:
    """Read a Retry-After header, seconds or a date; return seconds from now."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError):
            return None
    return max(0.0, seconds) if seconds < float("inf") else None
