"""Finds readers who change what all readers share; for debugging."""

from __future__ import annotations

import logging
import weakref
from dataclasses import dataclass
from typing import Any

from kube_reflect.ground.locks import new_lock
from kube_reflect.ground.objects import Key
from kube_reflect.store.entry import Entry
from kube_reflect.store.fingerprint import differences, fingerprint
from kube_reflect.store.listener import Delta, Listener

__all__ = ["MutationDetector"]

logger = logging.getLogger(__name__)

#: How many paths the log names at most.
_NAMED = 5


@dataclass(eq=False, slots=True)
class _Shared:
    """One state of an object, as readers have it.

    :param announced: whether the log has said that somebody changed it.
    """

    entry: Entry
    value: Any
    fingerprint: dict[str, Any]
    announced: bool


class MutationDetector(Listener):
    """Holds what readers share, in the decoder's place, and looks whether it is as it was made.

    It looks when an object is read again, when it changes or goes on the server, and when the
    writer ends. Each look costs about as much as to decode all of the object. Its lock is held
    for a look at a dict only.

    :param cache: the one that it stands for; held weakly.
    """

    def __init__(self, cache: Any) -> None:
        self._cache = weakref.ref(cache)
        self.lock = new_lock()
        self._shared: dict[Key, _Shared] = {}

    def __len__(self) -> int:
        return len(self._shared)

    def read(self, entry: Entry) -> Any:
        """Return the object, the same to all readers for as long as it is as it was made."""
        cache = self._cache()
        assert cache is not None
        key = entry.key
        known = self._shared.get(key)
        is_whole = known is not None and self._look_at(known)
        announced = False
        if known is not None and known.entry is entry:
            if is_whole:
                return known.value
            announced = known.announced
        value, is_sound = cache.decoder.make(entry)
        if not is_sound or cache.table.entries.get(key) is not entry:
            # An old state, of a snapshot or a change: each reader gets one of its own.
            return value
        made = _Shared(entry, value, _fingerprint(value), announced)
        with self.lock:
            present = self._shared.get(key)
            if present is None or present is known or present.entry is not entry:
                self._shared[key] = made
                return value
            # Another reader was quicker.
            return present.value

    def _look_at(self, known: _Shared) -> bool:
        """Return whether an object is as it was made; if not, log it, once a version."""
        try:
            now = _fingerprint(known.value)
            if now == known.fingerprint:
                return True
            paths = differences(known.fingerprint, now)
        except RuntimeError:
            # A dict changed while it was looked at: somebody is changing the object right now.
            paths = [""]
        with self.lock:
            announced, known.announced = known.announced, True
        if not announced:
            where = ", ".join(paths[:_NAMED]) + (", …" if len(paths) > _NAMED else "")
            logger.error(
                "%s: somebody changed this object, which all its readers share, at %s (version "
                "%s); whoever reads it from now on gets it as it was",
                known.entry.ref(), where or "its top", known.entry.resource_version)
        return False

    # What the cache calls, as of any `Listener`.

    def changed(self, delta: Delta) -> bool:
        with self.lock:
            known = self._shared.get(delta.key)
            if known is None or known.entry is delta.new:
                return True
            del self._shared[delta.key]
        self._look_at(known)
        return True

    def ended(self) -> None:
        for known in list(self._shared.values()):
            self._look_at(known)

    def is_over(self) -> bool:
        return False


def _fingerprint(value: Any) -> dict[str, Any]:
    whole = getattr(type(value), "to_dict", None)
    if callable(whole):
        # A view decodes what is read, so read all of it first.
        whole(value)
    return fingerprint(value)
