"""Readiness, and what those who wait for it hear."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kube_reflect.errors import NotReady, WatcherError, WriterDropped
from kube_reflect.ground.locks import Deadline, Waiters, checked_timeout
from kube_reflect.store.readiness import Readiness

from tests.support.cache_helpers import running
from tests.support.waiting import DEADLINE, wait_until


class Case:
    """A readiness, and who waits for it."""

    def __init__(self) -> None:
        self.waiters = Waiters()
        self.readiness = Readiness(self.waiters)

    def outcome_of_a_wait(self, then: Callable[[Readiness], None]) -> BaseException | None:
        """Wait on another thread while something is done; return what was raised."""
        outcomes: list[BaseException | None] = []

        def wait() -> None:
            try:
                self.readiness.wait(Deadline(DEADLINE))
                outcomes.append(None)
            except BaseException as error:
                outcomes.append(error)

        with running(wait):
            wait_until(lambda: self.waiters._waiting, "waiting")
            then(self.readiness)
            self.waiters.notify()
        assert not self.waiters._waiting
        return outcomes[0]


def test_who_waited_is_told_of_the_end_though_it_begins_anew_at_once() -> None:
    reason = ValueError("why")

    def end_and_begin(readiness: Readiness) -> None:
        readiness.drop(reason)
        readiness.renew()

    error = Case().outcome_of_a_wait(end_and_begin)
    assert isinstance(error, WriterDropped)
    assert error.__cause__ is reason


def test_who_waited_is_let_in_though_it_is_not_ready_any_more_at_once() -> None:
    case = Case()

    def open_and_renew(readiness: Readiness) -> None:
        readiness.open()
        readiness.renew()

    assert case.outcome_of_a_wait(open_and_renew) is None
    assert not case.readiness.ready
    with pytest.raises(NotReady):
        case.readiness.wait(Deadline(0))


def test_what_is_expected_besides_before_it_was_ready_keeps_those_who_wait() -> None:
    def renew_and_open(readiness: Readiness) -> None:
        readiness.renew()
        readiness.open()

    assert Case().outcome_of_a_wait(renew_and_open) is None


def test_the_last_error_is_the_cause() -> None:
    readiness, error = Readiness(Waiters()), WatcherError("no", code=403)
    readiness.last_error = error
    with pytest.raises(NotReady, match="^not ready within 0 s: no$") as caught:
        readiness.wait(Deadline(0))
    assert caught.value.__cause__ is error
    readiness.drop(error)
    for _ in range(2):
        with pytest.raises(WriterDropped, match="no$") as dropped:
            readiness.wait(Deadline(None))
        assert dropped.value.__cause__ is error


def test_what_is_in_the_way_is_said_unless_an_error_is() -> None:
    readiness = Readiness(Waiters())
    readiness.not_ready_reason = "nobody came"
    with pytest.raises(NotReady, match="^not ready within 0 s: nobody came$") as caught:
        readiness.wait(Deadline(0))
    assert caught.value.__cause__ is None
    readiness.last_error = WatcherError("no")
    with pytest.raises(NotReady, match="^not ready within 0 s: no$"):
        readiness.wait(Deadline(0))


def test_the_end_does_not_undo_what_is_ready() -> None:
    readiness = Readiness(Waiters())
    readiness.open()
    readiness.drop(ValueError("the end"))
    readiness.wait(Deadline(0))
    assert readiness.ready


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_a_timeout_that_is_none_is_refused(timeout: float) -> None:
    with pytest.raises(ValueError):
        checked_timeout(timeout)


@pytest.mark.parametrize("timeout", ["5", True])
def test_a_timeout_of_another_type_is_refused(timeout: object) -> None:
    with pytest.raises(TypeError):
        checked_timeout(timeout)  # type: ignore[arg-type]
