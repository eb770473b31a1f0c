"""Waiting for an object to meet a condition, and for the cache to be as new as a version."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, NoReturn

from kube_reflect import _locks
from kube_reflect.store.core import Core
from kube_reflect.store.readiness import checked_timeout
from kube_reflect.store.entries import Key, head_of
from kube_reflect.errors import NotReady, WriterDropped

__all__ = ["wait_for", "wait_for_version"]

#: States of one object that a slow condition has still to look at; the oldest are let go.
_STATES = 1000


class _Deadline:
    def __init__(self, timeout: float | None) -> None:
        self.timeout = timeout
        self._end = None if timeout is None else time.monotonic() + timeout

    def left(self) -> float | None:
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def __str__(self) -> str:
        return f"within {self.timeout:g} s"


class _States:
    """A Listener for one object: all its states since now, in order."""

    def __init__(self, core: Core, key: Key) -> None:
        self._core = core
        # It may be an object without a namespace, whatever the caller named.
        self._keys = (key, (None, key[1]))
        # Reentrant: a writer may be forgotten, and say so, in the middle of anything.
        self._condition = threading.Condition(threading.RLock())
        self._states: deque[tuple[Key, bytes | None]] = deque(maxlen=_STATES)
        self._ended = False
        self._over = False
        _locks.register(self)
        with core.lock.gen_wlock():
            packed = core.table.packed
            there = next((one for one in self._keys if one in packed), key)
            self._states.append((there, packed.get(there)))
            core.listeners = (*core.listeners, self)
            self._ended = core.ended

    fork_rank = 1

    def after_fork(self) -> None:
        """Be over, in a child process: the thread that waits is the parent's."""
        self._condition = threading.Condition(threading.RLock())
        self._over = True

    def changed(self, key: Key, old: bytes | None, new: bytes | None, inferred: bool) -> bool:
        if key in self._keys and not self._over:
            with self._condition:
                self._states.append((key, new))
                self._condition.notify()
        return not self._over

    def unblock(self, unblocked: bool = True) -> None:
        """It never keeps the writer waiting."""

    def ended(self) -> None:
        with self._condition:
            self._ended = True
            self._condition.notify()

    def is_over(self) -> bool:
        return self._over

    def next(self, timeout: float | None) -> tuple[Key, bytes | None] | None:
        """Take the next state, or the newest when there is no time left; None: there is none.

        :raises EOFError: if there will be none any more.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._states or self._ended, timeout)
            while timeout == 0 and len(self._states) > 1:
                self._states.popleft()
            if self._states:
                return self._states.popleft()
            if self._ended:
                raise EOFError
            return None

    def close(self) -> None:
        self._over = True
        core = self._core
        with core.lock.gen_wlock():
            core.listeners = tuple(one for one in core.listeners if one is not self)


def wait_for(core: Core, key: Key, condition: Callable[[Any], object],
             timeout: float | None) -> Any:
    """Give the object once the condition holds of it; see `Store.wait_for`."""
    if not callable(condition):
        raise TypeError(f"a condition must be callable: {condition!r}")
    deadline = _Deadline(checked_timeout(timeout))
    what = f"{core.ref(key)} to meet {_name_of(condition)}"
    _wait_until_ready(core, what, deadline)
    states = _States(core, key)
    seen: tuple[Key, bytes | None] = (key, None)
    try:
        while True:
            try:
                left = deadline.left()
                state = states.next(left)
            except EOFError:
                _dropped(core, what, _describe(core, *seen))
            if state is not None:
                seen = there, packed = state
                value = None if packed is None else core.share(there, packed)
                if condition(value):
                    return value
            if left == 0 or state is None:
                raise TimeoutError(f"waited for {what}, and it did not {deadline}; "
                                   f"last seen: {_describe(core, *seen)}")
    finally:
        states.close()


def wait_for_version(core: Core, version: str, timeout: float | None) -> None:
    """Return once the cache is as new as a version; see `Store.wait_for_version`."""
    wanted = _comparable(version)
    deadline = _Deadline(checked_timeout(timeout))
    what = f"resource version {version}"
    _wait_until_ready(core, what, deadline)
    # A queue, not an event: its put is safe in the middle of anything.
    wake: SimpleQueue[None] = SimpleQueue()

    def waiter() -> None:
        wake.put(None)

    with core.lock.gen_wlock():
        core.waiters = (*core.waiters, waiter)
    try:
        while True:
            present = core.resource_version
            if present is not None and _comparable(present) >= wanted:
                return
            if core.ended:
                _dropped(core, what, f"version {present}")
            try:
                wake.get(timeout=deadline.left())
            except Empty:
                raise TimeoutError(f"waited for {what}, and it did not come {deadline}; "
                                   f"last seen: version {present}") from None
    finally:
        with core.lock.gen_wlock():
            core.waiters = tuple(one for one in core.waiters if one is not waiter)


def _wait_until_ready(core: Core, what: str, deadline: _Deadline) -> None:
    try:
        core.gate.wait(deadline.timeout)
    except NotReady as error:
        raise NotReady(f"waited for {what}; the store was {error}") from error.__cause__


def _dropped(core: Core, what: str, seen: str) -> NoReturn:
    reason = core.gate.reason
    raise WriterDropped(f"waited for {what}, and the writer ended; last seen: {seen}"
                        + (f" ({reason})" if reason else "")) from reason


def _describe(core: Core, key: Key, packed: bytes | None) -> str:
    if packed is None:
        return f"{core.ref(key)} not there"
    head = head_of(packed)
    return f"{core.ref(key, head)} at version {head.resource_version}"


def _name_of(condition: Callable[[Any], object]) -> str:
    name = getattr(condition, "__name__", None)
    return name if isinstance(name, str) else str(condition)


def _comparable(version: str) -> tuple[int, str]:
    """Make a version comparable: of two decimal numbers, the longer one is the greater.

    :raises ValueError: for what is no such number.
    """
    if not isinstance(version, str):
        raise TypeError(f"a resource version is a string: {version!r}")
    if not (version.isascii() and version.isdecimal()) or version[0] == "0":
        raise ValueError(f"not a resource version that can be compared: {version!r}")
    return len(version), version
