"""What failures mean for the watcher: requests that failed, and ERROR events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kube_reflect.errors import WatchError, WatcherError
from kube_reflect.wire import RequestError

__all__ = ["is_expired", "watch_error", "watcher_error"]


def is_expired(error: RequestError | WatcherError) -> bool:
    """Return whether an error says, in any form of 410, that the server has forgotten too much."""
    reason = (error.status or {}).get("reason")
    return error.code == 410 or reason in ("Expired", "Gone")


def watch_error(status: Mapping[str, Any]) -> WatchError:
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


def watcher_error(kind: type[WatcherError], what: str, cause: RequestError) -> WatcherError:
    """Make the public error of a failed request, with its cause."""
    error = kind(f"{what}: {cause}", code=cause.code, status=cause.status,
                 retry_after=cause.retry_after)
    # The exception of the client or of the network tells more than ours around it.
    error.__cause__ = cause.__cause__ or cause
    return error
