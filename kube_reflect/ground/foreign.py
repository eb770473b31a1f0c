"""Whether an exception is a function's own, or came from elsewhere while the function ran."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["fails_again", "text_of"]


#: Failures of a function that says another thing each time, until its class alone tells; and at
#: most so many.
_BY_CLASS, _MOST = 4, 8


def fails_again(error: Exception, function: Callable[..., Any], *args: Any) -> None:
    """Call a function again that failed, to see whether the failure is its own.

    It may have come from outside: from a signal's handler, a time limit, an abort. Whatever does
    not happen twice is raised, and is not to be taken for a failure of the function.
    """
    seen = [error]
    while len(seen) < _MOST:
        try:
            function(*args)
        except Exception as again:
            by_class = len(seen) >= _BY_CLASS
            own: list[Exception] = []
            strangers: list[Exception] = []
            for one in seen:
                (own if _is_alike(one, again, by_class) else strangers).append(one)
            if own and strangers:
                raise strangers[0]
            if own:
                return
            seen.append(again)
        else:
            break
    raise seen[0]


def _is_alike(one: Exception, other: Exception, by_class: bool) -> bool:
    # A RecursionError says where it was, which depends on how deep the call is.
    return type(one) is type(other) and (
        by_class or isinstance(other, RecursionError) or text_of(one) == text_of(other))


def text_of(error: BaseException) -> str:
    """Return what an exception says; nothing, if saying it fails each time."""
    try:
        return str(error)
    except Exception as failure:
        try:
            str(error)
        except Exception as again:
            if type(again) is type(failure):
                return ""
            raise
        # What does not happen twice came from elsewhere.
        raise
