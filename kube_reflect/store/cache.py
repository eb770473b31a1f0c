"""The one state behind a Writer and its Stores, and what each of them may do with it."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from kube_reflect.errors import WatcherError
from kube_reflect.ground import locks
from kube_reflect.ground.locks import Deadline, ReadWriteLock, Waiters, new_lock
from kube_reflect.ground.objects import Key, lowest_version, newer_version
from kube_reflect.indexers import IndexFunction
from kube_reflect.object_ref import ApiResource, ObjectRef
from kube_reflect.store.decoder import Decoder
from kube_reflect.store.entry import Entry, EntryMaker
from kube_reflect.store.listener import Keeper, Listener
from kube_reflect.store.mutations import MutationDetector
from kube_reflect.store.options import StoreOptions, check_index
from kube_reflect.store.readiness import Readiness
from kube_reflect.store.table import Group, Table
from kube_reflect.store.transaction import Counters, Extent, Lifecycle, Transaction
from kube_reflect.store.user_code import BadObjects

__all__ = ["Cache"]


T = TypeVar("T")


class Cache:
    """The table, its lock, and who is told of what.

    ``lock`` guards the table but for the reading of its entries, ``versions``, ``awaited`` and
    ``listeners``. It is held for a few operations of dicts, or one copy of one. Under it nothing is
    decoded, logged or sent, and no code of the user runs. ``mutex`` is held by one writer at a
    time, while it makes up its change; no reader ever takes it.

    **What is read without a lock**, and why that is sound: an attribute is loaded or replaced at
    once; so is an entry of a dict whose keys are strings and tuples (no code but Python's own
    compares them), also by `pop` and `setdefault`; a dict is copied, or made a list, in one call.
    Python has that with a GIL and, by a lock in each object, without one. So what belongs together
    is one tuple or table, which is replaced and not changed; who uses it twice loads it once.

    **What an interrupt leaves**: a `Transaction` in ``journal``. Each thread that takes the lock
    completes it before it does anything else (`settle_locked`).
    """

    #: Makes a subscription, given a cache, a store, and the keyword arguments.
    subscriptions: ClassVar[Callable[..., Any]]

    def __init__(self, resource: ApiResource | None, options: StoreOptions) -> None:
        self.lock = ReadWriteLock()
        self._read_lock, self._write_lock = self.lock.gen_rlock(), self.lock.gen_wlock()
        self.mutex = new_lock()
        self.options = options
        self.table = Table(options.indexers)
        #: The table's entries; empty in a child process until `touch` has been called, so that no
        #: reader takes the quick way past it.
        self.entries: Group = self.table.entries
        #: All that is decoded, at one count of a table's moves; replaced whole.
        self.everything: tuple[Table, int, tuple[Any, ...]] | None = None
        self.journal: Transaction | None = None
        self.counters = Counters()
        self.versions: dict[str | None, str] = {}
        #: Namespaces (or None, for all there is) that are written, and of these the ones that are
        #: still to be listed since the last `begin`, and those that ever were.
        self.namespaces: frozenset[str | None] = frozenset()
        self.awaited: frozenset[str | None] = frozenset()
        self.listed: frozenset[str | None] = frozenset()
        self.lifecycle = Lifecycle.RUNNING
        self.reason: BaseException | None = None
        self.listeners: tuple[Listener, ...] = ()
        #: Threads that wait for a version, or for the first list; notified after each event.
        self.waiters = Waiters()
        self.readiness = Readiness(self.waiters)
        self.bad_objects = BadObjects()
        # Weakly: a view that somebody keeps knows its packer, and is not to keep all there was.
        weak = weakref.ref(self)
        self.maker = EntryMaker(resource, options, self.bad_objects, lambda: _expected(weak()))
        self.decoder = Decoder(
            None if options.model is dict else options.model, options.view,
            sharing=not options.copies and not options.detecting, limit=options.decoded_limit,
            bad_objects=self.bad_objects, name=lambda entry: str(self.ref(entry)))
        self.detector = MutationDetector(self) if options.detecting else None
        # All that a read may take.
        self._taken_by_reads = [self._read_lock, self.decoder.lock, self.bad_objects.lock]
        #: Return the object of an entry, as readers share it; None if it cannot be parsed.
        self.read: Callable[[Entry], Any] = self.decoder.read
        if self.detector is not None:
            self._taken_by_reads.append(self.detector.lock)
            self.listeners = (self.detector,)
            self.read = self.detector.read
        #: Return a number for a delta, greater than all before it; from any thread.
        self.next_number: Callable[[], int] = itertools.count(1).__next__
        self._keeper: Callable[[], Keeper | None] = lambda: None
        self._restart: Callable[[], None] | None = None
        locks.register(self, Cache._after_fork, 1)

    def __repr__(self) -> str:
        return (f"<Cache {self.lifecycle.value}, {'ready' if self.ready else 'not ready'}, "
                f"{self.objects} objects>")

    @classmethod
    def set_subscriptions(cls, kind: type[Any]) -> None:
        """Set what a subscription is; for the dispatcher, which this room does not know."""
        cls.subscriptions = kind

    # For writers.

    def add_namespace(self, namespace: str | None) -> None:
        """Add a namespace, which is to be listed before the cache is complete."""
        with self._write_lock:
            self.settle_locked()
            self.namespaces |= {namespace}
            self.awaited |= {namespace}
            self.readiness.renew()

    def commit(self, transaction: Transaction, events: int, growth: int) -> None:
        """Write a change down in the journal, and make it.

        The caller holds the mutex, and has completed in it what was in the journal.

        :param events: how many events it is.
        :param growth: by how many bytes what is stored grows.
        """
        with self._write_lock:
            _, applied, relists, size = self.counters
            is_relist = transaction.extent is Extent.LIST and transaction.namespace in self.listed
            transaction.counted = applied + events, relists + is_relist, size + growth
            transaction.listeners = self.listeners
            self.journal = transaction
            self.settle_locked()

    def settle_locked(self) -> None:
        """Make the change in the journal: the one just committed, or one that was interrupted.

        It may be begun anew at any of its steps.
        """
        transaction = self.journal
        if transaction is None:
            return
        namespace, version, versions = transaction.namespace, transaction.version, self.versions
        seen = self.counters.resource_version
        if transaction.extent is Extent.CONFIRMED:
            self.awaited -= {namespace}
            if not self.awaited:
                self.readiness.open()
        elif transaction.table is None:
            self.table.replace(transaction.before, transaction.after)
            if version is not None:
                known = versions.get(namespace)
                versions[namespace] = version if known is None else newer_version(known, version)
        else:
            self.table, self.entries = transaction.table, transaction.table.entries
            if transaction.swapped is not None:
                transaction.swapped()
            if transaction.extent is not Extent.SAVED:
                self.awaited -= {namespace}
            versions.pop(namespace, None)
            if transaction.extent is not Extent.END:
                self.listed |= {namespace}
                if version is not None:
                    versions[namespace] = version
                elif not versions:
                    # A list without a version is of none, whatever was known before.
                    seen = None
            else:
                self.namespaces -= {namespace}
                self.listed -= {namespace}
            if not self.awaited and transaction.extent is not Extent.SAVED:
                self.readiness.open()
        if len(versions) == 1:
            [seen] = versions.values()
        elif versions:
            seen = lowest_version(versions.values(), seen)
        self.counters = Counters(seen, *transaction.counted)
        # No look for exceptions between these two: nothing is called.
        self.journal = None
        transaction.applied = True

    def add_index(self, name: str, function: IndexFunction) -> None:
        """Add an index over what is there and what will come; see `Writer.add_index`.

        From its announcement on, writers make entries with its values. Those that are there are
        given theirs without a lock; meanwhile others may come that were begun before the
        announcement, one for each writer, or a list, so it may take some rounds. In the last one
        nothing is missing, and a table with the index takes the place of the one without.
        """
        check_index(name, function)
        maker = self.maker
        with self.mutex:
            # One that was announced and never finished (its thread died) may be begun again.
            if name in self.table.indexes or maker.indexers.get(name, function) is not function:
                raise ValueError(f"there is an index {name!r} already")
            if name not in maker.indexers:
                maker.indexers = {**maker.indexers, name: function}
        made: dict[Entry, Entry] = {}
        while name not in self.table.indexes:
            names = tuple(maker.indexers)
            for entry in self.cut(lambda table: list(table.entries.values())):
                if len(made.get(entry, entry).index_values) < len(names):
                    made[entry] = maker.extend(entry)
            self._swap_in_indexes(names, made)

    def _swap_in_indexes(self, names: tuple[str, ...], made: Mapping[Entry, Entry]) -> None:
        """Swap in a table with the indexes, if all entries have their values.

        :param made: in the place of some of the entries.
        """
        with self.mutex:
            old = self.cut(lambda table: table)
            if len(old.indexes) >= len(names):
                return
            new = Table(names)
            for entry in old.entries.values():
                complete = made.get(entry, entry)
                if len(complete.index_values) < len(names):
                    return
                new.replace(None, complete)
            for key, entry in new.entries.items():
                if entry is not old.entries[key]:
                    self.decoder.pass_on(old.entries[key], entry)
            with self._write_lock:
                self.settle_locked()
                self.table, self.entries = new, new.entries

    def notify(self) -> None:
        """Wake those who wait for the cache, to look again; from any thread."""
        self.waiters.notify()

    @property
    def resource(self) -> ApiResource | None:
        """The kind of object, once it is known."""
        return self.maker.resource

    # For who owns the writers.

    def begin(self) -> None:
        """Note that there is a writer (again); the cache is ready when it has listed everything."""
        with self._write_lock:
            self.settle_locked()
            self.lifecycle = Lifecycle.RUNNING
            self.reason = None
            self.readiness.not_ready_reason = ""
            self.awaited = self.namespaces
            self.readiness.renew()
            if not self.awaited:
                # There is no namespace to wait for.
                self.readiness.open()
        self.waiters.notify()

    def not_begun(self, reason: str) -> None:
        """Note that there is no writer yet, and why, for those who wait."""
        self.lifecycle = Lifecycle.NEW
        self.readiness.not_ready_reason = reason

    def end(self, reason: BaseException | None = None) -> None:
        """End the writing: notify all who wait, and say why if something is to blame."""
        if self.lifecycle is not Lifecycle.ENDED:
            # First the state: who subscribes after it looks at it, who did before is told.
            self.lifecycle = Lifecycle.ENDED
            self.reason = reason if reason is not None else self.readiness.last_error
        # Again, too: an exception may have interrupted the first time.
        self.readiness.drop(self.reason)
        for listener in self.listeners:
            listener.ended()
        self.waiters.notify()

    def failed(self, error: WatcherError | None) -> None:
        """Note the last thing that went wrong, for those who are not let in."""
        self.readiness.last_error = error

    def unblock(self, unblocked: bool = True) -> None:
        """Let no listener keep the writer waiting any more; or, with False, let them again."""
        for listener in self.listeners:
            listener.unblock(unblocked)

    def kept_by(self, keeper: Keeper) -> None:
        """Ask a keeper about freshness from now on; it is held weakly, for it holds the cache."""
        self._keeper = weakref.ref(keeper)
        keeper = None  # type: ignore[assignment]

    def restart_on_use(self, restart: Callable[[], None] | None) -> None:
        """Set what the next reader calls to start again what a fork has ended; None: nothing."""
        self._restart = restart

    # For readers and listeners.

    @property
    def ended(self) -> bool:
        """Whether nothing changes any more; an attribute load."""
        return self.lifecycle is Lifecycle.ENDED

    @property
    def ready(self) -> bool:
        """Whether all has been listed since the writer began; an attribute load."""
        return self.readiness.ready

    @property
    def objects(self) -> int:
        """How many objects there are; without a lock."""
        return len(self.table.entries)

    @property
    def poisoned(self) -> int:
        """How often something was wrong with an object."""
        return self.bad_objects.count

    @property
    def unlisted(self) -> bool:
        """Whether something has never been listed, so that what is not there may be."""
        return not self.awaited <= self.listed

    def staleness(self) -> float | None:
        """Return seconds since the last contact with the API server; see `Keeper`."""
        keeper = self._keeper()
        return None if keeper is None else keeper.staleness()

    def is_live(self) -> bool:
        """Return whether the cache is being kept up at this moment."""
        keeper = self._keeper()
        return keeper is not None and keeper.is_live()

    def subscribe(self, listener: Listener) -> Group:
        """Add a listener; return all entries, cut from the changes that it will be told of."""
        return self.listen(listener, lambda table: table.entries.copy())

    def listen(self, listener: Listener, cut: Callable[[Table], T]) -> T:
        """Add a listener; return what is cut from the table at that moment, in a few calls of C."""
        self.touch()
        with self._write_lock:
            self.settle_locked()
            self.listeners = (*(one for one in self.listeners
                                if one is not listener and not one.is_over()), listener)
            return cut(self.table)

    def unsubscribe(self, *gone: Listener) -> None:
        """Remove listeners; they may still be notified of a change that is on its way."""
        with self._write_lock:
            self.listeners = tuple(one for one in self.listeners if one not in gone)

    def ref(self, of: Entry | Key) -> ObjectRef:
        """Return the public name of an entry or a key."""
        if isinstance(of, Entry):
            return of.ref()
        return self.maker.ref(of)

    def cut(self, choose: Callable[[Table], T]) -> T:
        """Return what is chosen from the table of one moment, in a few calls of C."""
        with self._read_lock:
            self.settle_locked()
            return choose(self.table)

    def admit(self, namespace: str | None = None) -> None:
        """Let a read in that gives what is there, or what is not; see `StoreOptions`.

        :param namespace: all that it asks for; None: it may be anything.
        :raises NotReady: if there has been no complete list of it.
        """
        def is_there() -> bool:
            # Of one namespace the others may take as long as they like.
            return not self.unlisted or (namespace is not None and namespace in self.listed)

        if self.options.when_not_ready == "empty" or is_there():
            return
        if self.options.when_not_ready == "raise" or self.lifecycle is not Lifecycle.RUNNING:
            raise self.readiness.not_ready("not ready")
        self.readiness.wait(Deadline(self.options.ready_timeout), is_there)

    def is_free(self, deadline: Deadline) -> bool:
        """Return whether, by a deadline, no other thread holds a lock that reads take."""
        return locks.wait_until_free(deadline, *self._taken_by_reads)

    def touch(self) -> None:
        """Start again in a child process what ran in the parent; the first thing of each use."""
        locks.renew()
        if self.entries is not self.table.entries:
            self.entries = self.table.entries
        restart = self._restart
        if restart is not None:
            self._restart = None
            try:
                restart()
            except BaseException as error:
                # The next use tries again; until then the status says that nothing is live. No
                # thread can be started at this moment, or somebody interrupts this one.
                self._restart = restart
                if not isinstance(error, RuntimeError):
                    raise

    def _after_fork(self) -> None:
        """Send readers by `touch`, in a child process."""
        self.entries = {}


def _expected(cache: Cache | None) -> int:
    return 0 if cache is None else max(len(cache.entries), cache.maker.listing)
