"""The way of events into the cache: one writer for each namespace, or one for all."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from kube_reflect._object import BadObject, Key, Object
from kube_reflect.events import Apply, Bookmark, Delete, Event, Init, InitApply, InitDone
from kube_reflect.object_ref import ApiResource
from kube_reflect.store.cache import Cache
from kube_reflect.store.entry import Entry
from kube_reflect.store.listener import Delta, Reason
from kube_reflect.store.packing import EntryMaker
from kube_reflect.store.record import Record
from kube_reflect.store.table import Table
from kube_reflect._json import loads

__all__ = ["Forgotten", "NamespaceWriter"]

_PARTIAL = ("meta.k8s.io/v1", "PartialObjectMetadata")

_writers = itertools.count(1)


class Forgotten(Exception):
    """The namespace of a writer is not in the cache any more, and nothing of it may come back."""


class NamespaceWriter:
    """Applies the events of one stream to the cache; several may share one, a namespace each.

    One thread at a time calls it. What is there of its namespace it may read without a lock, for
    nobody else changes it.

    :param namespace: what the stream is all of; None for everything.
    """

    def __init__(self, cache: Cache, maker: EntryMaker, namespace: str | None = None) -> None:
        self._cache = cache
        self._maker = maker
        self._namespace = namespace
        self._id = next(_writers)
        #: The list under way, between Init and InitDone.
        self._buffer: Table | None = None
        #: The change that was begun last, until all have been told of it.
        self._record: Record | None = None
        #: Whether a thread is applying an event: what there is to settle is that thread's.
        self.busy = False
        #: Whether its namespace was taken out; under the mutex.
        self._gone = False
        cache.add_namespace(namespace)

    def apply(self, event: Event) -> None:
        """Apply one event.

        If an exception interrupts it, the next call completes what was begun.

        :raises TypeError: for what is no event.
        """
        self.busy = True
        try:
            self.settle()
            self._apply_event(event)
        finally:
            self.busy = False

    def _apply_event(self, event: Event) -> None:
        match event:
            case Apply(obj):
                self._apply(Object.of(obj))
            case Delete(obj):
                self._delete(Object.of(obj))
            case InitApply():
                self._buffer_one(event)
            case Bookmark(version):
                self._commit(lambda: None, version)
            case Init():
                self._buffer = Table(self._cache.table.indexes)
            case InitDone(version):
                self._swap(self._list_under_way(event), version)
            case _:
                raise TypeError(f"not an event of a watcher: {event!r}")

    def leave_out(self, event: Event, error: BaseException) -> bool:
        """Count the object of an event that cannot be applied; return whether it is of an object.

        :param error: what was raised when it was tried.
        """
        self.settle()
        why = BadObject(f"user code failed ({type(error).__name__}: {error})")
        match event:
            case InitApply(obj):
                self._maker.record_bad(Object.of(obj), why)
            case Apply(obj) | Delete(obj):
                known = Object.of(obj)
                self._drop(self._maker.record_bad(known, why), known, Reason.UNREADABLE)
            case _:
                return False
        return True

    def restart(self) -> None:
        """Forget a list that was under way."""
        self._buffer = None

    def remove(self) -> None:
        """Take its namespace, and all in it, out of the cache; when its stream has ended."""
        if not self.busy:
            self.settle()
        if not self._gone:
            # Not by way of the buffer, which a thread that has not ended yet may be filling.
            self._swap(Table(self._cache.table.indexes), None, Reason.UNWATCHED)

    def settle(self) -> None:
        """Complete a change that an exception has interrupted."""
        record = self._record
        if record is None:
            return
        if not record.applied:
            with self._cache.lock.gen_wlock():
                self._cache.settle_locked()
        if record.applied:
            self._cache.tell(record)
        # Else the exception came before there was anything to complete.
        if self._record is record:
            self._record = None
        self._cache.let_go()

    def _commit(self, move: Callable[[], object], version: str | None, *,
                delta: Delta | None = None) -> None:
        """Make one change, and tell of it."""
        with self._cache.mutex:
            self._check()
            self._commit_locked(move, version, delta)
        self.settle()

    def _commit_locked(self, move: Callable[[], object], version: str | None,
                       delta: Delta | None) -> None:
        grown = 0 if delta is None else _size(delta.new) - _size(delta.old)
        record = self._record = Record(
            move, self._namespace, version, lambda: [] if delta is None else self._split(delta))
        self._cache.commit(record, 1, grown)

    def _check(self) -> None:
        """Stop a thread that goes on after the end of its namespace; under the mutex.

        :raises Forgotten: if the namespace is gone.
        """
        if self._gone:
            raise Forgotten

    def _delta(self, key: Key, old: Entry | None, new: Entry | None,
               reason: Reason | None = None) -> Delta:
        return Delta(self._id, self._cache.next_number(), key, old, new, reason)

    def _split(self, delta: Delta) -> list[Delta]:
        """Return a delta, or two where another object has the name: one is gone, one is there."""
        old, new = delta.old, delta.new
        if old is None or new is None or old.is_of(new):
            return [delta]
        return [delta._replace(new=None, reason=Reason.REPLACED),
                self._delta(delta.key, None, new)]

    def _apply(self, obj: Object) -> None:
        # First, so that the log calls it by the same name each time.
        self._learn(obj)
        try:
            entry = self._maker.make(self._maker.transformed(obj))
        except BadObject as error:
            # What was there is not what is there now, so it goes too.
            self._drop(self._maker.record_bad(obj, error), obj, Reason.UNREADABLE)
            return
        # Of before a transform, which may take it out.
        while not self._put(entry, obj.resource_version):
            entry = self._maker.extend(entry)

    def _put(self, entry: Entry, version: str | None) -> bool:
        """Put an entry into the table, unless an index was added since it was made."""
        with self._cache.mutex:
            self._check()
            table = self._cache.table
            if len(entry.values) < len(table.indexes):
                return False
            old = table.entries.get(entry.key)
            self._commit_locked(lambda: table.put(old, entry), version,
                                self._delta(entry.key, old, entry))
        self.settle()
        self._cache.decoder.forget(old)
        return True

    def _delete(self, obj: Object) -> None:
        try:
            key = obj.key
        except BadObject as error:
            self._maker.record_bad(obj, error)
            self._drop(None, obj, Reason.DELETED)
            return
        buffer = self._buffer
        if buffer is None:
            self._drop(key, obj, Reason.DELETED)
            return
        # It was shown by the list under way, and is gone before its end.
        shown = buffer.entries.get(key)
        if shown is not None:
            buffer.drop(shown)

    def _drop(self, key: Key | None, obj: Object, reason: Reason) -> None:
        with self._cache.mutex:
            self._check()
            table = self._cache.table
            old = table.entries.get(key) if key is not None else None
            if old is None:
                self._commit_locked(lambda: None, obj.resource_version, None)
            else:
                gone = old
                self._commit_locked(lambda: table.drop(gone), obj.resource_version,
                                    self._delta(old.key, old, None, reason))
        self.settle()
        self._cache.decoder.forget(old)

    def _list_under_way(self, event: Event) -> Table:
        buffer = self._buffer
        if buffer is None:
            self._check()
            raise ValueError(f"{type(event).__name__} without an Init before it")
        return buffer

    def _buffer_one(self, event: InitApply) -> None:
        obj = Object.of(event.object)
        buffer = self._list_under_way(event)
        self._learn(obj)
        try:
            changed = self._maker.transformed(obj)
            known = self._cache.table.entries.get(obj.key)
            # A relist shows mostly what is known: keep it, and what was decoded of it.
            entry = known if known is not None and _is_same(known, changed) else (
                self._maker.make(changed))
        except BadObject as error:
            self._maker.record_bad(obj, error)
            return
        buffer.put(buffer.entries.get(entry.key), entry)
        self._cache.packer.listing = len(buffer.entries)

    def _swap(self, new: Table, version: str | None, reason: Reason = Reason.RELISTED) -> None:
        while not self._try_swap(new, version, reason):
            new = self._with_all_indexes(new)
        self.settle()

    def _try_swap(self, buffer: Table, version: str | None, reason: Reason) -> bool:
        cache = self._cache
        with cache.mutex:
            self._check()
            old = cache.table
            if len(buffer.indexes) < len(old.indexes):
                return False
            before = (old.entries if self._namespace is None
                      else old.namespaces.get(self._namespace, {}).copy())
            new = buffer if self._namespace is None else self._among_others(buffer, old)
            after = buffer.entries if self._namespace is not None else buffer.entries.copy()
            unwatched = reason is Reason.UNWATCHED
            grown = sum(map(_size, after.values())) - sum(map(_size, before.values()))

            def move() -> None:
                cache.replace_table(new)
                self._buffer, self._gone = None, unwatched

            record = self._record = Record(
                move, self._namespace, version, lambda: self._differences(before, after, reason),
                listed=None if unwatched else True)
            cache.commit(record, 0, grown)
        for key, entry in before.items():
            if after.get(key) is not entry:
                cache.decoder.forget(entry)
        return True

    def _among_others(self, buffer: Table, old: Table) -> Table:
        """Return a table of what is listed and of what the other writers have."""
        new = Table(old.indexes)
        for entry in old.entries.values():
            if entry.key[0] != self._namespace:
                new.put(None, entry)
        for entry in buffer.entries.values():
            new.put(None, entry)
        return new

    def _with_all_indexes(self, buffer: Table) -> Table:
        """Return a list made anew, since an index was added after its beginning."""
        table = self._cache.table
        new = Table(table.indexes)
        for key, entry in buffer.entries.items():
            known = table.entries.get(key)
            if known is not None and known.packed is entry.packed:
                entry = known
            new.put(None, self._maker.extend(entry))
        return new

    def _differences(self, old: Mapping[Key, Entry], new: Mapping[Key, Entry],
                     reason: Reason) -> list[Delta]:
        found = []
        for key, before in old.items():
            after = new.get(key)
            if after is None:
                found.append(self._delta(key, before, None, reason))
            elif after is not before:
                found += self._split(self._delta(key, before, after))
        return found + [self._delta(key, None, after) for key, after in new.items()
                        if key not in old]

    def _learn(self, obj: Object) -> None:
        cache = self._cache
        if cache.resource is None and obj.api_version and obj.kind and (
                # Of which kind an object is that came as its metadata alone, it does not say.
                (obj.api_version, obj.kind) != _PARTIAL):
            try:
                cache.learn(ApiResource.from_api_version(obj.api_version, obj.kind))
            except ValueError:
                # A slash too many: perhaps the next object tells.
                pass


def _size(entry: Entry | None) -> int:
    return 0 if entry is None else len(entry.packed)


def _is_same(known: Entry, obj: Object) -> bool:
    """Return whether an object is what is stored, in all that it holds.

    Its version does not tell: a definition with a new default, or a server's upgrade, changes what
    an object holds, and not its version.
    """
    if known.resource_version != obj.resource_version or known.uid != obj.uid:
        return False
    stored, shown = known.json(), obj.json()
    return stored == shown or _parsed(stored) == _parsed(shown)


def _parsed(json: bytes) -> Any:
    try:
        return loads(json)
    except (ValueError, RecursionError):
        return json
