"""Whether the cache is complete, and whether it will ever be."""

from __future__ import annotations

from collections.abc import Callable

from kube_reflect.errors import NotReady, WatcherError, WriterDropped
from kube_reflect.ground.locks import Deadline, Waiters

__all__ = ["Readiness"]


class Round:
    """One time of waiting for a complete list, from its beginning to what came of it.

    Who waits keeps to the round in which they came: what is true then stays true for them.
    """

    __slots__ = ("outcome",)

    def __init__(self) -> None:
        #: None while it goes on; then True, or the error that those who wait are to raise. It is
        #: set once.
        self.outcome: bool | WriterDropped | None = None

    def __repr__(self) -> str:
        return f"<Round {'waiting' if self.outcome is None else self.outcome}>"


class Readiness:
    """Lets readers in when the cache is complete, or tells them that it will never be.

    The cache changes it under its lock, and notifies `waiters` afterwards; any thread reads it.
    """

    def __init__(self, waiters: Waiters) -> None:
        self._waiters = waiters
        self._round = Round()
        #: The last thing that went wrong, until the cache is complete.
        self.last_error: WatcherError | None = None
        #: Why nothing will come yet, where that is no error.
        self.not_ready_reason = ""

    @property
    def ready(self) -> bool:
        """Whether the cache is complete, or was when its writer ended."""
        return self._round.outcome is True

    def open(self) -> None:
        """Let all in."""
        self._round.outcome = True
        self.last_error = None

    def renew(self) -> None:
        """Let nobody in any more, until it is opened again."""
        if self._round.outcome is not None:
            self._round = Round()

    def drop(self, reason: BaseException | None) -> None:
        """End the waiting: nothing will come."""
        if self._round.outcome is None:
            error = WriterDropped("the writer ended before the store was ready"
                                  + (f": {reason}" if reason else ""))
            error.__cause__ = reason
            self._round.outcome = error

    def wait(self, deadline: Deadline, is_enough: Callable[[], bool] = lambda: False) -> None:
        """Wait until it is ready.

        :param is_enough: whether to wait no longer, though it is not.
        :raises NotReady: if that took longer; its cause is the last error.
        :raises WriterDropped: if the writer ended before; its cause is why.
        """
        round_ = self._round
        self._waiters.wait_for(lambda: round_.outcome is not None or is_enough(), deadline)
        outcome = round_.outcome
        if outcome is True or is_enough():
            return
        if isinstance(outcome, WriterDropped):
            # One of its own for each thread: a traceback grows where an exception is raised.
            raise WriterDropped(*outcome.args) from outcome.__cause__
        raise self.not_ready(f"not ready {deadline}")

    def not_ready(self, what: str) -> NotReady:
        """Return the error of one who did not get in, with what is known of the reason."""
        why = self.last_error or self.not_ready_reason
        error = NotReady(what + (f": {why}" if why else ""))
        error.__cause__ = self.last_error
        return error
