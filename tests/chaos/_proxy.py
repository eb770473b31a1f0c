"""A TCP proxy in front of the API server, which cuts, delays and freezes."""

from __future__ import annotations

import contextlib
import socket
import threading

_CHUNK = 64 * 1024


class _Pair:
    """A client's connection, and the one to the server behind it."""

    def __init__(self, proxy: Proxy, ends: tuple[socket.socket, socket.socket]) -> None:
        self._proxy = proxy
        self._ends = ends
        #: Set for good: what arrives from now on goes nowhere, and nobody is told.
        self.frozen = threading.Event()
        self.closed = threading.Event()
        self.threads = [threading.Thread(target=self._pump, args=way, daemon=True)
                        for way in (ends, ends[::-1])]

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(_CHUNK):
                if self._proxy.delay:
                    self.closed.wait(self._proxy.delay)
                if not self.frozen.is_set():
                    target.sendall(data)
        except OSError:
            pass
        if not self.frozen.is_set():
            self.close()

    def close(self) -> None:
        self.closed.set()
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Proxy:
    """Passes connections on; use it with ``with``. Any thread may call its methods.

    :param port: of the server behind it, on loopback.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        #: Seconds by which each piece of data is held up.
        self.delay = 0.0
        #: Whether new connections are closed at once.
        self.refuses = False
        self._lock = threading.Lock()
        self._pairs: list[_Pair] = []
        self._thread = threading.Thread(target=self._accept, name="proxy", daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self.refuses:
                    raise ConnectionRefusedError
                behind = socket.create_connection(self._target, timeout=2)
            except OSError:
                sock.close()
                continue
            behind.settimeout(None)
            pair = _Pair(self, (sock, behind))
            with self._lock:
                self._pairs = [one for one in self._pairs if not one.closed.is_set()] + [pair]
            for thread in pair.threads:
                thread.start()

    def _open(self) -> list[_Pair]:
        with self._lock:
            return [one for one in self._pairs if not one.closed.is_set()]

    def cut(self) -> None:
        """Close every connection."""
        for pair in self._open():
            pair.close()

    def freeze(self) -> None:
        """Let every connection that there is fall silent for good; new ones work."""
        for pair in self._open():
            pair.frozen.set()
