"""What a Writer and its Stores share: the table, its lock, and who waits for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from readerwriterlock.rwlock import RWLockFair

from kube_reflect import _locks
from kube_reflect.store.deflate import Deflaters
from kube_reflect.store.entries import Head, Key, head_of, unpack
from kube_reflect.store.readiness import Gate
from kube_reflect.store.mutations import Guard
from kube_reflect.store.options import Keeping
from kube_reflect.store.table import Table
from kube_reflect.object_ref import ApiResource, ObjectRef

__all__ = ["Core", "Listener"]

logger = logging.getLogger("kube_reflect")


class Listener(Protocol):
    """Who is told of each change; called by the writer's thread, without the lock."""

    def changed(self, key: Key, old: bytes | None, new: bytes | None, inferred: bool) -> bool:
        """Hear that an object went from one packed state to another (None: is not there).

        :param inferred: it was found out by a list, not told by an event.
        :return: False if it need not hear anything more.
        """

    def unblock(self, unblocked: bool = True) -> None:
        """Do not keep the writer waiting, who is about to end; or, with False, do it again."""

    def ended(self) -> None:
        """Hear that nothing will change any more."""

    def is_over(self) -> bool:
        """Whether it need not hear anything more."""


class _Changing:
    """The write lock, for a change of the table (a context manager; entered for each event)."""

    __slots__ = ("_core", "_lock")

    def __init__(self, core: Core) -> None:
        self._core = core
        self._lock = core.lock.gen_wlock()

    def __enter__(self) -> Core:
        self._lock.acquire()
        self._core.half_changed = True
        return self._core

    def __exit__(self, *_: object) -> None:
        self._core.half_changed = False
        self._lock.release()


