"""The gate, and what those who wait at it hear."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from kube_reflect.store.readiness import Gate, checked_timeout
from kube_reflect.errors import NotReady, WatcherError, WriterDropped

DEADLINE = 10.0


def outcome_of_a_wait(gate: Gate, then: Callable[[], None]) -> BaseException | None:
    """Wait at the gate on another thread while something is done; give what was raised."""
    outcomes: list[BaseException | None] = []
    begun = threading.Event()
    settled = gate._round._settled
    wait = settled.wait

    def waiting(timeout: float | None = None) -> bool:
        begun.set()
        return wait(timeout)

    settled.wait = waiting  # type: ignore[method-assign]

    def run() -> None:
        try:
            gate.wait(DEADLINE)
            outcomes.append(None)
        except BaseException as error:
            outcomes.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(DEADLINE)
    then()
    thread.join(DEADLINE)
    assert not thread.is_alive()
    return outcomes[0]


def test_who_waited_is_told_of_the_end_though_it_begins_anew_at_once() -> None:
    gate, reason = Gate(), ValueError("why")

    def end_and_begin() -> None:
        gate.drop(reason)
        gate.reopen()

    error = outcome_of_a_wait(gate, end_and_begin)
    assert isinstance(error, WriterDropped)
    assert error.__cause__ is reason


def test_who_waited_is_let_in_though_it_is_shut_at_once() -> None:
    gate = Gate()

    def open_and_shut() -> None:
        gate.open()
        gate.close()

    assert outcome_of_a_wait(gate, open_and_shut) is None
    assert not gate.ready
    with pytest.raises(NotReady):
        gate.wait(0)


def test_what_is_expected_besides_before_it_was_open_keeps_those_who_wait() -> None:
    gate = Gate()

    def shut_and_open() -> None:
        gate.close()
        gate.open()

    assert outcome_of_a_wait(gate, shut_and_open) is None


def test_the_last_error_is_the_cause() -> None:
    gate = Gate()
    gate.last_error = WatcherError("no", code=403)
    with pytest.raises(NotReady, match="no") as caught:
        gate.wait(0)
    assert caught.value.__cause__ is gate.last_error
    gate.drop()
    with pytest.raises(WriterDropped) as dropped:
        gate.wait(None)
    assert dropped.value.__cause__ is gate.reason is not None


def test_what_is_in_the_way_is_said_unless_an_error_is() -> None:
    gate = Gate()
    gate.obstacle = "nobody came"
    with pytest.raises(NotReady, match="^not ready within 0 s: nobody came$") as caught:
        gate.wait(0)
    assert caught.value.__cause__ is None
    gate.last_error = WatcherError("no")
    with pytest.raises(NotReady, match="^not ready within 0 s: no$"):
        gate.wait(0)


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_a_timeout_that_is_none_is_refused(timeout: float) -> None:
    with pytest.raises(ValueError):
        checked_timeout(timeout)


@pytest.mark.parametrize("timeout", ["5", True])
def test_a_timeout_of_another_type_is_refused(timeout: object) -> None:
    with pytest.raises(TypeError):
        checked_timeout(timeout)  # type: ignore[arg-type]
