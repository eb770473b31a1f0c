"""Start a canned server, and speak to one."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from tests.support.waiting import wait_until


@contextmanager
def canned_server(size: int) -> Iterator[int]:
    """A canned server with this many pods, in a process of its own; its port."""
    with subprocess.Popen([sys.executable, "-m", "tests.bench._canned", str(size)],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()


def ask(port: int, path: str, **query: object) -> dict[str, Any]:
    """Send the server a command."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", f"{path}?{urlencode(query)}")
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer
    finally:
        connection.close()


def server_cpu(port: int) -> float:
    """CPU seconds that the server has used so far."""
    return float(ask(port, "/stats")["cpu"])


def wait_for_watches(port: int, count: int = 1, deadline: float = 60.0) -> None:
    """Wait until just so many WATCHes are open and past their initial events."""
    wait_until(lambda: ask(port, "/stats")["watches"] == count, f"that there are {count} WATCHes",
               deadline, every=0.01)


class RawClient:
    """Merely receives the bytes: the floor under every client.

    :param path: what to get.
    """

    def __init__(self, port: int, path: str) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._sock.sendall(f"GET {path} HTTP/1.1\r\nHost: canned\r\n\r\n".encode())
        self._buffer = bytearray(1 << 18)

    def receive(self, total: int) -> None:
        """Receive this many bytes."""
        while total > 0:
            received = self._sock.recv_into(self._buffer, min(total, len(self._buffer)))
            if not received:
                raise ConnectionError("the server went away")
            total -= received

    def receive_until(self, mark: bytes) -> None:
        """Receive until the end of what has come so far holds this mark."""
        tail = b""
        while mark not in tail:
            received = self._sock.recv_into(self._buffer)
            if not received:
                raise ConnectionError("the server went away")
            tail = tail[-len(mark):] + bytes(self._buffer[max(0, received - 512):received])

    def close(self) -> None:
        """Hang up."""
        self._sock.close()
