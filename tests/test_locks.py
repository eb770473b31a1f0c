"""kube_reflect._locks: what is renewed in a child process, and how it is let go of."""

from __future__ import annotations

import sys
from typing import Any

from kube_reflect import _locks
from kube_reflect._locks import new_lock, register


class Renewed:
    """Something that is renewed, and lets itself be referred to weakly."""


def calls_of_letting_go(held: list[Any]) -> list[str]:
    """Return the functions in Python that run when the last reference is let go of."""
    calls: list[str] = []
    sys.setprofile(lambda frame, event, arg: calls.append(frame.f_code.co_name)
                   if event == "call" else None)
    try:
        held.clear()
    finally:
        sys.setprofile(None)
    return calls


def test_no_exception_can_be_lost_while_a_lock_is_let_go_of() -> None:
    """One that arrives in a function that the garbage collector calls is swallowed by Python."""
    one = Renewed()
    register(one, lambda renewed: None, 1)
    held = [new_lock(), one]
    del one
    before = len(_locks._locks), len(_locks._registered)
    assert calls_of_letting_go(held) == []
    assert (len(_locks._locks), len(_locks._registered)) == (before[0] - 1, before[1] - 1)
