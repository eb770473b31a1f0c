"""The cache: a Writer that changes it, Stores that threads read, Snapshots of one moment."""

from __future__ import annotations

import math
import sys
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from kube_reflect.store.core import Core
from kube_reflect.store.entries import Key
from kube_reflect.store.feed import Entries, Feed
from kube_reflect.store.readiness import checked_timeout
from kube_reflect.store.indexing import add_index
from kube_reflect.store.options import IndexFunction, Keeping, Transform
from kube_reflect.store.reads import Reads, Rows
from kube_reflect.store.snapshot import Snapshot, rows_of
from kube_reflect.store.table import Table
from kube_reflect.store.waiting import wait_for, wait_for_version
from kube_reflect.errors import StaleCache
from kube_reflect.events import Event
from kube_reflect.object_ref import ApiResource, ObjectRef
from kube_reflect.selector import Selector

if TYPE_CHECKING:
    from kube_reflect.dispatcher import Subscription

__all__ = ["Memory", "Snapshot", "Store", "Writer"]

K = TypeVar("K")

#: What bytes take beyond their length.
_EMPTY = sys.getsizeof(b"")


class Writer:
    """Applies a watcher's events to a cache, of which it hands out readers.

    A list is buffered from Init to InitDone, and swapped in whole; changes are applied one by
    one. It feeds from one stream, in one thread; its readers may be in any.

    :param resource: the kind of object; else the first object tells.
    :param model: makes a K of a mapping; None leaves it a mapping. What it refuses is handed out
        as a mapping, counted and logged.
    :param transform: changes each mapping, in place if it likes, and returns what is to be
        stored. Where it raises, the object is left out, counted and logged. There are some ready
        made in `kube_reflect.transforms`.
    :param indexers: by the name of the index, functions of the mapping that give the values
        under which to find the object. Where one raises, the object has no values in that index.
    :param copies: give each read a K of its own, which may be changed.
    :param compress: deflate the objects, with a dictionary taken from the first of them: a pod
        takes about a tenth, and some 40 us more to store, 10 us more to read for the first time.
    :param detect_mutations: find readers who change what they share, for debugging: the log is
        told of the object and of where it was changed, as an error, once a version; whoever reads
        it from then on gets it as it was. Each read then costs about as much as a first one. None
        for what the environment variable KUBE_REFLECT_DETECT_MUTATIONS says, 1 or 0.
    :raises TypeError: for a model, transform or index function that cannot be called, or the name
        of an index that is no string.
    """

    def __init__(
        self,
        resource: ApiResource | None = None,
        *,
        model: Callable[[dict[str, Any]], Any] | None = None,
        transform: Transform | None = None,
        indexers: Mapping[str, IndexFunction] | None = None,
        copies: bool = False,
        compress: bool = False,
        detect_mutations: bool | None = None,
    ) -> None:
        if resource is not None and not isinstance(resource, ApiResource):
            raise TypeError(f"resource must be an ApiResource: {resource!r}")
        self._core = Core(resource, Keeping(
            model=model, transform=transform, indexers=dict(indexers or {}), copies=copies,
            compress=compress, detect_mutations=detect_mutations))
        self._entries = Entries(self._core, transform)
        self._feed = Feed(self._core, self._entries)
        self._claimed = False
        self._make_end()

    def as_reader(self) -> Store[Any]:
        """Give a handle for readers; any number of times, from any thread."""
        return Store(self._core)

    def apply_watcher_event(self, event: Event) -> None:
        """Apply one event; from the writer's thread.

        Costs some 40 us for an object the size of a pod, most of it for packing.

        :raises TypeError: for what is no event.
        """
        self._feed.apply(event)

    def subscribe(self, *, buffer_size: int = 1024,
                  overflow: str = "coalesce") -> Subscription[Any]:
        """Give a subscriber all that is there, and then each change; see `Subscription`.

        :param buffer_size: pending changes at which the subscriber counts as slow.
        :param overflow: what then happens: ``coalesce``, ``block`` or ``resync``.
        :raises ValueError: for a buffer size below 1, or an unknown overflow.
        """
        from kube_reflect.dispatcher import Subscription

        return Subscription(self._core, self.as_reader(), buffer_size=buffer_size,
                            overflow=overflow)

    def add_index(self, name: str, function: IndexFunction) -> None:
        """Add an index over what is there and what will come; from any thread.

        It can be read as soon as this returns, and agrees with the objects from then on. Costs a
        call of the function, and some 50 us, for each object.

        :param name: of the index.
        :param function: gives, for a mapping, the values under which to find the object. It is
            called without a lock; where it raises, the object has no values in this index.
        :raises ValueError: if there is an index of that name.
        :raises TypeError: for what cannot be called.
        """
        add_index(self._core, self._entries, name, function)

    def close(self) -> None:
        """End the writer; its readers keep the last state. From any thread, any number of times."""
        self._end()

    def _make_end(self) -> None:
        # Readers hear of it when their writer is simply forgotten, too.
        self._end = weakref.finalize(self, self._core.end)
        self._end.atexit = False

    def _reopen(self) -> None:
        """Go on after a close, with the same readers."""
        self._core.reopen()
        self._make_end()

    def _claim(self) -> None:
        """Be the only stream that feeds this writer.

        :raises ValueError: if there is another.
        """
        if self._claimed:
            raise ValueError("this Writer feeds a reflector already; make another Writer")
        self._claimed = True


