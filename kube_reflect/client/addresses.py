"""Connect to a name, whichever of its addresses answers first."""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Iterable
from itertools import chain, zip_longest
from typing import Any

from urllib3.util.connection import allowed_gai_family

from kube_reflect.client.connection import ConnectionHandle

__all__ = ["connect", "resolve"]

#: For how long each address is tried alone before the next is tried beside it, in seconds
#: (the "connection attempt delay" of RFC 8305).
_HEAD_START = 0.25
#: How long a connect that nobody answers may go on after the handle is closed, in seconds.
_SLICE = 0.05


def resolve(handle: ConnectionHandle, host: str, port: int, timeout: float) -> list[Any]:
    """Look up a name, IPv6 and IPv4 in turns.

    :param timeout: seconds.
    :raises socket.gaierror: for a name that is not known.
    :raises TimeoutError: where no name server answers in time.
    """
    family = allowed_gai_family()

    def lookup(flags: int = 0) -> list[Any]:
        return socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, flags)

    try:
        found = lookup(socket.AI_NUMERICHOST)
    except socket.gaierror:
        found = handle.run_abandonable(lookup, timeout)
    # A whole family may lead nowhere, so the second address tried is of the other one.
    first = [one for one in found if one[0] == found[0][0]]
    other = [one for one in found if one[0] != found[0][0]]
    return [one for one in chain.from_iterable(zip_longest(first, other)) if one is not None]


def connect(handle: ConnectionHandle, addresses: Iterable[Any], timeout: float,
            options: Iterable[Any] = (), source: Any = None) -> socket.socket:
    """Connect to the first of the addresses that answers; the socket is attached to the handle.

    Each has a head start of 0.25 s before the next, and goes on beside it.

    :param addresses: as of `resolve`.
    :param timeout: seconds for all of them together.
    :param options: arguments of `setsockopt`.
    :param source: the address to connect from.
    :raises TimeoutError: where none answered in time.
    :raises OSError: the last failure, where all have failed.
    """
    race = _Race(handle, list(addresses), time.monotonic() + timeout, list(options), source)
    try:
        winner = race.run()
    finally:
        race.close()
    winner.settimeout(timeout)
    return winner


class _Race:
    """The attempts to connect that are under way."""

    def __init__(self, handle: ConnectionHandle, addresses: list[Any], deadline: float,
                 options: list[Any], source: Any) -> None:
        self._handle = handle
        self._addresses = addresses
        self._deadline = deadline
        self._options = options
        self._source = source
        self._selector = selectors.DefaultSelector()
        self._pending: set[socket.socket] = set()
        self._failure = OSError("the name has no address")

    def run(self) -> socket.socket:
        next_start = time.monotonic()
        while True:
            self._handle.check()
            now = time.monotonic()
            if now >= self._deadline:
                raise TimeoutError("timed out")
            if self._addresses and (now >= next_start or not self._pending):
                next_start = now + _HEAD_START
                self._start(*self._addresses.pop(0))
            elif not self._pending:
                raise self._failure
            if not self._pending:
                continue
            pause = min(_SLICE, self._deadline - now)
            if self._addresses:
                pause = min(pause, next_start - now)
            for key, _ in self._selector.select(max(0.0, pause)):
                sock: Any = key.fileobj
                self._selector.unregister(sock)
                self._pending.discard(sock)
                number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if not number:
                    return sock  # type: ignore[no-any-return]
                self._fail(sock, OSError(number, os.strerror(number)))
                # Nothing is gained by waiting for the next.
                next_start = now

    def _start(self, family: int, kind: int, protocol: int, _: str, address: Any) -> None:
        sock = socket.socket(family, kind, protocol)
        self._pending.add(sock)
        try:
            # Before it connects: a fork may come while it does.
            self._handle.attach(sock)
            for option in self._options:
                sock.setsockopt(*option)
            if self._source:
                sock.bind(self._source)
            sock.setblocking(False)
            try:
                sock.connect(address)
            except BlockingIOError:
                pass
            self._selector.register(sock, selectors.EVENT_WRITE)
        except OSError as error:
            self._pending.discard(sock)
            self._fail(sock, error)

    def _fail(self, sock: socket.socket, error: OSError) -> None:
        self._failure = error
        self._handle.detach(sock.fileno())
        sock.close()

    def close(self) -> None:
        """Close those that are still under way."""
        self._selector.close()
        for sock in self._pending:
            self._handle.detach(sock.fileno())
            sock.close()
