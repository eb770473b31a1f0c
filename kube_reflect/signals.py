"""Stopping a script well: on SIGTERM and SIGINT, after what it is about, at once where it waits."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

from kube_reflect.ground.locks import Deadline, Waiters

__all__ = ["Stop", "stop_on_signals"]

#: Seconds after which the main thread looks whether there was a signal. One that arrives just as it
#: falls asleep does not wake it, and a handler of Python's runs in no other thread.
_LOOK_AGAIN = 0.1
#: A process of this number ignores what kills others: the first in a container.
_INIT = 1


class _Stopped(BaseException):
    """Raised by a signal amid `Stop.at_once`; `stop_on_signals` catches it."""


class Stop:
    """Whether a program is to stop; made by `stop_on_signals`, or by hand in a test.

    It is like a `threading.Event` that may be set in a signal handler, also in one that
    interrupts its own wait. All methods but `at_once` may be called from any thread.
    """

    def __init__(self) -> None:
        #: The signal that said so, if one did.
        self.signal: signal.Signals | None = None
        self._set = False
        self._waiters = Waiters()
        self._at_once = 0

    def is_set(self) -> bool:
        """Return whether the program is to stop."""
        return self._set

    def set(self) -> None:
        """Stop the program: wake all who wait."""
        self._set = True
        self._waiters.notify()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the program is to stop; return whether it is.

        :param timeout: seconds, or None to wait for as long as it takes.
        """
        end = math.inf if timeout is None else time.monotonic() + timeout
        is_main = threading.current_thread() is threading.main_thread()
        longest = _LOOK_AGAIN if is_main else math.inf
        while not self._set and (left := end - time.monotonic()) > 0:
            self._waiters.wait_for(self.is_set, Deadline(min(left, longest)))
        return self._set

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Let a signal break off what this block does, and leave the ``stop_on_signals`` block.

        For what may wait for long and can be left anywhere, such as ``wait_until_ready`` or
        ``serve_forever``; in the main thread.
        """
        self._at_once += 1
        try:
            if self.signal is not None:
                raise _Stopped
            yield
        finally:
            self._at_once -= 1

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            # Process 1 of a container gets here at the second signal; nothing else would end it.
            os._exit(128 + number)
        self.signal = signal.Signals(number)
        self.set()
        if self._at_once:
            raise _Stopped


@contextlib.contextmanager
def stop_on_signals(*signals: int) -> Iterator[Stop]:
    """Let SIGTERM and SIGINT ask the program to stop, in the place of killing it.

    A signal sets what this gives: ``while not stop.wait(1)`` ends at once, and the program's
    other waits where they are within ``stop.at_once()``. A second signal ends the process on
    the spot. Afterwards the handlers are those of before. A signal that is ignored stays so.

    What takes long and does not look at it holds up the end: make the client before, for the
    first use of ``client.CoreV1Api`` imports for a second.

    :param signals: others than these two.
    :raises RuntimeError: in another thread than the main one, where Python lets nobody set
        handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("stop_on_signals works in the main thread only; other threads are "
                           "given what it gives")
    stop = Stop()
    before: dict[int, Any] = {}

    def on_signal(number: int, frame: FrameType | None) -> None:
        if os.getpid() != _INIT:
            # Even if the program hangs in C from now on.
            for one in before:
                signal.signal(one, signal.SIG_DFL)
        stop._on_signal(number, frame)

    try:
        for number in signals or (signal.SIGTERM, signal.SIGINT):
            handler = signal.getsignal(number)
            if handler is not signal.SIG_IGN:
                before[number] = handler
                signal.signal(number, on_signal)
        yield stop
    except _Stopped:
        pass
    finally:
        for number, handler in before.items():
            # A handler that was not set from Python is None.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
