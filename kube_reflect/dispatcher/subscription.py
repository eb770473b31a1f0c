"""Subscriptions: what threads wait on, fed by the writer, read at each subscriber's own pace."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from kube_reflect.dispatcher.changes import Applied, Change, Deleted, Lazy, Resync
from kube_reflect.dispatcher.pending import (
    LOOK_AGAIN, OVERFLOWS, Pending, Processing, State, Taken,
)
from kube_reflect.errors import KubeReflectError
from kube_reflect.events import Reason
from kube_reflect.ground import locks
from kube_reflect.ground.describe import no_value
from kube_reflect.ground.locks import Deadline, Waiters, new_lock
from kube_reflect.store import Cache, Store

__all__ = ["Subscription"]

K = TypeVar("K")
T = TypeVar("T")

_FOREVER, _NOW = Deadline(None), Deadline(0)
#: Seconds after which a thread looks again whether another one has returned with what it took …
_RETURNED = 0.01
#: … and whether it has left the loop in which it works on that, of which nothing else tells.
_LEFT = 0.05


class Subscription(Generic[K]):
    """All that is there, and then each change, for one subscriber.

    Iterate it, or call `get`, from a thread of your own. It begins with an `Applied` for each
    object that is there (the replay), cut from the changes so that the two together are always
    the store: no gap, and nothing twice. It ends when it is closed; or when the writer ends, and
    what was pending has been taken.

    Several threads may take from one subscription, as from a work queue. An object is with one
    thread at a time: until that thread takes again, or leaves its loop, or ends, the later
    changes of the object wait.

    An exception that interrupts `get` or the iteration (Ctrl-C, a time limit) costs no change:
    what was not returned yet is given to whoever takes next.

    In a child process (`os.fork`) it goes on with a `Resync`.

    Made by `Writer.subscribe` and `Reflector.subscribe`.

    :param cache: what to subscribe to.
    :param store: the handle that goes with it.
    :param buffer_size: pending changes at which the subscriber counts as slow.
    :param overflow: what then happens: ``coalesce`` keeps the newest state of each object, and
        every deletion of what the subscriber has seen; ``block`` has the writer wait, and the
        store and all other subscribers with it, so that they fall behind the cluster as far as
        this one does (do not take from it in the writer's own thread); ``resync`` drops all that
        is pending, and the subscriber gets a `Resync` and a replay.
    :param lasting: whether it goes on when a writer begins again that had ended: an iteration
        then ends at each end of the writer, and another one gives what comes after.
    :raises TypeError: for a buffer size that is no integer.
    :raises ValueError: for a buffer size below 1, or an unknown overflow.
    """

    __reduce_ex__ = no_value("it is fed by a cache of this process")

    def __init__(self, cache: Cache, store: Store[K], *, buffer_size: int = 1024,
                 overflow: str = "coalesce", lasting: bool = False) -> None:
        if isinstance(buffer_size, bool) or not isinstance(buffer_size, int):
            raise TypeError(f"buffer_size must be an integer: {buffer_size!r}")
        if buffer_size < 1:
            raise ValueError(f"buffer_size must be 1 or more: {buffer_size}")
        if overflow not in OVERFLOWS:
            raise ValueError(f"overflow must be one of {', '.join(OVERFLOWS)}: {overflow!r}")
        self._cache = cache
        #: The cache that the changes are of.
        self.store = store
        self._lasting = lasting
        # Guards the three below.
        self._lock = new_lock()
        self._waiters = Waiters()
        self._processing: Processing = {}
        self._pending = Pending(self._lock, self._waiters, self._processing, weakref.ref(self),
                                buffer_size, overflow, lasting)
        self._begin(self._pending)
        locks.register(self, Subscription._after_fork, 2)

    def _after_fork(self) -> None:
        """Go on in a child process, where only this thread is working on anything."""
        me = threading.current_thread()
        self._waiters = Waiters()
        self._processing = {key: taken for key, taken in self._processing.items()
                            if taken.thread is me}
        self._pending.after_fork(self._waiters, self._processing)

    def _begin(self, pending: Pending) -> None:
        """Begin with a replay of what is there at this moment; all changes after it follow."""
        pending.begin(self._cache.subscribe(pending))
        if self._cache.ended:
            pending.ended()

    def __repr__(self) -> str:
        pending = self._pending
        state = "ended" if pending.writer_ended else pending.state.value
        return (f"<Subscription {state}, {self.pending} pending, {self.dropped} dropped, "
                f"{len(self._processing)} being worked on>")

    @property
    def pending(self) -> int:
        """How many changes have not been taken yet; takes no lock."""
        return len(self._pending)

    @property
    def dropped(self) -> int:
        """How many changes were coalesced with others, or dropped for a `Resync`; no lock."""
        return self._pending.dropped

    @property
    def is_over(self) -> bool:
        """Whether there will be no changes but those that are pending; takes no lock."""
        return self._pending.is_over()

    @property
    def has_ended(self) -> bool:
        """Whether `get` would return None at once."""
        with self._lock:
            return self._has_ended_locked()

    def get(self, timeout: float | None = None) -> Change[K] | None:
        """Return the next change; None when there will be no more.

        :param timeout: seconds, or None to wait for as long as it takes.
        :raises TimeoutError: if there was none in time.
        """
        deadline = _FOREVER if timeout is None else Deadline(timeout)
        try:
            taken = self._take(deadline)
            if taken is None:
                return None
            change = self._change(taken)
            # No calls from here on: it is returned, or it is put back.
            taken.returned = True
            return change
        except BaseException:
            self._done()
            raise

    def __iter__(self) -> Iterator[Change[K]]:
        return _Loop(self._take, self._change, self._done)

    def objects(self) -> Iterator[K]:
        """Iterate the objects that are there or have changed; deletions are passed over."""
        return _Loop(self._take, self._object, self._done)

    def _object(self, taken: Taken) -> K | None:
        entry = taken.step.new
        if entry is None:
            return None
        try:
            return self._cache.read(entry)  # type: ignore[no-any-return]
        except KubeReflectError:
            # It cannot be read, by whoever tries.
            taken.returned = True
            raise

    def close(self) -> None:
        """End it, at once, for all who wait on it; from any thread, any number of times."""
        locks.renew()
        with self._lock:
            self._pending.close_locked()
        self._waiters.notify()

    def __enter__(self) -> Subscription[K]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self, deadline: Deadline, loop: weakref.ref[Any] | None = None) -> Taken | None:
        """Wait for a step; None when there will be none. The caller sets `returned`, or puts down.

        :param loop: of the thread, in which it works on what it takes.
        :raises TimeoutError: if there was none in time.
        """
        self._cache.touch()
        while True:
            if deadline.timeout is not None and not locks.wait_until_free(deadline, self._lock):
                raise TimeoutError("another thread kept the subscription locked")
            with self._lock:
                pending = self._pending
                has_news = pending.settle_locked()
                taken = pending.take_locked(loop)
                # Whether another thread is about to return with a step, or to put it back.
                is_between = taken is None and not all(
                    one.returned for one in self._processing.values())
                has_ended = taken is None and self._has_ended_locked() and not is_between
                if has_ended:
                    # Others may be waiting for what this one has put down.
                    pending.news += 1
                news = pending.news
            if has_news or has_ended:
                self._waiters.notify()
            if has_ended:
                return None
            if taken is not None:
                return taken
            if pending.state is State.OVERFLOWED:
                if deadline.timeout is not None and not self._cache.is_free(deadline):
                    raise TimeoutError("another thread kept the store locked")
                self._replace(pending)
            else:
                self._wait(pending, news, deadline, _RETURNED if is_between else LOOK_AGAIN)

    def _has_ended_locked(self) -> bool:
        pending = self._pending
        if pending.state is State.CLOSED:
            return True
        has_ended = self._cache.ended if self._lasting else pending.writer_ended
        return has_ended and not pending

    def _wait(self, pending: Pending, news: int, deadline: Deadline, most: float) -> None:
        left = deadline.left()
        if left == 0:
            raise TimeoutError(f"no change {deadline}")
        if any(taken.loop is not None for taken in list(self._processing.values())):
            most = min(most, _LEFT)
        self._waiters.wait_for(
            lambda: pending.news != news or self._pending is not pending,
            Deadline(most if left is None else min(left, most)))

    def _done(self) -> None:
        """Let others have what this thread is working on; what it did not get, it puts back."""
        if not locks.wait_until_free(_NOW, self._lock):
            # It is done when this thread takes again, or ends.
            return
        with self._lock:
            has_news = self._pending.settle_locked()
        if has_news:
            self._waiters.notify()

    def _replace(self, old: Pending) -> None:
        """Put another `Pending` in the place of one that has overflowed.

        Several threads may try; the first succeeds, and an interrupt leaves the old one in place.
        """
        new, has_begun = old.successor(), False
        try:
            self._begin(new)
            has_begun = True
        finally:
            with self._lock:
                if has_begun and self._pending is old and old.state is State.OVERFLOWED:
                    self._pending = new
                    old.close_locked()
                else:
                    new.close_locked()
            self._waiters.notify()

    def _change(self, taken: Taken) -> Change[K]:
        cache, step = self._cache, taken.step
        if step.key is None:
            return Resync()
        if step.new is not None:
            new: Any = Lazy(cache, step.new)
            old: Any = None if step.old is None else Lazy(cache, step.old)
            return Applied(new, old)
        assert step.old is not None
        last: Any = Lazy(cache, step.old)
        return Deleted(last, step.reason not in (None, Reason.DELETED), step.reason)


class _Loop(Generic[T]):
    """An iteration over a subscription: a thread works on what it got until it asks for more.

    That another one may have it when the loop was left, too, is seen by a weak reference. It is no
    generator, for to end that is a step of Python, and an exception that arrives in it is lost.

    :param take: waits for a step, as `Subscription` does.
    :param value_of: gives what is to be returned for it; None passes it over.
    :param done: puts back what was taken and not returned.
    """

    def __init__(self, take: Callable[[Deadline, weakref.ref[Any]], Taken | None],
                 value_of: Callable[[Taken], T | None], done: Callable[[], None]) -> None:
        self._take = take
        self._value_of = value_of
        self._done = done
        self._is_over = False

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        try:
            while not self._is_over:
                taken = self._take(_FOREVER, weakref.ref(self))
                if taken is None:
                    self._is_over = True
                    break
                value = self._value_of(taken)
                # As in `Subscription.get`.
                taken.returned = True
                if value is not None:
                    return value
            raise StopIteration
        except BaseException:
            self._done()
            raise
