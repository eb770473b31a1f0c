"""How long to wait after a failure: exponential, with jitter, and only while failures come soon."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable

__all__ = ["Backoff", "random_part"]

#: What a server may ask for at most, in seconds: one that says ten days has its clock wrong.
_LONGEST_ASKED = 3600.0
#: A watch that ran for this long, in seconds, was served: that it broke says nothing of the server.
_SERVED = 5.0
_system = random.SystemRandom()


def random_part() -> float:
    """Return a number from 0 to 1, drawn by the system.

    So a thread of ours does not move on what a program has seeded, and forked processes differ.
    """
    return _system.random()


class Backoff:
    """An exponential backoff with jitter, one for LIST and WATCH alike.

    Failures add up while they come soon. The n-th pause in a row is drawn from a range that ends
    at ``initial * factor ** n``, and stops growing at ``maximum``. Two floors keep an unlucky run
    of draws from hammering the server: a quarter of the range while it grows, two thirds of it at
    the maximum. A try of two requests, a list and a watch, has twice the maximum, and its floor
    there too. What follows from that, with the defaults:

    - There are at most six tries in the first ten seconds, and, once backed off, three requests
      in any minute.
    - No pause is longer than the trouble has lasted so far and ``initial`` together, nor than 30
      seconds (60 where each try is a list and a watch). So trouble of five seconds is over
      within six seconds of its end, and any within a minute.
    - A watch that ran for five seconds or more and then broke, as load balancers break them, is
      resumed within ``initial``. That ends the trouble; so do ``reset_after`` seconds between a
      pause and the next failure, whatever fails. A watch that cannot be resumed, because the
      server has forgotten too much, ends it after ``reset_after`` only: the list is expensive.
    - A try that comes further than all before it in this trouble (a list is complete; a watch
      begins) starts the range over, which is twice in a trouble at most.

    A pause that the server asked for (Retry-After) is kept to when it is the longer one, up to an
    hour.

    Not thread-safe: one stream uses it.

    :param initial: the first range, in seconds.
    :param factor: growth from one failure to the next.
    :param maximum: the longest range, in seconds.
    :param reset_after: seconds without a failure after which the range starts over.
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
        rng: Callable[[], float] = random_part,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 0 < initial <= maximum < math.inf:
            raise ValueError(f"initial must be above 0 and at most maximum ({maximum}): {initial}")
        if not 1 <= factor < math.inf:
            raise ValueError(f"factor must be 1 or more: {factor}")
        if not reset_after >= 0:
            raise ValueError(f"reset_after must not be negative: {reset_after}")
        self._initial = initial
        self._factor = factor
        self._maximum = maximum
        self._reset_after = reset_after
        self._rng = rng
        self._timer = timer
        self.reset()

    def reset(self) -> None:
        """Start over, as if nothing had ever failed."""
        self._range = self._initial
        #: When the first of these failures was, and how far the best try since then has come.
        self._trouble_since: float | None = None
        self._furthest = 0
        #: When the last pause ended, or a list after it; before the first failure, unknown.
        self._began: float | None = None

    def listed(self) -> None:
        """Note that a list is complete: from now on a watch runs, or is tried for."""
        self._began = self._timer()

    def next_delay(self, retry_after: float | None = None, requests: int = 1, *,
                   furthest: int = 0, resumes: bool = False) -> float:
        """Count a failure and return how long to wait, in seconds.

        :param retry_after: what the server asked for, in seconds; of more, an hour counts.
        :param requests: how many requests the failed try took, or the next will take at once.
        :param furthest: how far the failed try came: 0 where it got nothing, 1 with a complete
            list, 2 where a watch had begun.
        :param resumes: a watch that had begun broke, and goes on from where it was.
        """
        now = self._timer()
        ran = math.inf if self._began is None else now - self._began
        healthy = _SERVED if resumes else self._reset_after
        if self._trouble_since is None or ran >= min(healthy, self._reset_after):
            self._range = self._initial
            self._trouble_since, self._furthest = now, furthest
        elif furthest > self._furthest:
            self._range = self._initial
            self._furthest = furthest
        # What draws of the whole range would have come to by now.
        longest = self._initial + (now - self._trouble_since) * (self._factor - 1)
        delay = min(self._draw(requests), longest)
        self._range = min(self._range * self._factor, 2 * self._maximum)
        if retry_after is not None:
            delay = max(delay, min(retry_after, _LONGEST_ASKED))
        self._began = now + delay
        return delay

    def _draw(self, requests: int) -> float:
        """Draw a pause from the range."""
        ceiling = self._maximum * (2 if requests > 1 else 1)
        if self._range < ceiling:
            floor = self._range / 4
        elif requests > 1:
            # Of pairs, only one in a minute: two would be four. Earlier draws have spread them.
            floor = ceiling
        else:
            floor = ceiling * 2 / 3
        return floor + (min(self._range, ceiling) - floor) * self._rng()
