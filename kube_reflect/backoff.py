"""How long to wait after a failure: exponential, with full jitter."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

__all__ = ["Backoff"]

#: What a server may ask for at most, in seconds: one that says ten days has its clock wrong.
_LONGEST_ASKED = 3600.0


class Backoff:
    """An exponential backoff with full jitter, one for LIST and WATCH alike.

    The n-th delay in a row is drawn from a range that ends at ``initial * factor ** n``, and stops
    growing at ``maximum``. Two floors keep an unlucky run of draws from hammering the server: a
    quarter of the range while it grows, two thirds of it at the maximum. A try that takes two
    requests, a list and a watch, waits twice as long. So there are at most
    six tries in the first ten seconds, and three requests a minute once backed off. A delay that
    the server asked for (Retry-After) is kept to when it is the longer one, up to an hour.

    The range starts over after ``reset_after`` seconds of health: time between the end of a
    delay and the next failure. A single success is not health; a server that accepts and then
    fails at once is failing.

    Not thread-safe: one stream uses it.

    :param initial: the first range, in seconds.
    :param factor: growth from one failure to the next.
    :param maximum: the longest range, in seconds.
    :param reset_after: seconds of health after which the range starts over.
    :param rng: a draw from [0, 1).
    :param timer: seconds on a monotonic clock.
    :raises ValueError: for a range that is empty, shrinks, or has no end.
    """

    def __init__(
        self,
        initial: float = 0.8,
        factor: float = 2.0,
        maximum: float = 30.0,
        reset_after: float = 120.0,
        *,
        rng: Callable[[], float] = random.random,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 0 < initial <= maximum < float("inf"):
            raise ValueError(f"initial must be above 0 and at most maximum ({maximum}): {initial}")
        if not 1 <= factor < float("inf"):
            raise ValueError(f"factor must be 1 or more: {factor}")
        if not reset_after >= 0:
            raise ValueError(f"reset_after must not be negative: {reset_after}")
        self._initial = initial
        self._factor = factor
        self._maximum = maximum
        self._reset_after = reset_after
        self._rng = rng
        self._timer = timer
        self._range = initial
        self._healthy_since: float | None = None

    def next_delay(self, retry_after: float | None = None, requests: int = 1) -> float:
        """Count a failure and say how long to wait, in seconds.

        :param retry_after: what the server asked for, in seconds; of more, an hour counts.
        :param requests: how many requests the failed attempt took, or the next will take at
            once; each has its own delay, so that two do not double the load.
        """
        now = self._timer()
        if self._healthy_since is not None and now - self._healthy_since >= self._reset_after:
            self._range = self._initial
        at_maximum = self._range >= self._maximum
        floor = self._range * (2 / 3 if at_maximum else 1 / 4)
        draw = (self._range - floor) * self._rng()
        if at_maximum:
            # Of pairs, only one in a minute: two would be four.
            delay = floor * (3 if requests > 1 else 1) + draw
        else:
            delay = (floor + draw) * max(1, requests)
        self._range = min(self._range * self._factor, self._maximum)
        if retry_after is not None:
            delay = max(delay, min(retry_after, _LONGEST_ASKED))
        self._healthy_since = now + delay
        return delay

    def reset(self) -> None:
        """Start over, as if nothing had ever failed."""
        self._range = self._initial
        self._healthy_since = None
