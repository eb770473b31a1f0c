"""Finds readers who change what all readers share; for debugging."""

from __future__ import annotations

import logging
import threading
import weakref
from typing import TYPE_CHECKING, Any

from kube_reflect.store.entries import Key, head_of
from kube_reflect.store.outline import differences, outline

if TYPE_CHECKING:
    from kube_reflect.store.core import Core

__all__ = ["Guard"]

logger = logging.getLogger("kube_reflect")

#: Paths that the log names at most.
_NAMED = 5


class _Shared:
    """One state of an object, as readers have it."""

    __slots__ = ("outline", "packed", "told", "value")

    def __init__(self, packed: bytes, value: Any, told: bool) -> None:
        self.packed = packed
        self.value = value
        self.outline = outline(value)
        #: Whether the log has been told that somebody changed it.
        self.told = told


class Guard:
    """Holds what readers share, in place of the table, and looks whether it is as it was made.

    It looks when an object is read again, when it changes or goes on the server, and when the
    writer ends. Each look costs about as much as to decode the object. It is a Listener of the
    core, for which it stands; its lock is held for a look at a dict only.
    """

    def __init__(self, core: Core) -> None:
        self._core = weakref.ref(core)
        # Reentrant: a writer may be forgotten, and say so, in the middle of anything.
        self._lock = threading.RLock()
        self._shared: dict[Key, _Shared] = {}

    def __len__(self) -> int:
        return len(self._shared)

    def read(self, key: Key, packed: bytes) -> Any:
        """Give the object, the same to all readers for as long as it is as it was made."""
        core = self._core()
        assert core is not None
        known = self._shared.get(key)
        whole = known is not None and self._look_at(core, key, known)
        told = False
        if known is not None and known.packed is packed:
            if whole:
                return known.value
            told = known.told
        value = core.decode(key, packed)
        if core.table.packed.get(key) is not packed:
            # An old state, of a snapshot or a change: whoever reads it gets one of his own.
            return value
        made = _Shared(packed, value, told)
        with self._lock:
            present = self._shared.get(key)
            if present is None or present is known or present.packed is not packed:
                self._shared[key] = made
                return value
            # Another reader was quicker.
            return present.value

    def _look_at(self, core: Core, key: Key, known: _Shared) -> bool:
        """Tell whether an object is as it was made, and if not, the log, once a version."""
        try:
            now = outline(known.value)
            if now == known.outline:
                return True
            paths = differences(known.outline, now)
        except RuntimeError:
            # Somebody is about to.
            paths = [""]
        with self._lock:
            told, known.told = known.told, True
        if not told:
            head = head_of(known.packed)
            where = ", ".join(paths[:_NAMED]) + (", …" if len(paths) > _NAMED else "")
            logger.error(
                "%s: somebody changed this object, which all its readers share, at %s (version "
                "%s); whoever reads it from now on gets it as it was",
                core.ref(key), where or "its top", head.resource_version)
        return False

    # As a Listener.

    def changed(self, key: Key, old: bytes | None, new: bytes | None, inferred: bool) -> bool:
        with self._lock:
            known = self._shared.get(key)
            if known is None or known.packed is new:
                return True
            del self._shared[key]
        core = self._core()
        if core is not None:
            self._look_at(core, key, known)
        return True

    def unblock(self, unblocked: bool = True) -> None:
        """It never keeps the writer waiting."""

    def ended(self) -> None:
        core = self._core()
        if core is not None:
            for key, known in list(self._shared.items()):
                self._look_at(core, key, known)

    def is_over(self) -> bool:
        return False

    def after_fork(self) -> None:
        """Make the lock anew, in a child process."""
        self._lock = threading.RLock()
