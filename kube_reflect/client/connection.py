"""Connections that can be cut from another thread.

The official client keeps its sockets to itself: nobody can end a request that waits for a
connection, for headers or for the next byte. So a watcher gets a private copy of the client it
was given, the same in everything (host, credentials, TLS, proxy, headers) but for the pool of
connections, and this pool tells a `Link` of each socket that it opens.
"""

from __future__ import annotations

import copy
import io
import math
import os
import socket
import ssl
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Mapping
from http.client import HTTPResponse
from queue import Empty, SimpleQueue
from typing import Any, TypeVar
from urllib.parse import urlencode

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family
from urllib3.util.wait import wait_for_write

from kube_reflect import _locks

__all__ = ["Closed", "Link", "Pool"]

T = TypeVar("T")

# How long a connect that nobody answers may go on after `Link.close()`, in seconds.
_CONNECT_SLICE = 0.05
# How much is received at once, in bytes.
_BUFFER = 256 * 1024


class Closed(Exception):
    """The link was closed while something was under way on it."""


class Link:
    """The one connection of a watcher: a handle by which any thread may cut it.

    The socket itself belongs to the thread that reads from it; wrapping it in TLS even replaces
    the Python object. So the link holds a duplicate of the file descriptor: shutting that down
    ends the connection for all, whatever the reader is doing, and there is no telling the wrong
    file of a number that was used again.
    """

    def __init__(self) -> None:
        # Guards the three fields below. It is held for system calls that do not block; reentrant,
        # for a close() in a signal handler.
        self._lock = threading.RLock()
        self._closed = False
        self._duplicate: socket.socket | None = None
        self._fileno = -1
        self._waiting: SimpleQueue[Any] | None = None
        #: Query parameters and headers that the list function has no argument for. Set by the
        #: watcher's thread before a request, read by the same thread within it.
        self.query: Mapping[str, str] = {}
        self.headers: Mapping[str, str] = {}
        #: When an answer is to have come, on the monotonic clock: at first its headers, or all of
        #: it where it is a refusal, then its body. Of the watcher's thread, too.
        self.deadline = math.inf
        #: Seconds for the first of these, from when the client sends the request: a hook for fresh
        #: credentials, or a new client, may have taken long before that.
        self.patience = math.inf
        # Weak, for the pool holds the link.
        self._pool: weakref.ref[Pool] | None = None
        #: Whether the last answer was a 401; the watcher's thread's own.
        self.refused = False
        _locks.register(self)

    def __del__(self) -> None:
        # No lock: nobody else knows of it any more.
        if self._duplicate is not None:
            self._duplicate.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called; may be read from any thread."""
        return self._closed

    def check(self) -> None:
        """Raise Closed if the link is closed."""
        if self._closed:
            raise Closed

    def hold(self, sock: socket.socket) -> None:
        """Take hold of a socket that has just been made."""
        # (A TLS socket refuses to be duplicated itself.)
        duplicate = socket.socket(fileno=os.dup(sock.fileno()))
        with self._lock:
            old, self._duplicate, self._fileno = self._duplicate, duplicate, sock.fileno()
            closed = self._closed
        if old is not None:
            old.close()
        if closed:
            self.cut()
            raise Closed

    def let_go(self) -> None:
        """Have nothing to do with the connection any more: it is somebody else's again."""
        with self._lock:
            duplicate, self._duplicate = self._duplicate, None
        if duplicate is not None:
            duplicate.close()

    def cut(self) -> None:
        """End the connection, and with it whatever waits for it; from any thread."""
        with self._lock:
            duplicate, self._duplicate = self._duplicate, None
        if duplicate is not None:
            try:
                duplicate.shutdown(socket.SHUT_RDWR)
            except OSError:
                # The other side was quicker.
                pass
            duplicate.close()

    def close(self) -> None:
        """Cut, and let no other request begin; from any thread, any number of times."""
        self._closed = True
        waiting = self._waiting
        if waiting is not None:
            waiting.put(None)
        self.cut()
        pool = self._pool() if self._pool is not None else None
        if pool is not None:
            pool.clear()

    def serve(self, pool: Pool) -> None:
        """Take care of a pool: its idle connections are to be closed with the link."""
        self._pool = weakref.ref(pool)

    def apart(self, work: Callable[[], T], timeout: float) -> T:
        """Run what cannot be interrupted on a thread that can be left behind.

        That is a name lookup, and a list function that is not the official client's.

        :raises Closed: when the link is closed meanwhile.
        :raises TimeoutError: after ``timeout`` seconds.
        """
        results: SimpleQueue[tuple[T | None, BaseException | None] | None] = SimpleQueue()
        self._waiting = results
        self.check()

        def run() -> None:
            try:
                results.put((work(), None))
            except BaseException as error:
                results.put((None, error))

        threading.Thread(target=run, name="kube-reflect:request", daemon=True).start()
        try:
            outcome = results.get(timeout=timeout)
        except Empty:
            raise TimeoutError(f"no answer within {timeout:g} s") from None
        finally:
            self._waiting = None
        if outcome is None:
            raise Closed
        value, error = outcome
        if error is not None:
            raise error
        return value  # type: ignore[return-value]

    fork_rank = 0

    def after_fork(self) -> None:
        """Let go, in a child process, of a connection that the parent goes on using.

        A shutdown would end it for the parent, and even a close would have TLS objects that
        still know the number close it again. So the number is kept, but of another file.
        """
        self._lock = threading.RLock()
        self._closed = True
        duplicate, self._duplicate = self._duplicate, None
        if duplicate is None:
            return
        try:
            # The number may have been closed since, and be another file's by now.
            ours = os.fstat(self._fileno).st_ino == os.fstat(duplicate.fileno()).st_ino
        except OSError:
            ours = False
        duplicate.close()
        if ours:
            with socket.socket(socket.AF_UNIX) as unconnected:
                os.dup2(unconnected.fileno(), self._fileno, inheritable=False)


