"""kube_reflect._foreign: a failure is a function's own if it happens again."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from kube_reflect._foreign import fails_again


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


@pytest.mark.parametrize("again", [
    [ValueError("no JSON")],
    [TimeLimit(), ValueError("no JSON")],
])
def test_what_is_raised_again_is_its_own(again: list[Exception]) -> None:
    if len(again) > 1:
        with pytest.raises(TimeLimit):
            fails_again(ValueError("no JSON"), failing(*again))
    else:
        fails_again(ValueError("no JSON"), failing(*again))


@pytest.mark.parametrize("after", [[None], [ValueError("no JSON")]])
def test_what_is_not_raised_again_came_from_elsewhere(after: list[Any]) -> None:
    with pytest.raises(TimeLimit):
        fails_again(TimeLimit(), failing(*after))


def test_a_recursion_error_may_say_another_place() -> None:
    fails_again(RecursionError("decoding an object"), failing(RecursionError("decoding an array")))


def test_what_says_another_thing_each_time_has_an_end() -> None:
    numbers = itertools.count()

    def function() -> None:
        raise ValueError(f"for the {next(numbers)}th time")

    fails_again(ValueError("at first"), function)
    assert next(numbers) < 10
    kinds = iter([type(f"Error{at}", (Exception,), {}) for at in range(20)])

    def another() -> None:
        raise next(kinds)()

    with pytest.raises(TimeLimit):
        fails_again(TimeLimit(), another)
