"""urllib3's pool and connections, attached to a `ConnectionHandle`."""

from __future__ import annotations

import copy
import inspect
import io
import math
import socket
import ssl
import time
import traceback
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPResponse
from typing import Any, TypeVar
from urllib.parse import urlencode

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from kube_reflect.client import addresses, versions
from kube_reflect.client.connection import ConnectionHandle
from kube_reflect.client.failures import RequestError, is_cut, is_of_tls, refused
from kube_reflect.client.tls import share_context

__all__ = ["Door", "attached_manager", "error_body", "is_attachable", "unpatched_copy"]

T = TypeVar("T")

#: How much is received at once, in bytes.
_BUFFER = 256 * 1024
#: How much of an error's body is read, in bytes.
_ERROR_BODY = 64 * 1024
#: No retries and no sleeps in there: they could be neither counted nor interrupted.
_RETRIES = urllib3.Retry(
    total=None, connect=0, read=0, status=0, other=0, redirect=3,
    respect_retry_after_header=False, raise_on_status=False, raise_on_redirect=False)
#: Seconds for a connection that was given no timeout; ours all are.
_TIMEOUT = 60.0


@dataclass(eq=False, repr=False)
class Door:
    """The part of a `urllib3.PoolManager` that the official client calls, for one request.

    It also has what came of that; it is the requesting thread's own.

    :param manager: that of the client, or an `attached_manager`.
    :param header_timeout: seconds until the headers of the answer are there, or all of it where
        it is a refusal. They count from when the client sends the request: a hook for fresh
        credentials, or a new client, may have taken long before that.
    :param query: parameters of the query, as in the URL, beside those of the list function.
    :param headers: in place of the list function's.
    """

    manager: Any
    handle: ConnectionHandle
    header_timeout: float
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Whether other credentials might help: after a 401, and where TLS has failed.
    needs_credentials = False
    #: What the pool answered, whatever the list function makes of it.
    response: Any = None

    def request(self, method: str, url: str, *, headers: Any = None, fields: Any = None,
                **kwargs: Any) -> Any:
        """Send the request; raise for a refusal before the client can.

        :raises RequestError: for an answer that is no success.
        """
        handle = self.handle
        handle.check()
        # Some versions of the client have the query in the URL, others leave it to urllib3.
        query = [*_pairs(fields), *_pairs(self.query)]
        if query:
            url += ("&" if "?" in url else "?") + urlencode(query)
        kwargs["retries"] = _RETRIES
        handle.deadline = time.monotonic() + self.header_timeout
        kwargs["headers"] = {**(headers or {}), **self.headers}
        before = handle.attached
        try:
            try:
                response = self.manager.request(method, url, **kwargs)
            except Exception as error:
                idle = handle.connected and handle.attached == before
                if not idle or not is_cut(error):
                    raise
                # The connection was cut while it was idle, which nobody could have seen sooner.
                response = self.manager.request(method, url, **kwargs)
        except Exception as error:
            self.needs_credentials = is_of_tls(error)
            raise
        if "," in response.headers.get("Content-Encoding", ""):
            # A few bytes compressed twice may become gigabytes, which urllib3 up to 2.5 unpacks at
            # once.
            response.close()
            raise RequestError("the answer is compressed more than once")
        if not 200 <= response.status <= 299:
            self.needs_credentials = response.status == 401
            raise refused(response.status, response.headers, error_body(response))
        self.response = response
        return response


def _pairs(fields: Any) -> list[tuple[str, Any]]:
    pairs = fields.items() if isinstance(fields, Mapping) else fields or ()
    # The API server understands "true", not "True".
    return [(name, str(value).lower() if isinstance(value, bool) else value)
            for name, value in pairs]


def error_body(response: Any) -> bytes:
    """Read the beginning of a refusal's body, and hang up."""
    try:
        return response.read(_ERROR_BODY, decode_content=True)  # type: ignore[no-any-return]
    except Exception:
        return b""
    finally:
        response.close()


def unpatched_copy(original: T) -> T:
    """Return a copy of an object without the methods that were put on it, and not on its class.

    `kubernetes.stream.stream` does so while it runs, and leaves it so: through such a client all
    that is asked for would go over a websocket.
    """
    copied = copy.copy(original)
    for name in list(vars(copied)):
        if inspect.isroutine(getattr(type(copied), name, None)):
            del vars(copied)[name]
    return copied


def is_attachable(manager: Any) -> bool:
    """Return whether connections of such a pool can be attached to a handle.

    Not those that a test has put in the place of urllib3's, to record answers.
    """
    return all(issubclass(one.ConnectionCls, HTTPConnection)
               and one.ConnectionCls.getresponse.__module__ in ("urllib3.connection", "http.client")
               for one in manager.pool_classes_by_scheme.values())


