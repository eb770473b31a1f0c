"""What the tests of a subscriber's queue share."""

from __future__ import annotations

import itertools
import threading
import weakref
from typing import Any

from kube_reflect.dispatcher.pending import Pending, Step
from kube_reflect.events import Reason
from kube_reflect.ground.locks import Waiters, new_lock
from kube_reflect.ground.objects import Key, Object
from kube_reflect.store.entry import Entry, EntryMaker
from kube_reflect.store.listener import Delta
from kube_reflect.store.options import StoreOptions
from kube_reflect.store.user_code import BadObjects

from tests.support.objects import pod

maker = EntryMaker(None, StoreOptions(), BadObjects(), lambda: 0)


class Owner:
    """Stands for the subscription."""


OWNER = Owner()


class Queue:
    """A Pending, told of changes by one writer, and taken from by one thread that returns."""

    def __init__(self, size: int = 10, overflow: str = "coalesce", lasting: bool = False,
                 owner: Owner = OWNER) -> None:
        self.processing: dict[Key | None, Any] = {}
        self.lock = new_lock()
        self.waiters = Waiters()
        self.pending = Pending(self.lock, self.waiters, self.processing, weakref.ref(owner), size,
                               overflow, lasting)
        self.numbers = itertools.count(1)

    def tell(self, key: Key, old: str | None, new: str | None, **more: Any) -> bool:
        """Add a change, by the versions."""
        return self.tell_of(key, None if old is None else at(key, old),
                            None if new is None else at(key, new), **more)

    def tell_of(self, key: Key, old: Entry | None, new: Entry | None,
                reason: Reason | None = None) -> bool:
        if new is None and reason is None:
            reason = Reason.DELETED
        return self.pending.changed(Delta(1, next(self.numbers), key, old, new, reason))

    def take(self) -> Step | None:
        with self.lock:
            self.pending.settle_locked()
            taken = self.pending.take_locked()
            if taken is None:
                return None
            taken.returned = True
            return taken.step

    def shown(self) -> list[tuple[str, str | None, str | None]]:
        """Return all, as (name, old version, new version)."""
        steps = []
        while (step := self.take()) is not None:
            assert step.key is not None
            steps.append((step.key[1], version(step.old), version(step.new)))
        return steps

    def replay(self, *keys: Key) -> Queue:
        self.pending.begin({key: at(key, "1") for key in keys})
        return self

    def seen(self, *keys: Key) -> Queue:
        """Show a replay: these, at version 1."""
        self.replay(*keys)
        assert len(self.shown()) == len(keys)
        return self

    def processed_by_another_thread(self, *keys: Key | None) -> Any:
        """Let a thread take these, for the length of a block."""
        taken, go_on = threading.Event(), threading.Event()

        def work() -> None:
            with self.lock:
                for _ in keys:
                    one = self.pending.take_locked()
                    assert one is not None and one.step.key in keys
                    one.returned = True
            taken.set()
            go_on.wait(10)

        thread = threading.Thread(target=work)
        thread.start()
        assert taken.wait(10)
        return thread, go_on


def at(key: Key, version: str, uid: str = "u") -> Entry:
    return maker.make(Object.of(pod(key[1], version=version, uid=uid)))


def version(entry: Entry | None) -> str | None:
    return None if entry is None else entry.resource_version
