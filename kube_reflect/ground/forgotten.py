"""Weak references, and calls when an object is forgotten; no Python code runs in the forgetting.

Whoever lets go of the last reference to an object runs what was to be called then, amid anything:
a thread of the user, too. An exception that arrives there in a function written in Python (Ctrl-C,
a time limit) is printed and lost, and the function is left half done. So `weakref.WeakSet` and
`weakref.finalize` are not used: what is called here is C, through and through, and what there is to
do is done by another thread.
"""

from __future__ import annotations

import _thread
import atexit
import functools
import operator
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from kube_reflect.ground.threads import start_here

__all__ = ["WeakBag", "when_forgotten"]

T = TypeVar("T")


class WeakBag(Generic[T]):
    """Objects that are there for as long as somebody holds them; from any thread."""

    def __init__(self) -> None:
        # A dict, because its `pop` is one step, and can be the callback of the reference itself.
        self._refs: dict[weakref.ref[T], None] = {}

    def add(self, one: T) -> None:
        """Add an object, if it is not there."""
        self._refs[weakref.ref(one, self._refs.pop)] = None

    def __iter__(self) -> Iterator[T]:
        return iter([one for ref in list(self._refs) if (one := ref()) is not None])


class _Ref(weakref.ref[Any]):
    """A reference that calls its `run` when its object is forgotten."""

    __slots__ = ("run",)

    run: Callable[[], object]


_run = operator.methodcaller("run")
#: What is still to be waited for, and then done.
_waited_for: dict[object, tuple[_Ref, Callable[[], object]]] = {}
# Then no thread can be started any more, and all threads end in any case.
atexit.register(_waited_for.clear)


def when_forgotten(one: object, action: Callable[[], object]) -> Callable[[], object]:
    """Call a function, on a thread of its own, when nobody has an object any more; but not at exit.

    :param action: does not hold the object. It may wait for locks.
    :return: a function that calls it off; from any thread, any number of times.
    """
    token = object()
    ref = _Ref(one, _run)
    ref.run = functools.partial(_thread.start_new_thread, _act, (token,))
    _waited_for[token] = ref, action
    return functools.partial(_waited_for.pop, token, None)


def _act(token: object) -> None:
    _, action = _waited_for.pop(token, (None, None))
    if action is not None:
        # A thread that Python knows, for whoever asks it or the log for the current one.
        start_here(threading.Thread(target=action, name="kube-reflect:forgotten", daemon=True))
