"""What is known of an API server from how it has answered."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["ServerRecord"]

#: Below this age, in seconds, a cut is no habit of something in between.
_YOUNG = 10.0
#: Cuts in a row at about the same age that are a habit; how much their ages may differ; what part
#: of that age to ask for then; and for how long, in seconds.
_CUTS = 3
_SPREAD = 0.1
_SHARE = 0.9
_REMEMBERED = 1800.0


class ServerRecord:
    """When the server was last heard of, and what it or something in between is used to do.

    Written by the thread that asks; `contact` may be read by any.

    :param timer: seconds on a monotonic clock.
    """

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        #: The time as of which the server's answers are known: of a complete list, when it began;
        #: of an event or a bookmark, when it came; and the clean end of a watch. None before.
        self.contact: float | None = None
        #: When the first list began of which anything has come. No contact, for what was shown so
        #: far is not all; but there is somebody who answers.
        self.first_list: float | None = None
        #: Whether this server sends bookmarks while a watch is quiet.
        self.sends_bookmarks = False
        self._ages: list[float] = []
        self._longest = 0.0
        self._until = 0.0

    def list_shows(self, began: float) -> None:
        """Note that something of a list has come, but not all."""
        if self.first_list is None:
            self.first_list = began

    def watch_cut(self, age: float) -> None:
        """Note that a watch was cut, this long after its headers."""
        self._ages = [*self._ages[1 - _CUTS:], age]
        youngest = min(self._ages)
        if (len(self._ages) == _CUTS and youngest >= _YOUNG
                and max(self._ages) <= youngest * (1 + _SPREAD)):
            self._longest = youngest * _SHARE
            self._until = self._timer() + _REMEMBERED
            self._ages.clear()

    def watch_ended(self) -> None:
        """Note that the server ended a watch as it was asked to."""
        self._ages.clear()

    def limited(self, seconds: float) -> float:
        """Return how long a watch is to be, where it would else be this long.

        Cut by a load balancer at a regular age, watches are asked to end before that: the server
        then sends a bookmark at last, and there is nothing to recover from.
        """
        return min(seconds, self._longest) if self._timer() < self._until else seconds
