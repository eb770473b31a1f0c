"""Where threads wait for the first complete state."""

from __future__ import annotations

import math
import threading

from kube_reflect.errors import NotReady, WatcherError, WriterDropped

__all__ = ["Gate", "checked_timeout"]


class _Round:
    """One time of waiting, from when the gate is shut to what comes of it."""

    def __init__(self) -> None:
        # Set last, so who wakes up sees the outcome.
        self._settled = threading.Event()
        self.opened = False
        self.dropped = False
        self.reason: BaseException | None = None

    def open(self) -> None:
        self.opened = True
        self._settled.set()

    def drop(self, reason: BaseException | None) -> None:
        if not self._settled.is_set():
            self.dropped, self.reason = True, reason
            self._settled.set()

    def wait(self, timeout: float | None) -> None:
        self._settled.wait(timeout)

    def after_fork(self) -> None:
        # Nobody waits in a child process.
        settled = self._settled.is_set()
        self._settled = threading.Event()
        if settled:
            self._settled.set()


class Gate:
    """Lets readers in when the store is complete, or tells them that it will never be.

    Who waits keeps to the round in which they came, whatever happens to the gate after that
    round is settled. The gate is moved by one thread at a time.
    """

    def __init__(self) -> None:
        self._round = _Round()
        #: What a thread that does not wait may read.
        self.ready = False
        self.dropped = False
        #: Why the writer ended, if it did and something is to blame.
        self.reason: BaseException | None = None
        self.last_error: WatcherError | None = None
        #: Why nothing will come yet, where that is no error.
        self.obstacle = ""

    def open(self) -> None:
        """Be ready."""
        self.ready = True
        self.last_error = None
        self._round.open()

    def close(self) -> None:
        """Not be ready, until opened again."""
        if self.ready:
            self._round = _Round()
            self.ready = False

    def drop(self, reason: BaseException | None = None) -> None:
        """Nothing more will come."""
        self.dropped = True
        self.reason = reason if reason is not None else self.last_error
        self._round.drop(self.reason)

    def reopen(self) -> None:
        """A writer is there again."""
        if self.dropped and not self.ready:
            self._round = _Round()
        self.dropped = False
        self.reason = None

    def wait(self, timeout: float | None) -> None:
        """Wait for readiness; raises what `Store.wait_until_ready` promises."""
        timeout = checked_timeout(timeout)
        round_ = self._round
        round_.wait(timeout)
        if round_.opened:
            return
        if round_.dropped:
            reason = round_.reason
            raise WriterDropped("the writer ended before the store was ready"
                                + (f": {reason}" if reason else "")) from reason
        error = self.last_error
        why = error or self.obstacle
        raise NotReady(f"not ready within {timeout or 0:g} s"
                       + (f": {why}" if why else "")) from error

    def after_fork(self) -> None:
        """Make the lock anew, in a child process."""
        self._round.after_fork()


def checked_timeout(timeout: float | None, name: str = "timeout") -> float | None:
    """Refuse what is no number of seconds.

    :param name: of the argument.
    :raises TypeError: for what is no number.
    :raises ValueError: for a negative number, or NaN.
    """
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f"{name} must be a number of seconds or None: {timeout!r}")
    if math.isnan(timeout) or timeout < 0:
        raise ValueError(f"{name} must be 0 or more seconds: {timeout}")
    # Beyond what the platform can wait for is for ever.
    return float(timeout) if timeout < threading.TIMEOUT_MAX else None
