"""Calls of users' functions: whose fault an exception is, and what is said of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from kube_reflect.ground.describe import reason_of
from kube_reflect.ground.foreign import fails_again
from kube_reflect.ground.locks import new_lock

__all__ = ["BadObjects", "FunctionFailed", "attempt"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: How many objects the log names for one cause.
_NAMED = 20
#: How many causes, and objects, are remembered; when there are more, all are forgotten.
_REMEMBERED = 10_000


class FunctionFailed(Exception):
    """A function of the user raises whenever it is given this object; `__cause__` is the error."""


def attempt(function: Callable[[Any], T], argument: Callable[[], Any]) -> T:
    """Call a function of the user, and again if it raises.

    What it raises again is its own fault. What it raises once came from elsewhere: a time limit,
    or a signal handler, that interrupted it. That is not ours to swallow, whatever its class.

    :param argument: makes what the function is given, anew for each call.
    :raises FunctionFailed: if the failure is its own.
    """
    try:
        return function(argument())
    except Exception as error:
        fails_again(error, lambda: function(argument()))
        raise FunctionFailed(reason_of(error)) from error


class BadObjects:
    """Counts objects that something is wrong with, and logs each of them once for each cause."""

    def __init__(self) -> None:
        self.lock = new_lock()
        #: How often something was wrong; from any thread.
        self.count = 0
        self._seen: set[tuple[str, str]] = set()
        self._counts: dict[str, int] = {}

    def record(self, ref: str, why: str, consequence: str, cause: str | None = None) -> None:
        """Count an object, and log it if that is news; from any thread, without a lock.

        :param why: what is wrong.
        :param consequence: what becomes of the object.
        :param cause: what is wrong, said alike for all objects that have the same.
        """
        cause = why if cause is None else cause
        with self.lock:
            self.count += 1
            if len(self._seen) >= _REMEMBERED or len(self._counts) >= _REMEMBERED:
                self._seen.clear()
                self._counts.clear()
            times = self._counts[cause] = self._counts.get(cause, 0) + 1
            is_news = (ref, cause) not in self._seen
            self._seen.add((ref, cause))
        if is_news and times <= _NAMED:
            logger.warning("%s: %s; it is %s", ref, why, consequence)
        elif _is_power_of_ten(times):
            logger.warning("%s: %s; it is %s (%d times by now, of all objects)", ref, why,
                           consequence, times)


def _is_power_of_ten(number: int) -> bool:
    return number >= 10 and str(number).strip("0") == "1"
