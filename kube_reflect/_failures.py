"""What went wrong with a request, in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kube_reflect.errors import WatchError, WatcherError

__all__ = ["RequestError", "error_event", "is_expired", "told"]


class RequestError(Exception):
    """A request failed, or its answer could not be read.

    :param code: HTTP status, or None where there was no answer.
    :param status: the Status object in the answer, if there was one.
    :param retry_after: seconds the server asked to wait.
    :param started: whether the stream had begun before it failed.
    """

    def __init__(self, message: str, *, code: int | None = None,
                 status: Mapping[str, Any] | None = None, retry_after: float | None = None,
                 started: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.retry_after = retry_after
        self.started = started


def is_expired(error: RequestError | WatcherError) -> bool:
    """Whether it says, in any form of 410, that the server has forgotten too much."""
    reason = (error.status or {}).get("reason")
    return error.code == 410 or reason in ("Expired", "Gone")


def error_event(status: Mapping[str, Any]) -> WatchError:
    """Make the public error of an ERROR event."""
    code = status.get("code")
    details = status.get("details")
    seconds = details.get("retryAfterSeconds") if isinstance(details, dict) else None
    return WatchError(
        f"the server sent an error: {status.get('message') or status.get('reason') or status}",
        code=code if isinstance(code, int) else None, status=status,
        retry_after=_seconds(seconds))


def _seconds(value: Any) -> float | None:
    # Within what can be waited for; JSON knows numbers of any length.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e9:
        return None
    return float(value)


def told(kind: type[WatcherError], what: str, cause: RequestError) -> WatcherError:
    """Make the public error of a failed request, with its cause."""
    error = kind(f"{what}: {cause}", code=cause.code, status=cause.status,
                 retry_after=cause.retry_after)
    # The exception of the client or of the network tells more than ours around it.
    error.__cause__ = cause.__cause__ or cause
    return error
