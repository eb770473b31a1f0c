"""A threaded HTTP/1.1 server, and what a handler can do with one exchange."""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from http import HTTPStatus
from typing import BinaryIO, cast

from kube_reflect.testing._reading import BadRequest, read_body, read_head
from kube_reflect.testing._requests import Request

logger = logging.getLogger(__name__)

_BUFFER = 65536
_HANDSHAKE_TIMEOUT = 5.0


class Disconnected(Exception):
    """The client, or the closing server, ended the connection."""


class Exchange:
    """One request and the way to answer it; for the thread of its connection only.

    All bytes go through :meth:`write`, so that a plan may do as it likes: send half a line, wait,
    reset, or let the server :meth:`proceed` as usual.
    """

    def __init__(self, request: Request, sock: socket.socket,
                 proceed: Callable[[Exchange], None]) -> None:
        self.request = request
        self.sock = sock
        self.started = False
        self.keep_alive = "close" not in request.headers.get("connection").lower()
        self._proceed = proceed
        self._wakeup: tuple[socket.socket, socket.socket] | None = None
        self._selector: selectors.BaseSelector | None = None
        self._signalled = False

    def proceed(self) -> None:
        """Answer as the server would without a plan."""
        self._proceed(self)

    def write(self, data: bytes) -> None:
        """Send bytes as they are.

        :raises Disconnected: the connection is gone.
        """
        self.started = True
        try:
            self.sock.sendall(data)
        except (OSError, ValueError) as error:
            raise Disconnected from error

    def head(self, code: int, headers: Iterable[tuple[str, str]]) -> bytes:
        """The status line and headers, to which Date is added."""
        lines = [f"HTTP/1.1 {code} {_reason(code)}"]
        lines += [f"{name}: {value}" for name, value in headers]
        lines.append(f"Date: {formatdate(usegmt=True)}")
        if not self.keep_alive:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n").encode("latin-1")

    def send(self, code: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        """Send a whole response with a Content-Length."""
        head = self.head(code, headers)
        length = f"Content-Length: {len(body)}\r\n\r\n".encode()
        self.write(head + length + (b"" if self.request.method == "HEAD" else body))

    def start(self, code: int, headers: Iterable[tuple[str, str]]) -> None:
        """Send the head of a response whose chunks follow."""
        self.write(self.head(code, headers) + b"Transfer-Encoding: chunked\r\n\r\n")

    def chunks(self, chunks: Iterable[bytes]) -> None:
        """Send each as a chunk of its own, all in one go."""
        self.write(b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks if chunk))

    def end(self) -> None:
        """End the chunked body cleanly."""
        self.write(b"0\r\n\r\n")

    def wake(self) -> None:
        """End the current or next :meth:`wait`; any thread may call."""
        if self._wakeup is not None and not self._signalled:
            self._signalled = True
            with contextlib.suppress(OSError):
                self._wakeup[1].send(b"x")

    def wait(self, timeout: float) -> None:
        """Wait until woken or for ``timeout`` seconds.

        :raises Disconnected: the client hung up, or the server closes.
        """
        waiting = self._selector or self.wakeable()
        for key, _ in waiting.select(max(0.0, timeout)):
            if key.fileobj is self.sock:
                self._look_for_end(waiting)
            elif self._wakeup is not None:
                self._wakeup[0].recv(64)
                self._signalled = False

    def wakeable(self) -> selectors.BaseSelector:
        """Make ready to be woken; to be called before anybody is told of :meth:`wake`."""
        if self._selector is not None:
            return self._selector
        self._wakeup = socket.socketpair()
        for end in self._wakeup:
            end.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.sock, selectors.EVENT_READ)
        self._selector.register(self._wakeup[0], selectors.EVENT_READ)
        return self._selector

    def _look_for_end(self, waiting: selectors.BaseSelector) -> None:
        if isinstance(self.sock, ssl.SSLSocket):
            # A TLS socket cannot be peeked at, and a client that watches has nothing to say.
            raise Disconnected
        try:
            if not self.sock.recv(1, socket.MSG_PEEK):
                raise Disconnected
        except OSError as error:
            raise Disconnected from error
        # The next request was sent ahead; it stays readable and would make this a busy loop.
        waiting.unregister(self.sock)

    def dispose(self) -> None:
        """Free what :meth:`wait` needed."""
        if self._selector is not None:
            self._selector.close()
        for end in self._wakeup or ():
            end.close()


def _reason(code: int) -> str:
    try:
        # Python 3.13 knows 422 by a newer name than Go, in which API servers are written.
        return "Unprocessable Entity" if code == 422 else HTTPStatus(code).phrase
    except ValueError:
        return "Unknown"