def attached_manager(original: urllib3.PoolManager, handle: ConnectionHandle) -> Any:
    """Copy a pool, the same in everything but that its connections are attached to the handle."""
    manager: Any = unpatched_copy(original)
    manager.pools = type(original.pools)(4, dispose_func=_dispose)
    manager.connection_pool_kw = {**original.connection_pool_kw, "maxsize": 1, "block": False}
    manager.pool_classes_by_scheme = {
        scheme: _attached_pool(pool_class, handle)
        for scheme, pool_class in original.pool_classes_by_scheme.items()
    }
    return manager


def _dispose(pool: Any) -> None:
    """Close a pool, and call off what urllib3 would do when it is forgotten: that is done now.

    It would be done in whichever thread lets go of the pool, and what interrupts it be lost.
    """
    for ref in weakref.getweakrefs(pool):
        if isinstance(ref.__callback__, weakref.finalize):
            ref.__callback__.detach()
    pool.close()


def _attached_pool(pool_class: Any, handle: ConnectionHandle) -> Any:
    connection_class = pool_class.ConnectionCls
    # A proxy's connection class (SOCKS) connects in its own way; it is attached once it has.
    direct = connection_class._new_conn is HTTPConnection._new_conn
    mixin = _Attached if direct else _AttachedLater
    # (With the names of the originals, which appear in errors.)
    attached = type(connection_class.__name__, (mixin, connection_class), {"handle": handle})
    return type(pool_class.__name__, (pool_class,), {"ConnectionCls": attached})


class _Received(io.RawIOBase):
    """What comes from a socket until the handle's deadline.

    The socket's own timeout is for silence only: a byte now and then begins it anew, for ever.
    """

    def __init__(self, sock: Any, handle: ConnectionHandle) -> None:
        self._raw = sock.makefile("rb", 0)
        # (Where TLS is not by the ssl module, the socket within has the timeout.)
        self._sock = getattr(sock, "socket", sock)
        self._handle = handle

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._handle.deadline - time.monotonic()
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


class Answer(HTTPResponse):
    """An answer that is received in large pieces, of many lines each, and has a deadline.

    Each piece lets other threads have the interpreter, and when several of them compute it is
    milliseconds before it comes back.
    """

    def __init__(self, handle: ConnectionHandle, sock: socket.socket, *args: Any,
                 **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_Received(sock, handle), _BUFFER)

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        # The parent goes on reading after a 100 only; 102 and 103 are no answers either.
        return version, 100 if 101 < status < 200 else status, reason


class _Tidy:
    """Closes what the ssl module leaves open, of a connection cut before its TLS began."""

    handle: ConnectionHandle

    def __repr__(self: Any) -> str:
        return f"<connection to {self.host}:{self.port}>"

    def response_class(self, sock: socket.socket, *args: Any, **kwargs: Any) -> HTTPResponse:
        """Make an answer, also that of a proxy to a CONNECT."""
        return Answer(self.handle, sock, *args, **kwargs)

    def connect(self) -> None:
        if hasattr(self, "ssl_context"):
            share_context(self)
        try:
            super().connect()  # type: ignore[misc]
        except OSError as error:
            for frame, _ in traceback.walk_tb(error.__traceback__):
                half_made = frame.f_locals.get("self")
                if isinstance(half_made, ssl.SSLSocket):
                    half_made.close()
            raise


class _Attached(_Tidy):
    """What a connection class of urllib3 becomes by being attached to a handle (a mixin)."""

    def _new_conn(self: Any) -> socket.socket:
        # The one before is of no more use.
        self.handle.detach()
        timeout = self.timeout if isinstance(self.timeout, (int, float)) else _TIMEOUT
        deadline = time.monotonic() + timeout
        host = self._dns_host.strip("[]")
        try:
            found = addresses.resolve(self.handle, host, self.port, timeout)
        except socket.gaierror as error:
            raise versions.name_resolution_error(self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(f"looking up {host} took too long") from error
        try:
            sock = addresses.connect(self.handle, found, deadline - time.monotonic(),
                                     self.socket_options or (), self.source_address)
        except TimeoutError as error:
            raise ConnectTimeoutError(
                f"no connection to {host} within {timeout:g} s") from error
        except OSError as error:
            raise NewConnectionError(self, f"no connection to {host}: {error}") from error
        sock.settimeout(timeout)
        return sock


class _AttachedLater(_Tidy):
    """The same for a connection class that has its own way to connect (a mixin)."""

    def _new_conn(self: Any) -> socket.socket:
        self.handle.detach()
        connect = super()._new_conn  # type: ignore[misc]

        def run() -> socket.socket:
            sock: socket.socket = connect()
            try:
                self.handle.attach(sock)
            except BaseException:
                sock.close()
                raise
            return sock

        timeout = self.timeout if isinstance(self.timeout, (int, float)) else _TIMEOUT
        try:
            # The proxy's handshake is read from a socket that nobody else knows.
            return self.handle.run_abandonable(run, timeout)  # type: ignore[no-any-return]
        except TimeoutError as error:
            raise ConnectTimeoutError(
                f"no connection through the proxy within {timeout:g} s") from error
