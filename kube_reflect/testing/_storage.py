"""The objects of the fake server, with the history that watches and pages need."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice

from kube_reflect.testing._encoding import Entry


class Change:
    """One write: the state before it, the state after it, and its resource version."""

    __slots__ = ("version", "before", "after", "deleted", "_left")

    def __init__(self, version: int, before: Entry | None, after: Entry, deleted: bool) -> None:
        self.version = version
        self.before = before
        self.after = after
        self.deleted = deleted
        self._left: Entry | None = None

    def event(self, matches: Callable[[Entry], bool]) -> tuple[str, Entry] | None:
        """What a watch with a selection hears of it: type and object, or None.

        An object that leaves the selection arrives as it was before, under the new version.
        """
        had = self.before is not None and matches(self.before)
        has = not self.deleted and matches(self.after)
        if has:
            return ("MODIFIED" if had else "ADDED"), self.after
        if not had or self.before is None:
            return None
        if self.deleted:
            return "DELETED", self.after
        if self._left is None:
            self._left = self.before.with_version(self.version)
        return "DELETED", self._left


class Collection:
    """All objects of one resource. Only Storage's lock makes its methods safe."""

    def __init__(self, floor: int, history: int) -> None:
        self.entries: dict[str, Entry] = {}
        self.changes: deque[Change] = deque()
        self.floor = floor
        self.ended = False
        self._history = history
        self._written = 0
        self._keys: list[str] | None = None

    @property
    def written(self) -> int:
        """How many changes there have ever been; a watch's position is one of these."""
        return self._written

    def record(self, key: str, change: Change) -> None:
        """Apply a change and remember it."""
        if change.deleted or change.before is None:
            self._keys = None
        if change.deleted:
            del self.entries[key]
        else:
            self.entries[key] = change.after
        self.changes.append(change)
        self._written += 1
        while len(self.changes) > self._history:
            self.floor = self.changes.popleft().version

    def forget(self, version: int) -> None:
        """Drop the history: only states from ``version`` on are known."""
        self.changes.clear()
        self.floor = version

    def rollback(self, version: int) -> None:
        """Undo the changes after a version that is not older than ``floor``."""
        self.entries = dict(self.at(version))
        while self.changes and self.changes[-1].version > version:
            self.changes.pop()
            self._written -= 1
        self._keys = None

    def since(self, position: int) -> list[Change] | None:
        """The changes after a watch's position, or None where some are forgotten."""
        count = self._written - position
        if count > len(self.changes):
            return None
        return list(islice(reversed(self.changes), count))[::-1]

    def position_of(self, version: int) -> int:
        """The position from which a watch hears all that came after a version."""
        newer = 0
        for change in reversed(self.changes):
            if change.version <= version:
                break
            newer += 1
        return self._written - newer

    def at(self, version: int) -> dict[str, Entry]:
        """The objects as they were at a version not older than ``floor``."""
        state = self.entries
        copied = False
        for change in reversed(self.changes):
            if change.version <= version:
                break
            if not copied:
                state, copied = dict(state), True
            key = key_of(change.after)
            if change.before is None:
                state.pop(key, None)
            else:
                state[key] = change.before
        return state

    def sorted_keys(self, state: dict[str, Entry]) -> list[str]:
        """The keys of a state in the server's order."""
        if state is not self.entries:
            return sorted(state)
        if self._keys is None:
            self._keys = sorted(state)
        return self._keys

    def page(self, version: int, prefix: str, start: str) -> list[Entry]:
        """The entries of a version under a prefix, in order, from the key ``start`` on."""
        state = self.at(version)
        keys = self.sorted_keys(state)
        first = bisect_left(keys, max(prefix, start))
        entries = []
        for key in islice(keys, first, None):
            if not key.startswith(prefix):
                break
            entries.append(state[key])
        return entries


def object_key(namespace: str | None, name: str) -> str:
    """The key of an object, which sorts as etcd's does."""
    return f"{namespace}/{name}" if namespace else name


def key_of(entry: Entry) -> str:
    """The key of an entry."""
    return object_key(entry.namespace, entry.name)


class Storage:
    """Every collection, one counter of resource versions, one lock, and whom to wake."""

    def __init__(self, first_version: int, history: int) -> None:
        self.lock = threading.RLock()
        self.version = first_version
        #: Watches that have bookmarks are to send one that is this new.
        self.bookmark_due = 0
        self._history = history
        self._floor = first_version
        self._collections: dict[tuple[str, str, str], Collection] = {}
        self._wakers: dict[object, Callable[[], None]] = {}

    def collection(self, key: tuple[str, str, str]) -> Collection:
        """The collection of a resource, made when first asked for; hold the lock."""
        found = self._collections.get(key)
        if found is None:
            found = self._collections[key] = Collection(self._floor, self._history)
        return found

    def write(self, collection: Collection, before: Entry | None, after: Entry,
              deleted: bool = False) -> None:
        """Record a change whose ``after`` already carries ``next_version()``; hold the lock."""
        self.version = after.version
        collection.record(key_of(after), Change(self.version, before, after, deleted))
        self.wake()

    def next_version(self) -> int:
        """The version that the next write gets; hold the lock."""
        return self.version + 1

    def end(self, key: tuple[str, str, str]) -> None:
        """Remove a collection; its watches end once they have told all."""
        with self.lock:
            self.collection(key).ended = True
            self._collections[key] = Collection(self.version, self._history)
            self.wake()

    def compact(self) -> None:
        """Advance the version by one and forget everything that was before it."""
        with self.lock:
            self.version += 1
            self.forget_history()

    def forget_history(self) -> None:
        """Forget everything before the current version."""
        with self.lock:
            self._floor = self.version
            for collection in self._collections.values():
                collection.forget(self.version)

    def rollback(self, version: int) -> None:
        """Undo every change after a version, while no watch is open.

        :raises ValueError: it is newer than the current version, or older than the history.
        """
        with self.lock:
            collections = self._collections.values()
            floor = max([self._floor, *(one.floor for one in collections)])
            if not floor <= version <= self.version:
                raise ValueError(f"version {version} is not within the history, from {floor} "
                                 f"to {self.version}")
            for collection in collections:
                collection.rollback(version)
            self.version = version

    def request_bookmarks(self) -> int:
        """Send the current version by every watch, also one that begins soon; return it."""
        with self.lock:
            self.bookmark_due = self.version
            self.wake()
            return self.version

    def wake(self) -> None:
        """Wake every watch; hold the lock."""
        for waker in self._wakers.values():
            waker()

    @contextmanager
    def woken_by_writes(self, waker: Callable[[], None]) -> Iterator[None]:
        """Call ``waker`` after each write, under the lock, as long as the context lasts."""
        token = object()
        with self.lock:
            self._wakers[token] = waker
        try:
            yield
        finally:
            with self.lock:
                del self._wakers[token]