class Connection:
    """A connection and the thread that serves it."""

    def __init__(self, server: HttpServer, sock: socket.socket, number: int) -> None:
        self._server = server
        self.sock = sock
        self.exchange: Exchange | None = None
        self.thread = threading.Thread(
            target=self._run, name=f"{server.name}:{number}", daemon=True)

    def cut(self) -> None:
        """End the connection, whatever its thread is doing; any thread may call."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        try:
            self._handshake()
            with cast(BinaryIO, self.sock.makefile("rb", _BUFFER)) as stream:
                while self._one_exchange(stream):
                    pass
        except (Disconnected, BadRequest, OSError, ValueError):
            pass
        finally:
            self._server.forget(self)
            self.sock.close()

    def _handshake(self) -> None:
        context = self._server.ssl_context
        if context is None:
            return
        self.sock.settimeout(_HANDSHAKE_TIMEOUT)
        self.sock = context.wrap_socket(self.sock, server_side=True)
        self.sock.settimeout(None)

    def _one_exchange(self, stream: BinaryIO) -> bool:
        head = read_head(stream)
        if head is None:
            return False
        method, url, _, headers = head
        if headers.get("expect").lower() == "100-continue":
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        request = Request.parsed(method, url, headers, read_body(stream, headers))
        exchange = Exchange(request, self.sock, self._server.answer)
        self.exchange = exchange
        try:
            self._server.handle(exchange)
        finally:
            self.exchange = None
            exchange.dispose()
        return exchange.keep_alive


class HttpServer:
    """Listens on loopback and gives each exchange to a handler, in a thread per connection.

    :param handle: answers an exchange; it may let :meth:`Exchange.proceed` call ``answer``.
    :param answer: answers an exchange as usual.
    :param name: the prefix of the names of the threads.
    """

    def __init__(self, host: str, port: int, name: str, handle: Callable[[Exchange], None],
                 answer: Callable[[Exchange], None],
                 ssl_context: ssl.SSLContext | None = None) -> None:
        self.host = host
        self.port = port
        self.name = name
        self.handle = handle
        self.answer = answer
        self.ssl_context = ssl_context
        self._lock = threading.Lock()
        self._connections: set[Connection] = set()
        self._count = 0
        self._closing = True
        self._acceptor: threading.Thread | None = None
        self._stop: socket.socket | None = None

    def start(self) -> None:
        """Listen; with port 0, on a free port, which stays the same from then on.

        :raises OSError: the port is taken.
        """
        listener = socket.create_server((self.host, self.port), backlog=128)
        self.port = listener.getsockname()[1]
        self._stop, stopped = socket.socketpair()
        self._closing = False
        self._acceptor = threading.Thread(
            target=self._accept, args=(listener, stopped), name=f"{self.name}:accept", daemon=True)
        self._acceptor.start()

    def _accept(self, listener: socket.socket, stopped: socket.socket) -> None:
        with listener, stopped, selectors.DefaultSelector() as waiting:
            listener.setblocking(False)
            waiting.register(listener, selectors.EVENT_READ)
            waiting.register(stopped, selectors.EVENT_READ)
            while not self._closing:
                waiting.select()
                try:
                    sock, _ = listener.accept()
                except OSError:
                    continue
                self._serve(sock)

    def _serve(self, sock: socket.socket) -> None:
        sock.setblocking(True)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            if self._closing:
                sock.close()
                return
            self._count += 1
            connection = Connection(self, sock, self._count)
            self._connections.add(connection)
            connection.thread.start()

    def forget(self, connection: Connection) -> None:
        """Remove a connection that has ended from the list."""
        with self._lock:
            self._connections.discard(connection)

    def connections(self) -> list[Connection]:
        """The open connections."""
        with self._lock:
            return list(self._connections)

    def close(self, timeout: float) -> list[str]:
        """Stop listening, cut every connection and join the threads.

        :return: the names of threads that did not end within ``timeout`` seconds.
        """
        with self._lock:
            if self._closing:
                return []
            self._closing = True
            connections = list(self._connections)
        if self._stop is not None:
            self._stop.close()
        for connection in connections:
            connection.cut()
        deadline = time.monotonic() + timeout
        threads = [connection.thread for connection in connections]
        if self._acceptor is not None:
            threads.append(self._acceptor)
        for thread in threads:
            # A handler of the server may close it; its own thread cannot be waited for.
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
        return [thread.name for thread in threads if thread.is_alive()]
