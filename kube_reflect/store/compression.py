"""Objects of one cache made small at rest, with a dictionary taken from the first of them.

Objects of a kind resemble one another far more than each resembles itself. So the first ones
become the raw content of a dictionary, and those that come after refer to it; it is made anew
when those that come now would be served better by others.

FIGURES
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, Protocol

__all__ = ["BACKENDS", "Backend", "Compressor"]

#: What the first byte of packed bytes says: they are the JSON as it came, or compressed without a
#: dictionary; a higher number is that of the dictionary.
_RAW, _PLAIN = 0, 1
_RAW_HEAD = bytes((_RAW,))
#: How many dictionaries one cache may make in its life. Objects at rest refer to theirs, so it
#: stays; and a better one must be so much better that few will do.
_MOST = 8
#: How many objects are looked at when a dictionary is considered: every second one of them becomes
#: part of it, and the others tell what it is worth. The first time, it is the first ones.
_SAMPLES = 16
#: From one time to the next, the number of objects that came grows so many times, up to a step.
_GROWTH, _STEP = 4, 16 * 1024
#: How many bytes of such objects are kept for that, packed.
_SAMPLED = 64 * 1024
#: Beside its content, a dictionary takes so many bytes for tables and for what works with it.
_OVERHEAD = 64 * 1024
#: It is worth that if so many times the objects that came would be spared it.
_AHEAD = 4
#: And one that is made anew must spare this part of what its forerunner leaves.
_GAIN = 1 / 8
#: At most so many idle compressors and decompressors are kept for each dictionary.
_IDLE = 2
#: What is longer is kept as it came. The API server takes 3 MB, others may give more.
_LONGEST = 1 << 28

_Compress = Callable[[bytes], bytes]
_Decompress = Callable[[bytes, int], bytes]


class Backend(Protocol):
    """A way to compress. What it makes belongs to one thread at a time."""

    #: What it is called.
    name: str
    #: How much of a dictionary it makes use of, in bytes.
    reach: int
    #: A byte cannot become more than so many.
    ratio: int
    #: What it raises for what it cannot read.
    errors: tuple[type[Exception], ...]

    def dictionary(self, content: bytes) -> Any:
        """Give what the others take as a dictionary."""

    def compressor(self, dictionary: Any) -> _Compress:
        """Give what compresses; the dictionary may be None."""

    def decompressor(self, dictionary: Any) -> _Decompress:
        """Give what decompresses what is known to become so many bytes.

        It gives no more than those, and raises one of the errors for what it cannot read.
        """


#: How each frame begins: a number that says it is one, and that it has no dictionary's number, no
#: checksum and no length. It need not be kept; put before what is read back, it leaves nothing to
#: ask for more memory than we allow.
_FRAME = b"\x28\xb5\x2f\xfd\x00"


class _Zstandard(Backend):
    """The package zstandard, the quickest: 7 us for a pod of 11,600 bytes, 2.5 us to read it."""

    name = "zstandard"
    reach = 32 * 1024
    ratio = 1 << 15
    level = 1

    def __init__(self) -> None:
        self._zstandard = import_module("zstandard")
        self.errors = (self._zstandard.ZstdError,)

    def dictionary(self, content: bytes) -> Any:
        made = self._zstandard.ZstdCompressionDict(
            content, dict_type=self._zstandard.DICT_TYPE_RAWCONTENT)
        made.precompute_compress(self.level)
        # Its other half is made when it is first needed: now, before other threads see it.
        self.decompressor(made)
        return made

    def compressor(self, dictionary: Any) -> _Compress:
        made = self._zstandard.ZstdCompressor(
            self.level, dict_data=dictionary, write_content_size=False, write_dict_id=False)
        compress: _Compress = made.compress
        return compress

    def decompressor(self, dictionary: Any) -> _Decompress:
        decompress: _Decompress = self._zstandard.ZstdDecompressor(dict_data=dictionary).decompress
        return decompress


class _StandardLibrary(Backend):
    """``compression.zstd`` of Python 3.14: 8 us for such a pod, and 11 us to read it."""

    name = "compression.zstd"
    reach = 32 * 1024
    ratio = 1 << 15

    def __init__(self, module: str = "compression.zstd") -> None:
        self._zstd = import_module(module)
        self.errors = (self._zstd.ZstdError, EOFError)
        asked = self._zstd.CompressionParameter
        self._options = {asked.compression_level: 1, asked.content_size_flag: 0,
                         asked.checksum_flag: 0, asked.dict_id_flag: 0}

    def dictionary(self, content: bytes) -> Any:
        return self._zstd.ZstdDict(content, is_raw=True).as_digested_dict

    def compressor(self, dictionary: Any) -> _Compress:
        made = self._zstd.ZstdCompressor(options=self._options, zstd_dict=dictionary)
        return partial(made.compress, mode=made.FLUSH_FRAME)

    def decompressor(self, dictionary: Any) -> _Decompress:
        return partial(self._decompress, dictionary)

    def _decompress(self, dictionary: Any, frame: bytes, length: int) -> bytes:
        decompressor = self._zstd.ZstdDecompressor(dictionary)
        json: bytes = decompressor.decompress(frame, length)
        if not decompressor.eof:
            raise ValueError("it does not end where it should")
        return json


class _Zlib(Backend):
    """zlib: 20 us for such a pod, 6 us to read it, and half as much again in bytes."""

    name = "zlib"
    # Half of how far back it sees: the rest is for the object.
    reach = 16 * 1024
    ratio = 1100
    level = 3
    errors = (zlib.error,)

    def dictionary(self, content: bytes) -> Any:
        return content

    def compressor(self, dictionary: bytes | None) -> _Compress:
        made = zlib.compressobj(self.level, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=dictionary or b"")
        return partial(self._compress, made)

    @staticmethod
    def _compress(base: Any, json: bytes) -> bytes:
        # A copy of one that has read the dictionary takes half the time of making one.
        compressor = base.copy()
        compressed: bytes = _FRAME + compressor.compress(json) + compressor.flush()
        return compressed

    def decompressor(self, dictionary: bytes | None) -> _Decompress:
        return partial(self._decompress, dictionary or b"")

    @staticmethod
    def _decompress(dictionary: bytes, frame: bytes, length: int) -> bytes:
        decompressor = zlib.decompressobj(-zlib.MAX_WBITS, dictionary)
        json = decompressor.decompress(memoryview(frame)[len(_FRAME):], length)
        if not decompressor.eof:
            raise ValueError("it does not end where it should")
        return json


def _found() -> tuple[Backend, ...]:
    found: list[Backend] = []
    for backend in (_Zstandard, _StandardLibrary):
        try:
            found.append(backend())
        except ImportError:
            continue
    return *found, _Zlib()


#: Those that can be used here, the best one first.
BACKENDS: tuple[Backend, ...] = _found()


class _Generation:
    """A dictionary, and what works with it, each in the hands of one thread at a time.

    Whoever needs one takes it out of the list, which is a single step, and puts it back after it
    was used. If anything interrupts that, it is not put back, and another one is made.
    """

    __slots__ = ("_backend", "_compressors", "_decompressors", "_dictionary", "size", "tag")

    def __init__(self, backend: Backend, content: bytes = b"") -> None:
        self.tag = _PLAIN
        self.size = len(content)
        self._backend = backend
        self._dictionary = backend.dictionary(content) if content else None
        self._compressors: list[_Compress] = []
        self._decompressors: list[_Decompress] = []

    def compress(self, json: bytes) -> bytes:
        """Give a frame."""
        try:
            compress = self._compressors.pop()
        except IndexError:
            compress = self._backend.compressor(self._dictionary)
        frame = compress(json)
        if len(self._compressors) < _IDLE:
            self._compressors.append(compress)
        return frame

    def decompress(self, frame: bytes, length: int) -> bytes:
        """Give what the frame was made of.

        :raises Exception: one of the errors of the backend.
        """
        try:
            decompress = self._decompressors.pop()
        except IndexError:
            decompress = self._backend.decompressor(self._dictionary)
        json = decompress(frame, length)
        if len(self._decompressors) < _IDLE:
            self._decompressors.append(decompress)
        return json

    def retire(self) -> None:
        """Let go of what is idle: it is read from now on, and not written."""
        self._compressors.clear()


# Most objects are compressed with a dictionary; what works without is shared by all caches.
_PLAINS = {backend.name: _Generation(backend) for backend in BACKENDS}


class Compressor:
    """Makes the objects of one cache small, and reads them back; for any thread.

    Nothing here needs a lock: what one thread may spoil for another is a sample, and what an
    exception may interrupt is the making of a dictionary that nothing refers to yet. So there is
    nothing to do after a fork either.

    :param objects: gives how many objects are at rest, if that is known; few that change often are
        worth no dictionary, which is else not to be told from many.
    :param backend: one of `BACKENDS`.
    """

    def __init__(self, objects: Callable[[], int] | None = None, *,
                 backend: Backend = BACKENDS[0]) -> None:
        self._objects = objects
        self._backend = backend
        self._errors = (LookupError, ValueError, *backend.errors)
        self._current = plain = _PLAINS[backend.name]
        self._generations = {_PLAIN: plain}
        self._tags = itertools.count(_PLAIN + 1)
        # How many objects came, at which number one is a sample, how far it is to the next one.
        self._seen = 0
        self._next = 1
        self._stride = 1
        self._samples: list[bytes] = []

    def compress(self, json: bytes) -> bytes:
        """Give it packed: at most one byte more than it is.

        Takes 8 us for a pod with zstandard; now and then some 500 us, when a dictionary is
        considered.
        """
        length = len(json)
        generation = self._current
        packed = _RAW_HEAD + json
        if length <= _LONGEST:
            frame = generation.compress(json)
            small = _head(generation.tag, length) + frame[len(_FRAME):]
            if len(small) < length and frame.startswith(_FRAME):
                packed = small
        self._seen = seen = self._seen + 1
        if seen >= self._next:
            self._sample(packed)
        return packed

    def decompress(self, packed: bytes) -> bytes:
        """Give the JSON that was packed, whatever the dictionary; 3 us for a pod with zstandard.

        :raises ValueError: for what was not packed here. That takes no more memory than the length
            that it tells, and no more time than the length that it has.
        """
        if packed[:1] == _RAW_HEAD:
            return packed[1:]
        try:
            length, start = packed[1], 2
            if length >= 0x80:
                length, start = _rest_of_length(packed, length)
            generation = self._generations[packed[0]]
            if length > len(packed) * self._backend.ratio:
                raise ValueError("so much is not in so few")
            json = generation.decompress(_FRAME + packed[start:], length)
        # No more than these: an exception of the thread's own may come here too.
        except self._errors as error:
            raise _damaged(error) from error
        if len(json) != length:
            raise _damaged("it has another length")
        return json

    def _sample(self, packed: bytes) -> None:
        samples = self._samples
        self._next = self._seen + self._stride
        # Larger ones would fill it by themselves, and small ones are most of what there is.
        if len(packed) <= _SAMPLED // _SAMPLES * 4:
            samples.append(packed)
        if len(samples) < _SAMPLES:
            return
        # Before anything is done with them: no other thread is to do the same.
        self._samples = []
        self._stride = stride = min(self._seen * (_GROWTH - 1), _STEP) // _SAMPLES
        self._next = self._seen + stride
        if len(self._generations) <= _MOST:
            self._consider(list(map(self.decompress, samples)))

    def _consider(self, objects: list[bytes]) -> None:
        """Make a dictionary of some of the objects, and use it if it serves the others better."""
        current, judges = self._current, objects[1::2]
        content = _content(objects[::2], self._backend.reach)
        made = _Generation(self._backend, content)
        before = sum(len(current.compress(json)) for json in judges)
        after = sum(len(made.compress(json)) for json in judges)
        many = self._seen if self._objects is None else min(self._seen, self._objects())
        spared = (before - after) / len(judges) * many * _AHEAD
        if after > before * (1 - _GAIN) or spared < len(content) + _OVERHEAD:
            return
        # One for each, also if another thread is here too.
        made.tag = tag = next(self._tags)
        self._generations[tag] = made
        self._current = made
        current.retire()

    @property
    def dictionary_bytes(self) -> int:
        """How many bytes its dictionaries have, without what works with them."""
        return sum(generation.size for generation in list(self._generations.values()))


def _damaged(why: object) -> ValueError:
    return ValueError(f"not packed by this cache, or damaged: {why}")


def _content(objects: list[bytes], reach: int) -> bytes:
    """Give what a dictionary is made of: as many objects as it takes, and of two at least.

    Nearly all of one, since what is cut off it is what others have too.
    """
    parts = [json[:reach * 3 // 4] for json in objects]
    return b"".join(parts)[-reach:]


def _head(tag: int, length: int) -> bytes:
    """Give the first bytes of packed ones: the dictionary, and the length, seven bits a byte."""
    head = [tag]
    while length >= 0x80:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head)


def _rest_of_length(packed: bytes, length: int) -> tuple[int, int]:
    """Give a length of more than one byte, and where it ends."""
    length &= 0x7F
    for at in range(2, 6):
        more = packed[at]
        length |= (more & 0x7F) << 7 * (at - 1)
        if more < 0x80:
            return length, at + 1
    raise ValueError("it has no length")