@dataclass(frozen=True)
class Memory:
    """What a store holds in memory at one moment.

    :param objects: objects in the store.
    :param bytes_at_rest: bytes of these objects, packed. Their keys, and their places in the
        store and its indexes, come on top, with some 300 bytes an object.
    :param decoded: objects that are decoded too, since somebody has read them as they are. A pod
        takes 80 KB as a mapping, 140 KB as a V1Pod.
    """

    objects: int
    bytes_at_rest: int
    decoded: int


class Store(Reads[K]):
    """A handle on the cache: reads from memory, always, from any thread.

    A K is what the list function returns (a V1Pod, say), or what ``model`` makes of a mapping. It
    is decoded when it is first read, and then shared by all who read it until the object
    changes: do not change it. Several reads that must agree are made on one `snapshot`.

    In a signal handler, or in a ``__del__``, only `get`, ``in`` and ``len`` are safe: what they
    interrupt may hold the lock that the other reads take.

    Made by `Writer.as_reader` or `Reflector.store`. It keeps its reflector going.
    """

    def __init__(self, core: Core, owner: object = None) -> None:
        self._core = core
        # Whoever reads wants the cache kept up: the reflector ends with its last handle.
        self._owner = owner

    def get(self, ref: ObjectRef | str, namespace: str | None = None, *,
            max_staleness: float | None = None) -> K | None:
        """Give the object of that name, or None.

        It is shared by all who read it, and must not be changed. It stays as it is when the
        cache moves on. Costs some 150 ns where it has been read before.

        :param ref: an ObjectRef, or a name.
        :param namespace: the namespace that goes with a name; ignored for an object that has
            none.
        :param max_staleness: seconds since the last contact with the API server at most.
        :raises StaleCache: if it was longer ago.
        :raises TypeError: for what is neither a ref nor a name.
        """
        # No lock. The table is one attribute load: a relist swaps in another whole table. In it,
        # one dict lookup finds the object if it is decoded; each of the two is atomic, with a GIL
        # and (by the dict's own lock) without one. The writer first changes the packed object
        # and then takes the decoded one away, so a read between the two finds the object as it
        # was, just as one that came a moment earlier.
        if max_staleness is None:
            try:
                value: K = self._core.table.decoded[namespace, ref]  # type: ignore[index]
                return value
            except (KeyError, TypeError):
                pass
        return self._get(ref, namespace, max_staleness)

    def _get(self, ref: ObjectRef | str, namespace: str | None,
             max_staleness: float | None) -> K | None:
        """Read an object that is not decoded, or not asked for by its full name."""
        # In a child process nothing is decoded at first, so the first read comes by here.
        self._core.touch()
        if max_staleness is not None:
            self._check_staleness(max_staleness)
        key = self._key(ref, namespace)
        value = self._core.table.decoded.get(key)
        return self._get_packed(key) if value is None else value

    def state(
        self,
        *,
        namespace: str | None = None,
        labels: str | Mapping[str, str] | Selector | None = None,
        where: Callable[[K], bool] | None = None,
        max_staleness: float | None = None,
    ) -> list[K]:
        """List the objects of one moment, in no particular order.

        Costs a copy of a list of pointers where all have been read before; what has not is
        decoded, once.

        :param namespace: only of this namespace; the others cost nothing.
        :param labels: only what this label selector selects, given in the API server's grammar
            or as a mapping of required values; nothing is decoded for it.
        :param where: only those for which it is true; called for each that is left.
        :param max_staleness: seconds since the last contact with the API server at most.
        :raises StaleCache: if it was longer ago.
        :raises ValueError: for a selector that does not parse.
        :raises TypeError: for a ``where`` that cannot be called.
        """
        self._core.touch()
        if max_staleness is not None:
            self._check_staleness(max_staleness)
        return super().state(namespace=namespace, labels=labels, where=where)

    def snapshot(self) -> Snapshot[K]:
        """Give an immutable view of this moment, for several reads that must agree.

        Costs two copies of a dict of pointers; the objects themselves are shared.
        """
        core = self._core
        core.touch()
        with core.lock.gen_rlock():
            table, version = core.table, core.resource_version
            packed, decoded = table.packed.copy(), table.decoded.copy()
        return Snapshot(core, packed, decoded, version, table.indexes)

    def memory(self) -> Memory:
        """Tell what the store holds in memory; some microseconds, however much that is.

        What readers keep of objects that have changed since, and snapshots, is not counted.
        """
        core = self._core
        core.touch()
        with core.lock.gen_rlock():
            table = core.table
            objects, size, decoded = len(table.packed), table.size, len(table.decoded)
        if core.guard is not None:
            decoded = len(core.guard)
        return Memory(objects, size + objects * _EMPTY, decoded)

    @property
    def ready(self) -> bool:
        """Whether the store has ever been complete; then it stays so, until `add_namespace`."""
        self._core.touch()
        return self._core.gate.ready

    @property
    def resource_version(self) -> str | None:
        """The version up to which the store has seen everything; None at first."""
        self._core.touch()
        return self._core.resource_version

    def wait_until_ready(self, timeout: float | None = None) -> None:
        """Wait for the first complete list.

        :param timeout: seconds, or None to wait for as long as it takes.
        :raises NotReady: if it took longer (a TimeoutError too); its cause is the last error.
        :raises WriterDropped: if the writer ended before; its cause is why.
        """
        self._core.touch()
        self._core.gate.wait(timeout)

    def wait_for(self, ref: ObjectRef | str, condition: Callable[[K | None], object],
                 timeout: float | None = None, *, namespace: str | None = None) -> K | None:
        """Wait until a condition holds of an object, and return that (None: it is not there).

        It waits until the store is ready, and returns at once if the condition holds already.
        The condition then sees each state that the object passes through, in order.

        :param ref: an ObjectRef, or a name.
        :param condition: one of `kube_reflect.conditions`, or any function of an object, or of
            None where there is none. It is called by this thread, without a lock; what it raises
            comes out.
        :param timeout: seconds, or None to wait for as long as it takes.
        :param namespace: the namespace that goes with a name.
        :raises TimeoutError: if it took longer; it says what was last seen. It is a `NotReady`
            if the store was never ready.
        :raises WriterDropped: if the writer ended meanwhile.
        :raises ValueError: for a ref to another kind of object.
        """
        self._core.touch()
        key = self._key(ref, namespace)
        if not key[1]:
            raise ValueError(f"there are no such objects in this store: {str(ref)!r}")
        value: K | None = wait_for(self._core, key, condition, timeout)
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
        self._core.touch()
        wait_for_version(self._core, version, timeout)

    def _check_staleness(self, allowed: float) -> None:
        checked_timeout(allowed, "max_staleness")
        staleness = self._core.staleness()
        if staleness is None:
            raise StaleCache("no contact with the API server; "
                             f"a staleness of {allowed:g} s was allowed")
        if math.isinf(staleness):
            raise StaleCache("nothing keeps the cache up: its reflector has ended; "
                             f"a staleness of {allowed:g} s was allowed", staleness=None)
        if staleness > allowed:
            raise StaleCache(f"the last contact with the API server was {staleness:.1f} s ago; "
                             f"{allowed:g} s were allowed", staleness=staleness)

    # Where the rows of Reads come from: the table, under the read lock, for as long as it takes
    # to copy pointers.

    def _table(self) -> Table:
        self._core.touch()
        return self._core.table

    def _pick(self, key: Key) -> tuple[Table, bytes] | None:
        # As in get: no lock, one attribute load and one lookup.
        table = self._core.table
        packed = table.packed.get(key)
        return None if packed is None else (table, packed)

    def _all_keys(self) -> list[Key]:
        self._core.touch()
        with self._core.lock.gen_rlock():
            return list(self._core.table.packed)

    def _values(self, name: str) -> list[Any]:
        self._core.touch()
        with self._core.lock.gen_rlock():
            return list(self._core.table.indexes[name])

    def _cut_all(self) -> Rows | list[Any]:
        # As in get: no lock, one load of the table, and one of what is never changed but replaced.
        everything = self._core.table.everything
        if everything is not None:
            return list(everything)
        if self._core.sharing:
            # Where few have changed since all were read, decode those, and copy in one go. Under
            # a writer that is quicker than that, the third copy is made the long way.
            for _ in range(2):
                rows = self._unread()
                if rows is None:
                    break
                if isinstance(rows, list):
                    return rows
                self._decoded(*rows)
        with self._core.lock.gen_rlock():
            table = self._core.table
            keys = list(table.packed)
            return keys, list(table.packed.values()), list(map(table.decoded.get, keys))

    def _unread(self) -> Rows | list[Any] | None:
        """Give all objects if they are decoded, else the rows of those that are not, if known."""
        with self._core.lock.gen_rlock():
            table = self._core.table
            # (Several readers at once find, and keep, the same.)
            everything = table.all_decoded()
            if everything is not None:
                return list(everything)
            return None if table.unread is None else rows_of(table, lambda cut: cut.unread or {})

    def _cut(self, choose: Callable[[Table], Mapping[Key, None]]) -> Rows:
        self._core.touch()
        with self._core.lock.gen_rlock():
            return rows_of(self._core.table, choose)
