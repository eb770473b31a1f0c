"""What there is to show, moment by moment; and as one line of text."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from kube_reflect.status import Status

__all__ = ["Frame", "Rates", "error_text", "line"]

#: Seconds over which a rate is taken.
_WINDOW = 1.0


class Rates:
    """Events and reads a second, now and in the last minute.

    One thread uses it.

    :param timer: seconds on a monotonic clock.
    """

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._samples: deque[tuple[float, int, int]] = deque()
        self._noted = timer()
        #: Events a second, and reads a second, one value for each second.
        self.events: deque[float] = deque(maxlen=60)
        self.reads: deque[float] = deque(maxlen=60)

    def update(self, events: int, reads: int) -> tuple[float, float]:
        """Add the counts of this moment; return both rates over the last second."""
        now = self._timer()
        samples = self._samples
        samples.append((now, events, reads))
        while len(samples) > 2 and now - samples[1][0] >= _WINDOW:
            samples.popleft()
        then, old_events, old_reads = samples[0]
        # Until there are two samples there is no rate.
        passed = now - then or 1.0
        rates = (events - old_events) / passed, (reads - old_reads) / passed
        if now - self._noted >= _WINDOW:
            self._noted = now
            self.events.append(rates[0])
            self.reads.append(rates[1])
        return rates


@dataclass(frozen=True)
class Frame:
    """All there is to show of one moment.

    :param elapsed: seconds since the start.
    :param status: of the reflector.
    :param phase_age: seconds since its phase began.
    :param events: applied, a second.
    :param reads: by all readers, a second.
    :param server: objects and resource version of the server itself, where they can be told
        without asking it.
    :param error_age: seconds since ``status.last_error`` came; None if there is none.
    :param pods: how many, by namespace and phase.
    """

    elapsed: float
    status: Status
    phase_age: float
    events: float
    reads: float
    server: tuple[int, str] | None
    error_age: float | None
    pods: dict[str, Counter[str]]


def error_text(frame: Frame) -> str:
    """Return the last error, its kind and its age in one line; ``none`` if there was none."""
    error = frame.status.last_error
    return "none" if error is None else f"{_kind_and_age(frame, error)}: {error}"


def _kind_and_age(frame: Frame, error: BaseException) -> str:
    return f"{type(error).__name__} {frame.error_age or 0:.0f} s ago"


def line(frame: Frame) -> str:
    """Return a frame as a line of text."""
    status = frame.status
    staleness = "-" if status.staleness is None else f"{status.staleness:.2f} s"
    error = error_text(frame)
    if status.last_error is not None and status.live and (frame.error_age or 0.0) > 1.5:
        # It has been said in full.
        error = _kind_and_age(frame, status.last_error)
    return (f"{frame.elapsed:4.0f} s  {status.phase.value:<11}  {status.objects:5,} objects  "
            f"version {status.resource_version or '-'}  {frame.events:4.0f} events/s  "
            f"{frame.reads:8,.0f} reads/s  stale {staleness:<6}  last error: {error}")
