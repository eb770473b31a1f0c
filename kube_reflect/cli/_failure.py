"""What goes wrong, in one line for the user."""

from __future__ import annotations

import json
import re

from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError, MaxRetryError

__all__ = ["NETWORK_ERRORS", "CommandFailed", "in_one_line"]

#: What a request may raise: the server refused, or was not reached.
NETWORK_ERRORS = (ApiException, HTTPError, OSError)

_ADVICE = {
    401: "the credentials are not accepted",
    403: "the role lacks a verb",
}


class CommandFailed(Exception):
    """The command cannot go on; the message is for the user."""


def in_one_line(error: BaseException) -> str:
    """Return what an error is, in one line."""
    if isinstance(error, ApiException):
        return _refusal(error)
    if isinstance(error, MaxRetryError) and error.reason is not None:
        error = error.reason
    text = " ".join(f"{error}".split())
    # urllib3 begins with the connection that it had no luck with.
    return re.sub(r"^<?\w*Connection\w*(\(.*?\)| object at \w+>?): ", "", text) \
        or type(error).__name__


def _refusal(error: ApiException) -> str:
    try:
        told = json.loads(error.body or "")["message"]
    except (KeyError, TypeError, ValueError):
        told = error.reason or _ADVICE.get(error.status, "")
    return " ".join(f"HTTP {error.status}: {told}".split())
