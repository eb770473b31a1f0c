"""How events get into the cache: by one writer for each namespace, or one for all."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from kube_reflect.events import (
    Apply, Bookmark, Delete, Event, Init, InitApply, InitDone, Reason,
)
from kube_reflect.ground.describe import reason_of
from kube_reflect.ground.objects import BadObject, Key, Object
from kube_reflect.store.cache import Cache
from kube_reflect.store.entry import Entry
from kube_reflect.store.listener import Delta
from kube_reflect.store.table import Table
from kube_reflect.store.transaction import Extent, Transaction

__all__ = ["Forgotten", "NamespaceWriter"]

_writers = itertools.count(1)


class Forgotten(Exception):
    """The namespace of a writer is not in the cache any more, and nothing of it may come back."""


class NamespaceWriter:
    """Applies the events of one stream to the cache; several may share one, a namespace each.

    One thread at a time calls it. What is there of its namespace it may read without a lock, for
    nobody else changes it.

    :param namespace: what the stream is all of; None for everything.
    """

    def __init__(self, cache: Cache, namespace: str | None = None) -> None:
        self._cache = cache
        self._namespace = namespace
        self._id = next(_writers)
        #: The list under way, between Init and InitDone.
        self._buffer: Table | None = None
        #: The change that was begun last, until all have been told of it.
        self._begun: Transaction | None = None
        #: Whether a thread is applying an event; then it is for that thread to settle the change.
        self.busy = False
        #: Whether its namespace was taken out, and nothing of it may come back; set under the
        #: mutex. Then `apply` and the like raise `Forgotten`.
        self.is_gone = False
        cache.add_namespace(namespace)

    def apply(self, event: Event) -> None:
        """Apply one event.

        If an exception interrupts it, the next call completes what was begun.

        :raises TypeError: for what is no event.
        """
        maker, self.busy = self._cache.maker, True
        try:
            if self._begun is not None:
                self.settle()
            match event:
                case Apply(mapping):
                    obj = mapping if type(mapping) is Object else Object.of(mapping)
                    try:
                        entry = maker.make(obj)
                        self._check_room(entry.key)
                    except BadObject as error:
                        # What the cache has is no longer how the object is, so it is removed.
                        self._replace(maker.record_bad(obj, error), None, obj.resource_version,
                                      Reason.UNREADABLE)
                    else:
                        # (The version from before the transform, which may remove it.)
                        while not self._replace(entry.key, entry, obj.resource_version):
                            # An index was added meanwhile.
                            entry = maker.extend(entry)
                case Delete(obj):
                    self._delete(Object.of(obj))
                case InitApply(obj):
                    self._buffer_one(Object.of(obj))
                case Bookmark(version):
                    self._replace(None, None, version)
                case Init():
                    self._buffer = Table(self._cache.table.indexes)
                case InitDone(version):
                    self._swap(self._list_under_way("InitDone"), version)
                case _:
                    raise TypeError(f"not an event of a watcher: {event!r}")
            if self.is_gone:
                # Who removed the namespace meanwhile may have left it to this thread.
                self.settle()
        finally:
            self.busy = False

    def record_bad_object(self, event: Event, error: BaseException) -> bool:
        """Count the object of an event that cannot be applied; return whether it is of an object.

        :param error: what was raised when it was tried.
        """
        self.settle()
        why = BadObject(f"user code failed ({reason_of(error)})")
        match event:
            case InitApply(obj):
                self._cache.maker.record_bad(Object.of(obj), why)
            case Apply(obj) | Delete(obj):
                known = Object.of(obj)
                self._replace(self._cache.maker.record_bad(known, why), None,
                              known.resource_version, Reason.UNREADABLE)
            case _:
                return False
        return True

    def restore(self, entries: Iterable[Entry], version: str) -> None:
        """Restore what an earlier process had at a version: to be read, and to be confirmed."""
        self.settle()
        self._swap(Table(self._cache.table.indexes, entries), version, extent=Extent.SAVED)

    def confirm(self) -> None:
        """Note that what was restored, and has changed since, is as good as a list."""
        self.settle()
        with self._cache.mutex:
            self._check_not_gone_locked()
            transaction = self._begun = Transaction(
                Extent.CONFIRMED, self._namespace, None, {}, {})
            self._cache.commit(transaction, 0, 0)
        self.settle()

    def remove(self) -> None:
        """Remove its namespace, and all in it, from the cache; when its stream has ended."""
        if not self.busy:
            self.settle()
        try:
            # Not by way of the buffer, which a thread that has not ended yet may be filling.
            self._swap(Table(self._cache.table.indexes), None, Reason.UNWATCHED, Extent.END)
        except Forgotten:
            # An earlier call did, and was then interrupted.
            if not self.busy:
                self.settle()

    def _check_not_gone_locked(self) -> None:
        """Raise Forgotten if its namespace is gone; in the mutex.

        First what another thread has begun, and left for the next one, takes its place.
        """
        cache = self._cache
        if cache.journal is not None:
            with cache.lock.gen_wlock():
                cache.settle_locked()
        if self.is_gone:
            raise Forgotten

    def settle(self) -> None:
        """Complete the last change: make it, if that was interrupted, and notify listeners."""
        transaction = self._begun
        if transaction is None:
            return
        cache = self._cache
        if not transaction.applied:
            with cache.lock.gen_wlock():
                cache.settle_locked()
        # Else the exception came before there was anything to complete.
        if transaction.applied:
            # The copied list is out of date; drop it now, not when somebody next asks for it.
            cache.everything = None
            if transaction.listeners:
                self._notify_listeners(transaction)
            cache.waiters.notify()
        if self._begun is transaction:
            self._begun = None

    def _notify_listeners(self, transaction: Transaction) -> None:
        """Notify those who were listening when a change was made.

        It may be called again for the same change: what they were given is taken off.
        """
        if transaction.deltas is None:
            deltas = self._deltas_of(transaction)[::-1]
            if transaction.deltas is None:
                # Else who removes the namespace has completed it meanwhile, under other numbers.
                transaction.deltas = deltas
        deltas = transaction.deltas
        while deltas:
            delta = deltas[-1]
            listeners = transaction.listeners
            done = [one for one in listeners if not one.changed(delta)]
            if done:
                self._cache.unsubscribe(*done)
                transaction.listeners = tuple(one for one in listeners if one not in done)
            if deltas and deltas[-1] is delta:
                deltas.pop()

    def _replace(self, key: Key | None, entry: Entry | None, version: str | None,
                 reason: Reason | None = None) -> bool:
        """Replace the entry of a key, and notify listeners.

        Return False, and change nothing, if an index was added since the entry was made.

        :param key: of the object; None: only the version is new.
        :param entry: None takes out what is there.
        :param reason: why it is taken out.
        """
        cache = self._cache
        with cache.mutex:
            self._check_not_gone_locked()
            table = cache.table
            old = None if key is None else table.entries.get(key)
            growth = 0 if old is None else -len(old.packed)
            if entry is not None:
                if len(entry.index_values) < len(table.indexes):
                    return False
                growth += len(entry.packed)
            transaction = self._begun = Transaction(
                Extent.OBJECT, self._namespace, version, old, entry, reason)
            cache.commit(transaction, 1, growth)
        self.settle()
        if old is not None:
            cache.decoder.forget(old)
        return True

    def _deltas_of(self, transaction: Transaction) -> list[Delta]:
        """Return what listeners are told of a change, object by object."""
        before, after, reason = transaction.before, transaction.after, transaction.reason
        if transaction.extent is not Extent.OBJECT:
            found = []
            for key, old in before.items():
                if (new := after.get(key)) is not old:
                    found += self._deltas(old, new, reason)
            return found + [delta for key, new in after.items() if key not in before
                            for delta in self._deltas(None, new, None)]
        return self._deltas(before, after, reason)

    def _deltas(self, old: Entry | None, new: Entry | None,
                reason: Reason | None) -> list[Delta]:
        """Return a delta, or two where another object has the name: one is gone, one is there."""
        number = self._cache.next_number
        if new is None:
            return [Delta(self._id, number(), old.key, old, None, reason)] if old else []
        if old is None or old.is_of(new):
            return [Delta(self._id, number(), new.key, old, new)]
        return [Delta(self._id, number(), old.key, old, None, Reason.REPLACED),
                Delta(self._id, number(), new.key, None, new)]

    def _check_room(self, key: Key) -> None:
        entries, most = self._cache.table.entries, self._cache.options.max_objects
        if len(entries) >= most and key not in entries:
            raise BadObject(f"there are as many objects as may be (max_objects={most})")

    def _delete(self, obj: Object) -> None:
        key = None
        try:
            key = obj.key
        except BadObject as error:
            self._cache.maker.record_bad(obj, error)
        if self._buffer is None or key is None:
            self._replace(key, None, obj.resource_version, Reason.DELETED)
        else:
            # The list under way had it, and it was deleted before the end of the list.
            self._buffer.replace(self._buffer.entries.get(key), None)

    def _list_under_way(self, event: str) -> Table:
        buffer = self._buffer
        if buffer is None:
            if self.is_gone:
                raise Forgotten
            raise ValueError(f"{event} without an Init before it")
        return buffer

    def _buffer_one(self, obj: Object) -> None:
        maker, buffer = self._cache.maker, self._buffer
        if buffer is None:
            buffer = self._list_under_way("InitApply")
        try:
            # Most of a relist is known already: keep those entries, and what was decoded of them.
            entry = maker.make(obj, self._cache.table.entries)
        except BadObject as error:
            maker.record_bad(obj, error)
            return
        buffer.replace(buffer.entries.get(entry.key), entry)
        maker.listing = len(buffer.entries)

    def _swap(self, new: Table, version: str | None, reason: Reason = Reason.RELISTED,
              extent: Extent = Extent.LIST) -> None:
        while not self._try_swap(new, version, reason, extent):
            new = self._with_all_indexes(new)
        self.settle()

    def _try_swap(self, buffer: Table, version: str | None, reason: Reason,
                  extent: Extent) -> bool:
        cache = self._cache
        with cache.mutex:
            self._check_not_gone_locked()
            old = cache.table
            if len(buffer.indexes) < len(old.indexes):
                return False
            before = (old.entries if self._namespace is None
                      else old.namespaces.get(self._namespace, {}).copy())
            new, after = buffer, buffer.entries
            if self._namespace is None:
                after = after.copy()
            else:
                others = (entry for entry in old.entries.values()
                          if entry.key[0] != self._namespace)
                new = Table(old.indexes, (*others, *after.values()))
            grown = (sum(len(entry.packed) for entry in after.values())
                     - sum(len(entry.packed) for entry in before.values()))

            def swapped() -> None:
                self._buffer, self.is_gone = None, extent is Extent.END

            transaction = self._begun = Transaction(
                extent, self._namespace, version, before, after, reason, new, swapped)
            cache.commit(transaction, 0, grown)
        for key, entry in before.items():
            if after.get(key) is not entry:
                cache.decoder.forget(entry)
        return True

    def _with_all_indexes(self, buffer: Table) -> Table:
        """Return a list made anew, since an index was added after its beginning."""
        table, extend = self._cache.table, self._cache.maker.extend
        known = table.entries
        return Table(table.indexes, (
            extend(known[key] if key in known and known[key].packed is entry.packed else entry)
            for key, entry in buffer.entries.items()))
