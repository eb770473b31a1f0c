"""What threads read: a handle on the cache."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from kube_reflect.errors import StaleCache
from kube_reflect.ground.describe import no_value
from kube_reflect.ground.locks import Deadline, checked_timeout
from kube_reflect.object_ref import ObjectRef
from kube_reflect.selector import Selector
from kube_reflect.status import Memory
from kube_reflect.store.cache import Cache
from kube_reflect.store.entry import Entry
from kube_reflect.store.reading import Reads, find
from kube_reflect.store.snapshot import Snapshot
from kube_reflect.store.table import Group, Table
from kube_reflect.store.waiting import wait_for, wait_for_version

__all__ = ["Store"]

K = TypeVar("K")
T = TypeVar("T")

#: What bytes take beyond their length.
_EMPTY = sys.getsizeof(b"")


class Store(Reads[K]):
    """A handle on the cache: reads from memory, always, from any thread.

    A K is what the list function returns (a V1Pod, say), or what ``model`` makes of a mapping. It
    is decoded when it is first read, and then shared by all who read it until the object
    changes: do not change it. Several reads that must agree are made on one `snapshot`.

    All methods are safe in a signal handler, and in a ``__del__``.

    Made by `Writer.as_reader` or `Reflector.store`. It keeps its reflector going.
    """

    __reduce_ex__ = no_value("it is a handle on a cache of this process; "
                             "take what you need, such as state()")

    def __init__(self, cache: Cache, owner: object = None) -> None:
        self._cache = cache
        # Whoever reads wants the cache kept up: the reflector ends with its last handle.
        self._owner = owner

    def get(self, ref: ObjectRef | str, namespace: str | None = None, *,
            max_staleness: float | None = None) -> K | None:
        """Return the object of that name, or None.

        It is shared by all who read it, and must not be changed. It stays as it is when the
        cache moves on. Costs some 150 ns where it has been read before.

        :param ref: an ObjectRef, or a name.
        :param namespace: the namespace that goes with a name; ignored for an object that has
            none.
        :param max_staleness: seconds since the last contact with the API server at most.
        :raises StaleCache: if it was longer ago.
        :raises NotReady: before the first complete list, if the cache is to say so.
        :raises TypeError: for what is neither a ref nor a name.
        """
        # No lock. The entries are one attribute load: a relist swaps in another whole dict. In it,
        # one lookup finds the object, which is atomic, with a GIL and (by the dict's own lock)
        # without one; an entry never changes but for its value, which once set means the same.
        if max_staleness is None:
            try:
                value: K | None
                if type(ref) is not ObjectRef:
                    value = self._cache.entries[namespace, ref].decoded  # type: ignore[index]
                elif namespace is None and ref.resource in (None, self._cache.maker.resource):
                    value = self._cache.entries[ref.namespace, ref.name].decoded
                else:
                    value = None
                if value is not None:
                    return value
            except (KeyError, TypeError):
                pass
        # It is not decoded, not there, or not asked for by its full name. In a child process there
        # are no entries at first, so its first read comes by here.
        cache, key = self._cache, self._key(ref, namespace)
        cache.touch()
        if max_staleness is not None:
            self._check_staleness(max_staleness)
        entry = find(cache.table.entries, key)
        if entry is None and cache.unlisted:
            cache.admit(key[0])
            entry = find(cache.table.entries, key)
        return None if entry is None else cache.read(entry)

    def state(
        self,
        *,
        namespace: str | None = None,
        labels: str | Mapping[str, str] | Selector | None = None,
        where: Callable[[K], object] | None = None,
        max_staleness: float | None = None,
    ) -> list[K]:
        """List the objects of one moment, in no particular order; see `Snapshot.state`.

        :param max_staleness: seconds since the last contact with the API server at most.
        :raises StaleCache: if it was longer ago.
        """
        self._cache.touch()
        if max_staleness is not None:
            self._check_staleness(max_staleness)
        return super().state(namespace=namespace, labels=labels, where=where)

    def snapshot(self) -> Snapshot[K]:
        """Return an immutable view of this moment, for several reads that must agree.

        Costs a copy of a dict of pointers; the objects themselves are shared.

        :raises NotReady: before the first complete list, if the cache is to say so.
        """
        cache = self._cache
        cache.touch()
        cache.admit()
        entries, version, names = cache.cut(lambda table: (
            table.entries.copy(), cache.counters.resource_version, tuple(table.indexes)))
        return Snapshot(cache, entries, version, names)

    def memory(self) -> Memory:
        """Return what the store holds in memory; some microseconds, however much that is.

        What readers keep of objects that have changed since, and snapshots, is not counted.
        """
        cache = self._cache
        cache.touch()
        objects, size = cache.cut(lambda table: (
            len(table.entries), cache.counters.bytes_at_rest))
        decoded = len(cache.decoder if cache.detector is None else cache.detector)
        return Memory(objects, size + objects * _EMPTY, decoded)

    @property
    def ready(self) -> bool:
        """Whether the store is complete: all has been listed since the reflector was started.

        Then it stays so, until `add_namespace`, another start, or a fork. What was there before
        may be read meanwhile.
        """
        self._cache.touch()
        return self._cache.readiness.ready

    @property
    def resource_version(self) -> str | None:
        """The version up to which the store has seen everything; None at first."""
        self._cache.touch()
        return self._cache.counters.resource_version

    def wait_until_ready(self, timeout: float | None = None) -> None:
        """Wait for the first complete list since the reflector was started.

        :param timeout: seconds, or None to wait for as long as it takes.
        :raises NotReady: if it took longer (a TimeoutError too); its cause is the last error.
        :raises WriterDropped: if the writer ended before; its cause is why.
        """
        deadline = Deadline(timeout)
        self._cache.touch()
        self._cache.readiness.wait(deadline)

    def wait_until_live(self, timeout: float | None = None) -> None:
        """Wait until the store is complete, and is being kept up: a watch is running.

        :param timeout: seconds, or None to wait for as long as it takes.
        :raises NotReady: if it took longer (a TimeoutError too); its cause is the last error.
        :raises WriterDropped: if the writer ended before the store was ready; its cause is why.
        """
        deadline = Deadline(timeout)
        cache = self._cache
        cache.touch()
        cache.readiness.wait(deadline)
        if not cache.waiters.wait_for(cache.is_live, deadline):
            raise cache.readiness.not_ready(f"not live {deadline}")

    def wait_for(self, ref: ObjectRef | str, condition: Callable[[K | None], object],
                 timeout: float | None = None, *, namespace: str | None = None) -> K | None:
        """Wait until a condition holds of an object, and return that (None: it is not there).

        It waits until the store is ready, and returns at once if the condition holds already.
        The condition then sees each state that the object passes through, in order.

        :param ref: an ObjectRef, or a name.
        :param condition: one of `kube_reflect.conditions`, or any function of an object, or of
            None where there is none. It is called by this thread, without a lock; what it raises
            comes out, but for what it cannot read of an object (see `state`): that may change.
        :param timeout: seconds, or None to wait for as long as it takes.
        :param namespace: the namespace that goes with a name.
        :raises TimeoutError: if it took longer; it says what was last seen. It is a `NotReady`
            if the store was never ready.
        :raises WriterDropped: if the writer ended meanwhile.
        :raises ValueError: for a ref to another kind of object.
        """
        self._cache.touch()
        key = self._key(ref, namespace)
        if not key[1]:
            raise ValueError(f"there are no such objects in this store: {str(ref)!r}")
        value: K | None = wait_for(self._cache, key, condition, timeout)
        return value

    def wait_for_version(self, version: str, timeout: float | None = None) -> None:
        """Wait until the store is as new as a version: so you read your own writes.

        :param version: ``metadata.resourceVersion`` of what the API server answered to a write of
            an object of this kind. A version of another kind comes only with a bookmark.
        :param timeout: seconds, or None to wait for as long as it takes.
        :raises TimeoutError: if it took longer; it says what was last seen. It is a `NotReady`
            if the store was never ready.
        :raises WriterDropped: if the writer ended meanwhile.
        :raises ValueError: for a version that is no decimal number, which cannot be compared.
        """
        self._cache.touch()
        wait_for_version(self._cache, version, timeout)

    def _check_staleness(self, allowed: float) -> None:
        checked_timeout(allowed, "max_staleness")
        staleness = self._cache.staleness()
        why = None
        if staleness is None:
            why = "no contact with the API server"
        elif math.isinf(staleness):
            why = "nothing keeps the cache up: its reflector has ended"
        elif self._cache.unlisted:
            why = "there has been no complete list yet"
        if why is not None:
            raise StaleCache(f"{why}; a staleness of {allowed:g} s was allowed")
        if staleness is not None and staleness > allowed:
            raise StaleCache(f"the last contact with the API server was {staleness:.1f} s ago; "
                             f"{allowed:g} s were allowed", staleness=staleness)

    def _entries(self) -> Group:
        self._cache.touch()
        return self._cache.table.entries

    def _index_names(self) -> Iterable[str]:
        return self._cache.table.indexes

    def _cut(self, choose: Callable[[Table], T]) -> T:
        self._cache.touch()
        return self._cache.cut(choose)

    def _admit(self, namespace: str | None = None) -> None:
        self._cache.admit(namespace)

    def _all(self) -> list[K]:
        # As in `get`, no lock: a moment is known by the count of the table's moves, which is odd
        # while its entries change. What is kept is one tuple, which is replaced whole.
        cache = self._cache
        table, known = cache.table, cache.everything
        moves = table.moves
        if known is not None and known[0] is table and known[1] == moves:
            return list(known[2])
        unshared: list[Entry] = []

        def read(entry: Entry) -> Any:
            value = cache.read(entry)
            if entry.decoded is None:
                # It is this reader's own, or there is none.
                unshared.append(entry)
            return value

        def all_of(entries: Iterable[Entry]) -> list[Any]:
            return [value for entry in entries
                    if (value := entry.decoded) is not None or (value := read(entry)) is not None]

        if cache.decoder.keeps(len(table.entries)):
            # Without a copy first: what it costs is to have thousands of entries come from memory.
            try:
                values = all_of(table.entries.values())
            except RuntimeError as error:
                if not str(error).startswith("dictionary "):
                    raise
            else:
                if not moves & 1 and moves == table.moves:
                    if not unshared:
                        cache.everything = table, moves, tuple(values)
                    return values
            # A writer came between. What the first pass has read is shared by now.
        return all_of(list(table.entries.values()))

    def __repr__(self) -> str:
        cache = self._cache
        return (f"<Store of {cache.objects} objects, "
                f"{'ready' if cache.ready else 'not ready'}>")