def _resolve(link: Link, host: str, port: int, timeout: float) -> list[Any]:
    family = allowed_gai_family()

    def lookup(flags: int = 0) -> list[Any]:
        return socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, flags)

    try:
        return lookup(socket.AI_NUMERICHOST)
    except socket.gaierror:
        return link.apart(lookup, timeout)


def _connect(link: Link, sock: socket.socket, address: Any, deadline: float) -> None:
    """Connect, looking at the link between short waits."""
    sock.setblocking(False)
    try:
        sock.connect(address)
    except BlockingIOError:
        while not wait_for_write(sock, timeout=_CONNECT_SLICE):
            link.check()
            if time.monotonic() >= deadline:
                raise TimeoutError("timed out") from None
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error)) from None
    sock.setblocking(True)


class _Received(io.RawIOBase):
    """What comes from a socket until the link's deadline.

    The timeout of the socket itself is for silence: a byte now and then puts it off for ever.
    """

    def __init__(self, sock: Any, link: Link) -> None:
        self._raw = sock.makefile("rb", 0)
        # (Wrapped by another than the ssl module, it is the socket within that has the timeout.)
        self._sock = getattr(sock, "socket", sock)
        self._link = link

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._link.deadline - time.monotonic()
        silence = self._sock.gettimeout()
        if left >= (math.inf if silence is None else silence):
            return self._raw.readinto(buffer)  # type: ignore[no-any-return]
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        try:
            return self._raw.readinto(buffer)  # type: ignore[no-any-return]
        finally:
            self._sock.settimeout(silence)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(HTTPResponse):
    """An answer that is received in large pieces, of many lines each, and has a deadline.

    Each piece lets other threads have the interpreter, and when several of them compute it is
    milliseconds before it comes back.
    """

    def __init__(self, link: Link, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_Received(sock, link), _BUFFER)