class Core:
    """The state behind the handles.

    ``lock`` guards ``table`` and what it holds, ``versions``, ``awaited``, ``events``,
    ``relists``, ``listeners`` and ``waiters``: they change together, in the write lock, but for
    what readers have decoded, of which `Table` tells. Readers hold the read lock for a copy. The
    exception is the reading of a single object (`Store.get`), which says itself why it is sound.

    What is done without the lock, here and there, rests on no more than this, which Python has
    with a GIL and, by a lock in each object, without one: an attribute is loaded or replaced at
    once; so is an entry of a dict whose keys are strings and tuples (no code but Python's own
    compares them), also by `setdefault` and `pop`; a dict is copied, or made a list, at once. So
    what belongs together is one tuple or table, which is replaced and not changed; who uses it
    twice loads it once; and nothing that two threads count up is counted without a lock.
    """

    def __init__(self, resource: ApiResource | None, keeping: Keeping) -> None:
        self.lock = RWLockFair()
        self.indexers = dict(keeping.indexers)
        self.table = Table(self.indexers)
        #: By scope: the namespace of a feed, or None for one that is all there is.
        self.versions: dict[str | None, str] = {}
        self.awaited: set[str | None] = set()
        self.resource_version: str | None = None
        self.events = 0
        self.relists = 0
        self.listeners: tuple[Listener, ...] = ()
        #: Called after each event, without the lock, by the feed's thread: must be quick.
        self.waiters: tuple[Callable[[], None], ...] = ()
        #: Set and cleared by the writer's owner.
        self.ended = False
        #: Set once, when the first object tells; an attribute load is atomic.
        self.resource = resource
        # A dict is what is stored, so there is nothing to make of it.
        self.model = None if keeping.model is dict else keeping.model
        self.deflaters = Deflaters() if keeping.compress else None
        self.guard = Guard(self) if keeping.detecting else None
        if self.guard is not None:
            self.listeners = (self.guard,)
        #: Whether readers share what the table has decoded. Where each read has its own, or one
        #: that is looked after, nothing is ever decoded there, and the quick ways of reading that
        #: begin there find nothing.
        self.sharing = not keeping.copies and self.guard is None
        self.gate = Gate()
        #: Guards the counter, which readers and the writer count up. Reentrant, as a table's is:
        #: at worst, who interrupts is not counted.
        self._count_lock = threading.RLock()
        self.poisoned = 0
        #: Seconds since the last contact with the API server, or None; a reflector sets it.
        self.staleness: Callable[[], float | None] = lambda: None
        #: True while the table changes: a fork then leaves it half changed.
        self.half_changed = False
        #: One feed at a time changes the table; no reader ever takes it.
        self.mutex = threading.Lock()
        #: Set in a child process, where the thread is gone: starts it again.
        self.revive: Callable[[], None] | None = None
        _locks.register(self)

    def changing(self) -> _Changing:
        """Hold the write lock to change the table."""
        return _Changing(self)

    def advance(self, scope: str | None, version: str | None) -> None:
        """Count an event that brought a scope to a version; in the write lock."""
        self.events += 1
        if version is not None:
            self._set_version(scope, version)

    def listed(self, scope: str | None, version: str | None) -> None:
        """Count a list that is complete; in the write lock."""
        if scope in self.awaited:
            self.awaited.remove(scope)
        else:
            self.relists += 1
        if version is not None:
            self._set_version(scope, version)

    def expect(self, scope: str | None) -> None:
        """Be complete only when this scope has been listed too."""
        with self.lock.gen_wlock():
            self.awaited.add(scope)
            self.gate.close()

    def forget(self, scope: str | None) -> None:
        """Do without a scope; in the write lock."""
        self.awaited.discard(scope)
        self.versions.pop(scope, None)
        self._find_version()

    def _set_version(self, scope: str | None, version: str) -> None:
        self.versions[scope] = version
        self._find_version()

    def _find_version(self) -> None:
        versions = self.versions.values()
        if len(versions) == 1:
            [self.resource_version] = versions
        elif versions and all(known.isdecimal() for known in versions):
            # Up to the lowest of them, everything has been seen.
            self.resource_version = min(versions, key=int)

    def open_gate(self) -> None:
        """Let readers in if this was the last list they had to wait for."""
        # In the lock, so that nothing comes to be expected in between.
        with self.lock.gen_wlock():
            if not self.awaited:
                self.gate.open()

    def tell(self, listeners: tuple[Listener, ...], key: Key, old: bytes | None,
             new: bytes | None, inferred: bool) -> None:
        """Tell of a change those who were to hear of it when it was made; without the lock."""
        if not listeners:
            return
        if old is not None and new is not None and head_of(old).uid != head_of(new).uid:
            # Another object under the same name: one is gone, and one is there.
            self.tell(listeners, key, old, None, True)
            old = None
        done = [one for one in listeners if not one.changed(key, old, new, inferred)]
        if any(one in self.listeners for one in done):
            with self.lock.gen_wlock():
                self.listeners = tuple(one for one in self.listeners if one not in done)

    def tell_waiters(self) -> None:
        for waiter in self.waiters:
            waiter()

    def unblock(self, unblocked: bool = True) -> None:
        """Have no listener keep the writer waiting any more; or, with False, let them again."""
        for listener in self.listeners:
            listener.unblock(unblocked)

    def end(self, reason: BaseException | None = None) -> None:
        """Nothing more will come: tell all who wait, and why if something is to blame."""
        if self.ended:
            return
        # First the flag: who subscribes after it looks at it, who did before is told.
        self.ended = True
        self.gate.drop(reason)
        for listener in self.listeners:
            listener.ended()
        self.tell_waiters()

    def reopen(self) -> None:
        """A writer is there again."""
        self.ended = False
        self.gate.reopen()

    def poison(self, ref: str, why: str, consequence: str) -> None:
        """Count and log an object that something is wrong with; from any thread."""
        with self._count_lock:
            self.poisoned += 1
        logger.warning("%s: %s; it is %s", ref, why, consequence)

    def decode(self, key: Key, packed: bytes) -> Any:
        """Make a K of a packed object; a mapping where the model will not have it."""
        mapping = unpack(packed, self.deflaters)
        if self.model is None:
            return mapping
        try:
            value = self.model(mapping)
            if value is not None:
                return value
            why = "the model made nothing of it"
        except Exception as error:
            why = f"the model refused it ({type(error).__name__}: {error})".partition("\n")[0]
        self.poison(str(self.ref(key)), why, "handed out as a mapping")
        return unpack(packed, self.deflaters)

    def read_alone(self, key: Key, packed: bytes) -> Any:
        """Give a K where readers do not share what the table has decoded."""
        return self.decode(key, packed) if self.guard is None else self.guard.read(key, packed)

    def publish(self, fresh: Mapping[Key, tuple[bytes, Any]]) -> dict[Key, Any]:
        """Store what was decoded, where the object is still the same; give what all now share."""
        self.touch()
        table = self.table
        shared = {key: table.share(key, packed, value)
                  for key, (packed, value) in fresh.items()}
        table.watch_unread()
        return shared

    def share(self, key: Key, packed: bytes) -> Any:
        """Decode one state of an object; shared with all readers while it is the present one."""
        if not self.sharing:
            return self.read_alone(key, packed)
        self.touch()
        value = self.table.shared(key, packed)
        if value is not None:
            return value
        return self.publish({key: (packed, self.decode(key, packed))})[key]

    def ref(self, key: Key, head: Head | None = None) -> ObjectRef:
        """Give the public name of a key."""
        return ObjectRef(key[1], key[0], resource=self.resource,
                         resource_version=head.resource_version if head else None,
                         uid=head.uid if head else None)

    def touch(self) -> None:
        """Be used: start again in a child process what ran in the parent."""
        _locks.renew()
        revive = self.revive
        if revive is not None:
            self.revive = None
            try:
                revive()
            except RuntimeError:
                # No thread can be started at this moment: the next use tries again, and until
                # then the status says that nothing is live.
                self.revive = revive

    fork_rank = 1

    def after_fork(self) -> None:
        """Make the locks anew, in a child process."""
        # The thread that held a lock is not there to release it, and may have been half way.
        self.lock = RWLockFair()
        self._count_lock = threading.RLock()
        self.mutex = threading.Lock()
        self.gate.after_fork()
        if self.deflaters is not None:
            self.deflaters.after_fork()
        if self.guard is not None:
            self.guard.after_fork()
        if self.half_changed:
            self.half_changed = False
            self.table.rebuild()
        # Reads that find nothing decoded ask what is the matter, and so start the thread again.
        self.table.after_fork()
