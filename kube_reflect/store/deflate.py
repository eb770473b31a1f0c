"""Deflating objects of one kind, which resemble one another."""

from __future__ import annotations

import threading
import zlib
from typing import Any

__all__ = ["Deflater", "Deflaters"]

#: How far back deflate looks, in bytes: what a dictionary may hold.
_WINDOW = 32 * 1024
#: The dictionary has parts of so many objects at least.
_SAMPLES = 4
# Of pods as they are served, 12 KB each as JSON, level 1 leaves 1,000 bytes, 3 leaves 650 and 6
# leaves 570; they take 41, 33 and 89 us.
_LEVEL = 3


class Deflater:
    """Deflates data of one form, with a dictionary taken from the first of it; for any thread.

    What comes before there is a dictionary is left as it is. Once there is one, it stays: it is
    needed for as long as there is anything deflated with it.
    """

    def __init__(self) -> None:
        # Guards the making of the dictionary.
        self._lock = threading.Lock()
        self._samples: list[bytes] = []
        self._dictionary: bytes | None = None
        #: A compressor that has read the dictionary: to copy it takes half the time of making one.
        self._base: Any = None

    def deflate(self, data: bytes) -> bytes | None:
        """Give the data deflated; None if it is to stay as it is."""
        # One attribute load; it is set when all that it rests on is there. What is deflated gets
        # to other threads by the table's lock, and the dictionary with it.
        base = self._base
        if base is None:
            self._learn(data)
            return None
        # zlib has a lock for each compressor, so several threads may copy one.
        compressor = base.copy()
        deflated: bytes = compressor.compress(data) + compressor.flush()
        return deflated if len(deflated) < len(data) else None

    def inflate(self, deflated: bytes) -> bytes:
        """Give the data that was deflated."""
        assert self._dictionary is not None
        return zlib.decompressobj(-zlib.MAX_WBITS, self._dictionary).decompress(deflated)

    def _learn(self, data: bytes) -> None:
        with self._lock:
            if self._base is not None:
                return
            # Of two objects at least, however long they are.
            self._samples.append(data[:_WINDOW // 2])
            if len(self._samples) < _SAMPLES or sum(map(len, self._samples)) < _WINDOW:
                return
            if self._dictionary is None:
                self._dictionary = b"".join(self._samples)[-_WINDOW:]
            self._base = self._new_base(self._dictionary)
            self._samples.clear()

    @staticmethod
    def _new_base(dictionary: bytes) -> Any:
        return zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=dictionary)

    def after_fork(self) -> None:
        """Make the locks anew, in a child process; the compressor has one too."""
        self._lock = threading.Lock()
        if self._dictionary is not None:
            self._base = self._new_base(self._dictionary)


class Deflaters:
    """One for objects that are JSON still, and one for those that are marshal."""

    def __init__(self) -> None:
        self.json = Deflater()
        self.marshal = Deflater()

    def after_fork(self) -> None:
        """Make the locks anew, in a child process."""
        self.json.after_fork()
        self.marshal.after_fork()
