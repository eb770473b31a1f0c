"""kube_reflect.ground.foreign: a failure is a function's own if it happens again."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from kube_reflect.ground.foreign import fails_again, text_of


class TimeLimit(Exception):
    """What came from elsewhere."""


def failing(*errors: Exception | None) -> Callable[[], None]:
    """Return a function that raises one after the other, the last of them again and again."""
    left = itertools.chain(errors, itertools.repeat(errors[-1]))

    def function() -> None:
        error = next(left)
        if error is not None:
            raise error

    return function


def is_own(error: Exception, function: Callable[[], None]) -> bool:
    """Return whether a failure is the function's own."""
    try:
        fails_again(error, function)
    except Exception:
        return False
    return True


def test_what_is_raised_again_is_its_own() -> None:
    assert is_own(ValueError("no JSON"), failing(ValueError("no JSON")))


@pytest.mark.parametrize("after", [[None], [ValueError("no JSON")]])
def test_what_is_not_raised_again_came_from_elsewhere(after: list[Any]) -> None:
    with pytest.raises(TimeLimit):
        fails_again(TimeLimit(), failing(*after))


def test_what_comes_while_it_is_looked_at_came_from_elsewhere() -> None:
    with pytest.raises(TimeLimit):
        fails_again(ValueError("no JSON"), failing(TimeLimit(), ValueError("no JSON")))


def test_a_recursion_error_may_say_another_place() -> None:
    assert is_own(RecursionError("decoding an object"),
                  failing(RecursionError("decoding an array")))


def test_what_says_another_thing_each_time_has_an_end() -> None:
    numbers = itertools.count()

    def function() -> None:
        raise ValueError(f"for the {next(numbers)}th time")

    assert is_own(ValueError("at first"), function) and next(numbers) < 10
    kinds = iter([type(f"Error{at}", (Exception,), {}) for at in range(20)])

    def another() -> None:
        raise next(kinds)()

    with pytest.raises(TimeLimit):
        fails_again(TimeLimit(), another)


class Unsayable(Exception):
    """Fails when it is asked what it says, in one way after the other."""

    def __init__(self, *failures: Exception | None) -> None:
        super().__init__()
        self._say = failing(*failures)

    def __str__(self) -> str:
        self._say()
        return "after all"


def test_what_cannot_be_said_is_no_failure_of_another() -> None:
    assert text_of(Unsayable(RuntimeError())) == ""
    assert text_of(Unsayable(None)) == "after all"
    assert is_own(Unsayable(RuntimeError()), failing(Unsayable(RuntimeError())))
    with pytest.raises(TimeLimit):
        text_of(Unsayable(TimeLimit(), None))
