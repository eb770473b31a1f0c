"""A server that says what a test has it say, byte by byte."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kubernetes import client

from tests.support.waiting import DEADLINE

Script = Callable[[socket.socket], None]

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
EMPTY = b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}'
QUERY = {"timeout_seconds": 60}


class Talking:
    """A listener on loopback; each connection is handed to the script, by a thread of its own."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self.url = f"http://127.0.0.1:{self.address[1]}"
        #: What came in, of each connection, up to the end of the headers.
        self.requests: list[bytes] = []
        self.connected = threading.Event()
        self._ending = threading.Event()
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if self._ending.is_set():
                sock.close()
                return
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with sock:
            self._open.append(sock)
            sock.settimeout(DEADLINE)
            self.connected.set()
            try:
                self._script(sock)
            except OSError:
                return

    def head(self, sock: socket.socket) -> bytes:
        """Read a request up to the end of its headers, and keep it."""
        data = b""
        while not data.endswith(b"\r\n\r\n") and (more := sock.recv(1)):
            data += more
        self.requests.append(data)
        return data

    def hang_up(self) -> None:
        """End all connections."""
        for sock in self._open:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def close(self) -> None:
        self._ending.set()
        # (Closing it would not wake who accepts.)
        with socket.socket() as waker:
            waker.connect(self.address)
        for thread in list(self._threads):
            thread.join(DEADLINE)
        self._listener.close()


@contextmanager
def talking(script: Callable[[Talking, socket.socket], None]) -> Iterator[Talking]:
    server: Talking = Talking(lambda sock: script(server, sock))
    try:
        yield server
    finally:
        server.close()


def answering(answer: bytes, then: Script | None = None) -> Any:
    """Serve each request with these bytes, and then do something else or hang up."""
    def script(server: Talking, sock: socket.socket) -> None:
        server.head(sock)
        sock.sendall(answer)
        if then is not None:
            then(sock)
    return talking(script)


def silent(sock: socket.socket) -> None:
    """Say nothing more, until the other side hangs up."""
    while sock.recv(100):
        pass


def api_client(url: str, **settings: Any) -> client.ApiClient:
    configuration = client.Configuration(host=url)
    configuration.proxy = None
    for name, value in settings.items():
        setattr(configuration, name, value)
    return client.ApiClient(configuration)
