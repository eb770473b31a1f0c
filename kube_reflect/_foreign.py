"""Whether an exception is a function's own, or came from elsewhere while the function ran."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["fails_again"]


def fails_again(error: Exception, function: Callable[..., Any], *args: Any) -> None:
    """Call a function again that failed, to see whether the failure is its own.

    It may have come from outside: from a signal's handler, a time limit, an abort. Whatever does
    not happen twice is raised, and is not to be taken for a failure of the function.
    """
    seen = [error]
    while True:
        try:
            function(*args)
        except Exception as again:
            for earlier in seen:
                if type(earlier) is type(again) and str(earlier) == str(again):
                    strangers = [one for one in seen if one is not earlier]
                    if strangers:
                        raise strangers[0]
                    return
            seen.append(again)
        else:
            raise seen[0]
