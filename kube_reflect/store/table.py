"""The objects of one moment, with the indexes over them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from kube_reflect.store.entries import IndexValues, Key, head_of

__all__ = ["Table"]


class Table:
    """Packed objects by key, what readers have decoded of them, and the indexes.

    The Core's lock guards it, as that says. The packed objects are the truth; all else can be made
    from them again.

    What readers have decoded has a lock of its own, for a few operations of dicts: ``decoded`` and
    ``unread`` change in it, and so does ``packed``, so that nothing comes to be shared that the
    object no longer is. Under the other lock readers and writer would get into each other's way
    with each change that is read, and each time wait until Python lets the other thread go on.
    """

    __slots__ = ("_heir", "_lock", "decoded", "everything", "indexes", "namespaces", "packed",
                 "size", "unread")

    def __init__(self, index_names: Iterable[str]) -> None:
        # Reentrant, for a signal handler, or a ``__del__`` that the garbage collector calls, may
        # read an object in the middle of anything. It finds each step as another thread might
        # have without the lock: `packed` is changed before what was decoded is taken away, so
        # what it shares of an older state is taken away too.
        self._lock = threading.RLock()
        self.packed: dict[Key, bytes] = {}
        #: The length of all of them.
        self.size = 0
        #: Only ever holds what `packed` holds, in the version that it holds.
        self.decoded: dict[Key, Any] = {}
        #: The keys that are not decoded, once most have been read; None before that.
        self.unread: dict[Key, None] | None = None
        #: The table that takes the place of this one: who still has this one shares with it.
        self._heir: Table | None = None
        #: All that is decoded, once all are and somebody has asked for them, until one changes.
        #: It is replaced and never changed.
        self.everything: tuple[Any, ...] | None = None
        #: Keys by namespace, and by the values of each index; dicts as ordered sets.
        self.namespaces: dict[str | None, dict[Key, None]] = {}
        self.indexes: dict[str, dict[Any, dict[Key, None]]] = {name: {} for name in index_names}

    def put(self, key: Key, packed: bytes, values: IndexValues, old_values: IndexValues) -> Any:
        """Store a new version of an object; O(1).

        Gives what it lets go of, for the caller to do so without a lock: that may take long, and
        a ``__del__`` of somebody's own may read the cache.
        """
        old = self.packed.get(key)
        if old is None:
            self.namespaces.setdefault(key[0], {})[key] = None
        self.size += len(packed) - (0 if old is None else len(old))
        with self._lock:
            # First: who has seen, without a lock, that it is there, lists nothing older after that.
            everything, self.everything = self.everything, None
            self.packed[key] = packed
            gone = everything, self.decoded.pop(key, None)
            if self.unread is not None:
                self.unread[key] = None
        if values != old_values:
            self._reindex(key, values, old_values)
        return gone

    def drop(self, key: Key, old_values: IndexValues) -> Any:
        """Remove an object that is there; O(1). Gives what it lets go of, as `put` does."""
        with self._lock:
            # First, as above.
            everything, self.everything = self.everything, None
            self.size -= len(self.packed.pop(key))
            gone = everything, self.decoded.pop(key, None)
            if self.unread is not None:
                self.unread.pop(key, None)
        _discard(self.namespaces, key[0], key)
        self._reindex(key, (), old_values)
        return gone

    def _reindex(self, key: Key, values: IndexValues, old_values: IndexValues) -> None:
        for position, index in enumerate(self.indexes.values()):
            new = values[position] if values else ()
            old = old_values[position] if old_values else ()
            for value in old:
                if value not in new:
                    _discard(index, value, key)
            for value in new:
                if value not in old:
                    index.setdefault(value, {})[key] = None

    def shared(self, key: Key, packed: bytes) -> Any:
        """Give what was decoded of a packed object, if it is the present one; from any thread."""
        with self._lock:
            return self.decoded.get(key) if self.packed.get(key) is packed else None

    def share(self, key: Key, packed: bytes, value: Any) -> Any:
        """Store what was decoded of a packed object, if it is the present one; from any thread.

        Gives what all share: the same, unless another reader was quicker.
        """
        with self._lock:
            if self.packed.get(key) is not packed:
                return value
            if self.unread is not None:
                self.unread.pop(key, None)
            value, heir = self.decoded.setdefault(key, value), self._heir
        # Not in the lock: there is never more than one to wait for.
        return value if heir is None else heir.share(key, packed, value)

    def all_decoded(self) -> tuple[Any, ...] | None:
        """Give everything, if all of it is decoded; O(n) after a change, O(1) before the next."""
        if self.everything is None and len(self.decoded) == len(self.packed):
            self.everything = tuple(self.decoded.values())
        return self.everything

    def watch_unread(self) -> None:
        """Keep `unread` from now on, if that is few; O(n), once. From any thread."""
        if self.unread is None and len(self.decoded) > 0.9 * len(self.packed):
            self._watch_unread()

    def inherit(self, old: Table, changed: Callable[[Key], bool]) -> None:
        """Take over what is decoded in another table, but for what has changed since."""
        with old._lock:
            decoded, watched = old.decoded.copy(), old.unread is not None
            # What comes to be shared there from now on, the copy lacks.
            old._heir = self
        # (Some of it may be here already; where both have a value, it is the same.)
        self.decoded.update({key: value for key, value in decoded.items() if not changed(key)})
        if watched:
            self._watch_unread()

    def _watch_unread(self) -> None:
        with self._lock:
            self.unread = dict.fromkeys(key for key in self.packed if key not in self.decoded)

    def after_fork(self) -> None:
        """Make the lock anew, in a child process, and drop all that was decoded."""
        self._lock = threading.RLock()
        # The thread that made it is gone, perhaps with its lock.
        self._heir = None
        self.forget_decoded()

    def forget_decoded(self) -> None:
        """Drop all that was decoded."""
        self.decoded = {}
        self.everything = None
        self.unread = None

    def rebuild(self) -> None:
        """Make everything from the packed objects again; O(n)."""
        self.forget_decoded()
        self.size = sum(map(len, self.packed.values()))
        self.namespaces = {}
        for index in self.indexes.values():
            index.clear()
        for key, packed in self.packed.items():
            self.namespaces.setdefault(key[0], {})[key] = None
            self._reindex(key, head_of(packed).values, ())


def _discard(groups: dict[Any, dict[Key, None]], value: Any, key: Key) -> None:
    group = groups.get(value)
    if group is not None:
        group.pop(key, None)
        if not group:
            del groups[value]
