"""A connection that any thread may end, whatever the reading thread is doing.

The official client keeps its sockets to itself: nobody can end a request that waits for a
connection, for headers or for the next byte. So each socket is attached to a `ConnectionHandle`
as soon as there is one.
"""

from __future__ import annotations

import math
import os
import socket
import threading
from collections.abc import Callable
from typing import TypeVar

from kube_reflect.ground import locks
from kube_reflect.ground.threads import Wakeup, start_here

__all__ = ["Closed", "ConnectionHandle"]

T = TypeVar("T")

_NOW = locks.Deadline(0)


class Closed(Exception):
    """The handle was closed while something was under way on it."""


class ConnectionHandle:
    """The one connection of a watcher: a handle by which any thread may end it.

    The socket itself belongs to the thread that reads from it; wrapping it in TLS even replaces
    the Python object. So the handle holds a duplicate of the file descriptor: shutting that down
    ends the connection for all, whatever the reader is doing, and there is no telling the wrong
    file of a number that was used again. While several addresses are tried there are several.
    """

    def __init__(self) -> None:
        # Guards the duplicates. It is held for system calls that do not block; reentrant, for a
        # close() in a signal handler.
        self._lock = locks.new_lock()
        #: Whether `close` was called; may be read from any thread.
        self.closed = False
        #: By the number of the file that each duplicates.
        self._duplicates: dict[int, socket.socket] = {}
        self._waiting: Wakeup | None = None
        #: How many sockets were attached so far.
        self.attached = 0
        #: When an answer is to have come, on the monotonic clock: at first its headers, or all of
        #: it where it is a refusal, then its body. The requesting thread's own.
        self.deadline = math.inf
        locks.register(self, ConnectionHandle._after_fork, 0)

    @property
    def connected(self) -> bool:
        """Whether it has a socket attached, and is not closed; may be read from any thread."""
        return bool(self._duplicates) and not self.closed

    def check(self) -> None:
        """Raise Closed if the handle is closed."""
        if self.closed:
            raise Closed

    def attach(self, sock: socket.socket) -> None:
        """Attach a socket that has just been made, beside those that are attached.

        :raises Closed: if the handle is closed; the socket is then shut down.
        """
        # (A TLS socket refuses to be duplicated itself.)
        fileno = sock.fileno()
        duplicate = socket.socket(fileno=os.dup(fileno))
        with self._lock:
            # (One with the same number was closed meanwhile.)
            self.attached += 1
            old = self._duplicates.get(fileno)
            self._duplicates[fileno] = duplicate
        if old is not None:
            old.close()
        if self.closed:
            self.shutdown()
            raise Closed

    def shutdown(self) -> None:
        """End the connection, and with it whatever waits for it; from any thread."""
        self.detach(shutdown=True)

    def detach(self, fileno: int | None = None, *, shutdown: bool = False) -> None:
        """Leave a connection alone from now on: it is somebody else's, or closed.

        :param fileno: which one; without it, all.
        :param shutdown: end it first.
        """
        with self._lock:
            for number in list(self._duplicates) if fileno is None else [fileno]:
                duplicate = self._duplicates.get(number)
                if duplicate is None:
                    continue
                if shutdown:
                    try:
                        duplicate.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        # The other side was quicker.
                        pass
                duplicate.close()
                # It keeps its place until then: who is interrupted may try again.
                self._duplicates.pop(number, None)
        if self.closed and self._duplicates:
            # Closed meanwhile, by who did not wait for the lock.
            self.shutdown()

    def close(self) -> None:
        """Shut down, and let no other request begin; from any thread, any number of times."""
        self.closed = True
        waiting = self._waiting
        if waiting is not None:
            waiting.set()
        # Else the thread that has the lock shuts down, when it sees that this is closed.
        if locks.wait_until_free(_NOW, self._lock):
            self.shutdown()

    def run_abandonable(self, work: Callable[[], T], timeout: float) -> T:
        """Run what cannot be interrupted on a thread that can be left behind.

        That is a name lookup, a proxy's handshake, and a list function that is not the official
        client's.

        :param timeout: seconds.
        :raises Closed: when the handle is closed meanwhile.
        :raises TimeoutError: after ``timeout`` seconds.
        """
        outcome: list[tuple[T | None, BaseException | None]] = []
        self._waiting = wakeup = Wakeup()
        self.check()

        def run() -> None:
            try:
                outcome.append((work(), None))
            except BaseException as error:
                outcome.append((None, error))
            wakeup.set()

        start_here(threading.Thread(target=run, name="kube-reflect:request", daemon=True))
        try:
            if not wakeup.wait(timeout):
                raise TimeoutError(f"no answer within {timeout:g} s")
        finally:
            self._waiting = None
        if not outcome:
            raise Closed
        value, error = outcome[0]
        if error is not None:
            raise error
        return value  # type: ignore[return-value]

    def _after_fork(self) -> None:
        """Leave, in a child process, the connections alone that the parent goes on using.

        A shutdown would end them for the parent, and even a close would have TLS objects that
        still know the number close it again. So the number is kept, but of another file.
        """
        self.closed = True
        duplicates, self._duplicates = self._duplicates, {}
        for fileno, duplicate in duplicates.items():
            try:
                # The number may have been closed since, and be another file's by now.
                ours = os.fstat(fileno).st_ino == os.fstat(duplicate.fileno()).st_ino
            except OSError:
                ours = False
            duplicate.close()
            if ours:
                with socket.socket(socket.AF_UNIX) as unconnected:
                    os.dup2(unconnected.fileno(), fileno, inheritable=False)