class _Tidy:
    """Closes what the ssl module leaves open, of a connection cut before its TLS began."""

    link: Link

    def response_class(self, sock: socket.socket, *args: Any, **kwargs: Any) -> HTTPResponse:
        """Make an answer, also that of a proxy to a CONNECT."""
        return _Answer(self.link, sock, *args, **kwargs)

    def connect(self) -> None:
        try:
            super().connect()  # type: ignore[misc]
        except OSError as error:
            for frame, _ in traceback.walk_tb(error.__traceback__):
                half_made = frame.f_locals.get("self")
                if isinstance(half_made, ssl.SSLSocket):
                    half_made.close()
            raise


class _Held(_Tidy):
    """What a connection class of urllib3 becomes by holding on to a link (a mixin)."""

    def _new_conn(self: Any) -> socket.socket:
        link = self.link
        # urllib3 gives None for no timeout, which no request of ours has.
        timeout = self.timeout if isinstance(self.timeout, (int, float)) else 60.0
        deadline = time.monotonic() + timeout
        host = self._dns_host.strip("[]")
        try:
            addresses = _resolve(link, host, self.port, timeout)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"looking up {host} took too long") from error
        failure: OSError = OSError(f"{host} has no address")
        for family, kind, protocol, _, address in addresses:
            link.check()
            sock = socket.socket(family, kind, protocol)
            try:
                # Before it connects: a fork may come while it does.
                link.hold(sock)
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                if self.source_address:
                    sock.bind(self.source_address)
                _connect(link, sock, address, deadline)
                link.check()
                sock.settimeout(timeout)
                return sock
            except OSError as error:
                sock.close()
                failure = error
            except BaseException:
                sock.close()
                raise
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, f"no connection to {host} within {timeout:g} s")
        raise NewConnectionError(self, f"no connection to {host}: {failure}") from failure


class _HeldLater(_Tidy):
    """The same for a connection class that has its own way to connect (a mixin)."""

    def _new_conn(self) -> socket.socket:
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        self.link.hold(sock)
        return sock


class Pool:
    """The part of a `urllib3.PoolManager` that the official client calls, on a link."""

    def __init__(self, original: urllib3.PoolManager, link: Link) -> None:
        manager = copy.copy(original)
        manager.pools = type(original.pools)(4, dispose_func=None)
        # No retries and no sleeps in there: they could be neither counted nor interrupted.
        retries = urllib3.Retry(
            total=None, connect=0, read=0, status=0, other=0, redirect=3,
            respect_retry_after_header=False, raise_on_status=False, raise_on_redirect=False)
        manager.connection_pool_kw = {
            **original.connection_pool_kw, "maxsize": 1, "block": False, "retries": retries,
        }
        manager.pool_classes_by_scheme = {
            scheme: _held_pool(pool_class, link)
            for scheme, pool_class in original.pool_classes_by_scheme.items()
        }
        self._manager = manager
        self._link = link
        link.serve(self)

    def request(self, method: str, url: str, *, headers: Any = None, **kwargs: Any) -> Any:
        link = self._link
        link.check()
        if link.query:
            url += ("&" if "?" in url else "?") + urlencode(link.query)
        kwargs.pop("retries", None)
        link.deadline = time.monotonic() + link.patience
        response = self._manager.request(
            method, url, headers={**(headers or {}), **link.headers}, **kwargs)
        link.refused = response.status == 401
        return response

    def clear(self) -> None:
        self._manager.clear()


def _held_pool(pool_class: Any, link: Link) -> Any:
    connection_class = pool_class.ConnectionCls
    if not issubclass(connection_class, HTTPConnection):
        return pool_class
    # A proxy's connection class (SOCKS) connects in its own way; it is held once it has.
    mixin = _Held if connection_class._new_conn is HTTPConnection._new_conn else _HeldLater
    held = type("Held" + connection_class.__name__, (mixin, connection_class), {"link": link})
    return type("Held" + pool_class.__name__, (pool_class,), {"ConnectionCls": held})
