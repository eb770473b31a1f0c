"""Handlers: callbacks on a thread of their own, behind a subscription."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from kube_reflect.dispatcher.subscription import Applied, Deleted, Subscription

__all__ = ["Handler"]

logger = logging.getLogger("kube_reflect")


class Handler:
    """Callbacks that are told of each change, one at a time, on a thread of their own.

    They may block, raise (it is logged and counted, and the next change comes), and close the
    reflector. Made by `Reflector.add_handler`.
    """

    def __init__(self, name: str, on_add: Callable[[Any], object] | None,
                 on_update: Callable[[Any, Any], object] | None,
                 on_delete: Callable[[Any], object] | None,
                 on_resync: Callable[[], object] | None,
                 subscribe: Callable[[], Subscription[Any]],
                 forget: Callable[[Handler], None]) -> None:
        for what, function in (("on_add", on_add), ("on_update", on_update),
                               ("on_delete", on_delete), ("on_resync", on_resync)):
            if function is not None and not callable(function):
                raise TypeError(f"{what} must be callable: {function!r}")
        if not any((on_add, on_update, on_delete, on_resync)):
            raise ValueError("a handler needs at least one of on_add, on_update, on_delete, "
                             "on_resync")
        self.name = name
        self._on_add = on_add
        self._on_update = on_update
        self._on_delete = on_delete
        self._on_resync = on_resync
        self._subscribe = subscribe
        self._forget = forget
        self._subscription: Subscription[Any] | None = None
        self._thread: threading.Thread | None = None
        #: How often a callback has raised; written by the handler's thread.
        self.errors = 0

    def start(self) -> None:
        """Begin with all that is there; the reflector calls it, under its lock."""
        before = self._thread
        if before is not None and before.is_alive():
            if self._subscription is not None and not self._subscription.is_over:
                return
            # It still works on what was pending when the reflector was closed.
        else:
            before = None
        subscription = self._subscription = self._subscribe()
        self._thread = threading.Thread(target=self._run, args=(subscription, before),
                                        name=f"kube-reflect:{self.name}", daemon=True)
        self._thread.start()

    def remove(self) -> None:
        """Hear of nothing more; a callback that is running ends by itself. From any thread."""
        self._forget(self)
        if self._subscription is not None:
            self._subscription.close()

    def after_fork(self) -> None:
        """Hear that this is a child process: the thread is the parent's."""
        if not self.is_current_thread():
            if self._subscription is not None:
                # The thread's stack holds it for ever, and nobody takes from it any more.
                self._subscription.close()
            self._thread = self._subscription = None

    def is_current_thread(self) -> bool:
        """Whether this is the thread that calls the callbacks."""
        return self._thread is threading.current_thread()

    def join(self, timeout: float | None) -> bool:
        """Wait for the thread to end; tell whether it has."""
        thread = self._thread
        if thread is None:
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def _run(self, subscription: Subscription[Any], before: threading.Thread | None) -> None:
        if before is not None:
            before.join()
        try:
            for change in subscription:
                try:
                    self._tell(change)
                except Exception:
                    self.errors += 1
                    logger.exception("%s: a callback failed for %r", self.name, change)
        except BaseException as error:
            logger.error("%s: the thread died of %r; its callbacks hear of nothing more",
                         self.name, error)
            raise

    def _tell(self, change: Any) -> None:
        match change:
            case Deleted():
                if self._on_delete is not None:
                    self._on_delete(change.object)
            case Applied() if change.is_new:
                if self._on_add is not None:
                    self._on_add(change.object)
            case Applied():
                if self._on_update is not None:
                    self._on_update(change.old, change.object)
            case _:
                if self._on_resync is not None:
                    self._on_resync()
