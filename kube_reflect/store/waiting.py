"""Waiting for an object to meet a condition, and for the cache to be as new as a version."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn

from kube_reflect.errors import NotReady, WriterDropped
from kube_reflect.ground.locks import Deadline
from kube_reflect.ground.objects import Key, compare_versions
from kube_reflect.ground.threads import Wakeup
from kube_reflect.store.cache import Cache
from kube_reflect.store.entry import Entry
from kube_reflect.store.listener import Delta, Listener
from kube_reflect.store.table import Table

__all__ = ["wait_for", "wait_for_version"]

#: States of one object that a slow condition has still to look at; the oldest are let go.
_STATES = 1000

#: An object's key, and how it is (None: it is not there).
_State = tuple[Key, "Entry | None"]


class _States(Listener):
    """All states of one object since now, in order."""

    def __init__(self, cache: Cache, key: Key) -> None:
        self._cache = cache
        # It may be an object without a namespace, whatever the caller named.
        self._keys = (key, (None, key[1]))
        # One thread takes, by operations that are atomic; None marks the end of the writer.
        self._states: deque[_State | None] = deque(maxlen=_STATES)
        self._wakeup = Wakeup()
        self._over = False
        cache.listen(self, self._begin_locked)
        if cache.ended:
            self.ended()

    def _begin_locked(self, table: Table) -> None:
        # Within the cache's lock, so that no later state comes before it.
        there = next((one for one in self._keys if one in table.entries), self._keys[0])
        self._states.append((there, table.entries.get(there)))

    def changed(self, delta: Delta) -> bool:
        if delta.key in self._keys and not self._over:
            self._states.append((delta.key, delta.new))
            self._wakeup.set()
        return not self._over

    def ended(self) -> None:
        self._states.append(None)
        self._wakeup.set()

    def is_over(self) -> bool:
        return self._over

    def wait(self, deadline: Deadline) -> bool:
        """Wait until there is a state to take; return whether there is one."""
        while not self._states:
            if not self._wakeup.wait(deadline.left()):
                return bool(self._states)
        return True

    def take(self, newest: bool) -> _State | None:
        """Return the next state there is, or the newest; None: the writer ended."""
        state = self._states.popleft()
        while newest and state is not None and self._states:
            state = self._states.popleft() or state
        return state

    def close(self) -> None:
        # Enough for the cache, which lets go of it when something changes, or somebody listens.
        self._over = True
        if self._cache.is_free(Deadline(0)):
            self._cache.unsubscribe(self)


def wait_for(cache: Cache, key: Key, condition: Callable[[Any], object],
             timeout: float | None) -> Any:
    """Return the object once the condition holds of it; see `Store.wait_for`."""
    if not callable(condition):
        raise TypeError(f"a condition must be callable: {condition!r}")
    deadline = Deadline(timeout)
    what = f"{cache.ref(key)} to meet {_name_of(condition)}"
    _wait_until_ready(cache, what, deadline)
    _wait_until_free(cache, what, deadline)
    states = _States(cache, key)
    seen: _State = (key, None)
    try:
        while states.wait(deadline):
            is_last = deadline.left() == 0
            state = states.take(newest=is_last)
            if state is None:
                _dropped(cache, what, _describe(cache, *seen))
            seen = state
            _wait_until_free(cache, what, deadline)
            value = None if state[1] is None else cache.read(state[1])
            # An object that cannot be read does not end the waiting: its next state may be good.
            if cache.decoder.holds(condition, value):
                return value
            if is_last:
                # The time is over, even if further states keep coming.
                break
        raise TimeoutError(f"waited for {what}, and it did not {deadline}; "
                           f"last seen: {_describe(cache, *seen)}")
    finally:
        states.close()


def wait_for_version(cache: Cache, version: str, timeout: float | None) -> None:
    """Return once the cache is as new as a version; see `Store.wait_for_version`."""
    if not isinstance(version, str):
        raise TypeError(f"a resource version is a string: {version!r}")
    if not (version.isascii() and version.isdecimal()) or version[0] == "0":
        raise ValueError(f"not a resource version that can be compared: {version!r}")
    deadline = Deadline(timeout)
    what = f"resource version {version}"
    _wait_until_ready(cache, what, deadline)

    def is_as_new() -> bool:
        present = cache.counters.resource_version
        if present is None:
            return False
        order = compare_versions(present, version)
        if order is None:
            raise ValueError(f"not a resource version that can be compared: {present!r}")
        return order >= 0

    cache.waiters.wait_for(lambda: is_as_new() or cache.ended, deadline)
    if is_as_new():
        return
    present = f"version {cache.counters.resource_version}"
    if cache.ended:
        _dropped(cache, what, present)
    raise TimeoutError(f"waited for {what}, and it did not come {deadline}; last seen: {present}")


def _wait_until_ready(cache: Cache, what: str, deadline: Deadline) -> None:
    try:
        cache.readiness.wait(deadline)
    except NotReady as error:
        raise NotReady(f"waited for {what}; the store was {error}") from error.__cause__


def _wait_until_free(cache: Cache, what: str, deadline: Deadline) -> None:
    if not cache.is_free(deadline):
        raise TimeoutError(f"waited for {what}, and another thread kept the store locked")


def _dropped(cache: Cache, what: str, seen: str) -> NoReturn:
    reason = cache.reason
    raise WriterDropped(f"waited for {what}, and the writer ended; last seen: {seen}"
                        + (f" ({reason})" if reason else "")) from reason


def _describe(cache: Cache, key: Key, entry: Entry | None) -> str:
    if entry is None:
        return f"{cache.ref(key)} not there"
    return f"{cache.ref(entry)} at version {entry.resource_version}"


def _name_of(condition: Callable[[Any], object]) -> str:
    name = getattr(condition, "__name__", None)
    return name if isinstance(name, str) else str(condition)
