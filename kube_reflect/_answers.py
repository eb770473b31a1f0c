"""What an answer, or the lack of one, says went wrong with a request."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping

from kubernetes.client.exceptions import ApiException

from kube_reflect._failures import RequestError
from kube_reflect._json import loads

__all__ = ["failure", "refused"]


def failure(error: BaseException, *, started: bool = False) -> RequestError:
    """Say in one line what an exception of the client or the network means."""
    if isinstance(error, ApiException) and error.status:
        body = error.body if isinstance(error.body, (str, bytes)) else b""
        return refused(error.status, error.headers, body)
    reason = getattr(error, "reason", None)
    inner = reason if isinstance(reason, BaseException) else error
    # In one line; that of a validation error says which argument only further down.
    text = " ".join(str(inner).split())[:300] or repr(inner)
    # urllib3 puts the connection object's repr in front.
    text = text.rpartition(">: ")[2]
    return RequestError(f"{type(inner).__name__}: {text}", started=started)


def refused(code: int, headers: Mapping[str, str] | None, body: str | bytes) -> RequestError:
    try:
        status = loads(body)
    except ValueError:
        status = None
    if not isinstance(status, dict) or status.get("kind") != "Status":
        status = None
    message = str((status or {}).get("message") or "").strip()
    return RequestError(f"HTTP {code}" + (f": {message}" if message else ""), code=code,
                        status=status,
                        retry_after=_retry_after((headers or {}).get("Retry-After")))


def _retry_after(value: str | None) -> float | None:
    """Read a Retry-After header, seconds or a date; gives seconds from now."""
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
