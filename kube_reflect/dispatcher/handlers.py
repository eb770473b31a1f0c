"""Handlers: callbacks on a thread of their own, behind a subscription."""

from __future__ import annotations

import enum
import inspect
import logging
import threading
from collections.abc import Callable
# By its name, for tests put others in the place of `time.sleep`.
from time import sleep
from traceback import walk_tb
from typing import Generic, TypeVar

from kube_reflect.dispatcher.changes import Applied, Change, Deleted, Resync
from kube_reflect.dispatcher.subscription import Subscription
from kube_reflect.errors import FieldError
from kube_reflect.ground import locks
from kube_reflect.ground.locks import new_lock
from kube_reflect.ground.threads import join_thread, start_thread

__all__ = ["Handler"]

logger = logging.getLogger(__name__)

K = TypeVar("K")

#: How many causes of failures, or objects, are counted each by itself; all others are one.
_CAUSES = 100
#: Seconds of rest after what should not happen: that a change cannot be taken.
_REST = 1.0


class Failures:
    """Counts what goes wrong in one handler, and logs it: each cause once, then now and then.

    Only the handler's thread writes it.

    :param name: of the handler, for the log.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.count = 0
        self._counts: dict[tuple[str, ...], int] = {}

    def record(self, what: str, change: object, error: BaseException) -> None:
        """Count a failure; whatever the log does, the caller goes on.

        :param what: what has failed: which callback.
        """
        self.count += 1
        try:
            self._log(what, change, error)
        except BaseException:
            # The log itself has failed, so there is nowhere to say it.
            pass

    def _log(self, what: str, change: object, error: BaseException) -> None:
        # The object's fault, not the callback's.
        is_of_object = isinstance(error, FieldError)
        cause = ((what, str(change)) if is_of_object
                 else (what, type(error).__name__, *_place_of(error)))
        if cause not in self._counts and len(self._counts) >= _CAUSES:
            cause = ("", "others")
        times = self._counts[cause] = self._counts.get(cause, 0) + 1
        if times > 1 and str(times).strip("0") != "1":
            return
        again = "" if times == 1 else f" ({times} times by now)"
        if is_of_object:
            logger.warning("%s: %s could not read all of %r: %s%s", self._name, what, change,
                           error, again)
        elif times == 1:
            logger.error("%s: %s: a callback failed for %r", self._name, what, change,
                         exc_info=error)
        else:
            logger.error("%s: %s: a callback failed for %r: %r%s", self._name, what, change,
                         error, again)


class _State(enum.Enum):
    NEW = "not started"
    RUNNING = "running"
    #: The thread has ended, as the writer has.
    STOPPED = "stopped"
    #: No other state follows: who sets one looks first, without a call between.
    REMOVED = "removed"


class Handler(Generic[K]):
    """Callbacks that are told of each change, one at a time, on a thread of their own.

    They may block, raise (it is counted, and logged once for each cause and then now and then; the
    next change comes, whatever was raised), and close the reflector. A callback is never called
    twice for one change. When the reflector is closed and started again, they are told of what has
    changed since. Made by `Reflector.add_handler`.

    :param name: of the handler, and of its thread.
    :param on_add: and the others: see `Reflector.add_handler`.
    :param subscribe: returns a lasting subscription; called once, at the first start.
    :param forget: called when the handler is removed.
    :raises TypeError: for what cannot be called.
    :raises ValueError: if there is nothing to call.
    """

    def __init__(self, name: str, on_add: Callable[[K], object] | None,
                 on_update: Callable[[K, K], object] | None,
                 on_delete: Callable[..., object] | None,
                 on_resync: Callable[[], object] | None,
                 subscribe: Callable[[], Subscription[K]],
                 forget: Callable[[Handler[K]], object]) -> None:
        callbacks: dict[str, Callable[..., object] | None] = {
            "on_add": on_add, "on_update": on_update, "on_delete": on_delete,
            "on_resync": on_resync}
        for what, function in callbacks.items():
            if function is not None and not callable(function):
                raise TypeError(f"{what} must be callable: {function!r}")
        if not any(callbacks.values()):
            raise ValueError(f"a handler needs at least one of {', '.join(callbacks)}")
        self.name = name
        self._callbacks = callbacks
        self._wants_reason = _takes_reason(on_delete)
        self._subscribe = subscribe
        self._forget = forget
        self._failures = Failures(name)
        # Guards the three below.
        self._lock = new_lock()
        # The thread itself says that it runs, and that it does not any more.
        self._state = _State.NEW
        self._subscription: Subscription[K] | None = None
        # The one that was started last.
        self._thread: threading.Thread | None = None
        locks.register(self, Handler._after_fork, 2)

    def __repr__(self) -> str:
        return (f"<Handler {self.name} {self._state.value}, {self.pending} pending, "
                f"{self.errors} errors>")

    @property
    def errors(self) -> int:
        """How often a callback has raised."""
        return self._failures.count

    @property
    def pending(self) -> int:
        """How many changes the callbacks have not been told of yet; takes no lock."""
        subscription = self._subscription
        return 0 if subscription is None else subscription.pending

    @property
    def dropped(self) -> int:
        """How many changes were coalesced with others, or dropped; see `Subscription.dropped`."""
        subscription = self._subscription
        return 0 if subscription is None else subscription.dropped

    def start(self) -> None:
        """Call the callbacks from now on, if that is not being done; the reflector calls it.

        The first time begins with all that is there. It is to be called once there is a writer
        again: the thread ends, when nothing is pending, if there is none.
        """
        with self._lock:
            if self._state in (_State.RUNNING, _State.REMOVED):
                return
            if self._subscription is None:
                self._subscription = self._subscribe()
            # A thread that was started just before, and does not run yet, will see that it is not
            # `_thread` any more, and end.
            self._thread = threading.Thread(target=self._run, args=(self._subscription,),
                                            name=f"kube-reflect:{self.name}", daemon=True)
            start_thread(self._thread)

    def remove(self) -> None:
        """End the calls; a callback that is running ends by itself. From any thread."""
        with self._lock:
            self._state = _State.REMOVED
            subscription = self._subscription
        if subscription is not None:
            subscription.close()
        self._forget(self)

    def _after_fork(self) -> None:
        """Forget the thread, in a child process: it is the parent's."""
        if not self.is_current_thread():
            self._thread = None
            if self._state is _State.RUNNING:
                self._state = _State.STOPPED

    def is_current_thread(self) -> bool:
        """Return whether this is the thread that calls the callbacks."""
        return self._thread is threading.current_thread()

    def join(self, timeout: float | None) -> bool:
        """Wait for the thread to end, unless it is this one; return whether it has.

        :param timeout: seconds, or None for as long as it takes.
        """
        thread = self._thread
        return thread is None or join_thread(thread, timeout)

    def _run(self, subscription: Subscription[K]) -> None:
        with self._lock:
            if not self.is_current_thread():
                return
            if self._state is not _State.REMOVED:
                self._state = _State.RUNNING
        # Nothing that a callback raises ends this thread, not SystemExit either: nobody would
        # notice that the callbacks are told of nothing more.
        while True:
            try:
                change = subscription.get()
            except BaseException as error:
                self._failures.record("take", subscription, error)
                sleep(_REST)
                continue
            if self._state is _State.REMOVED:
                # For the second time, if `remove` was not interrupted.
                subscription.close()
            elif change is not None:
                self._call(change)
                continue
            if self._ends(subscription):
                return

    def _ends(self, subscription: Subscription[K]) -> bool:
        """End, unless the writer has begun again meanwhile; `start` begins anew after it."""
        with self._lock:
            if not subscription.has_ended:
                return False
            if self._state is not _State.REMOVED:
                self._state = _State.STOPPED
            return True

    def _call(self, change: Change[K]) -> None:
        if isinstance(change, Applied):
            what = "on_add" if change.is_new else "on_update"
        else:
            what = "on_delete" if isinstance(change, Deleted) else "on_resync"
        callback = self._callbacks[what]
        if callback is None:
            return
        try:
            match change:
                case Resync():
                    callback()
                case _ if change.object is None:
                    # It cannot be parsed, as the store has counted.
                    pass
                case Deleted() if self._wants_reason:
                    callback(change.object, reason=change.reason)
                case Applied() if not change.is_new:
                    callback(change.old, change.object)
                case _:
                    callback(change.object)
        except BaseException as error:
            self._failures.record(what, change, error)


def _takes_reason(function: Callable[..., object] | None) -> bool:
    try:
        return function is not None and "reason" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


def _place_of(error: BaseException) -> tuple[str, ...]:
    """Return where an exception was raised, which was caught."""
    *_, (frame, line) = walk_tb(error.__traceback__)
    return frame.f_code.co_filename, str(line)
