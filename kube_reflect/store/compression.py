"""Objects of one cache made small at rest, with a dictionary taken from the first of them.

Objects of a kind resemble one another far more than each resembles itself. So the first ones
become the raw content of a dictionary, and those that come after refer to it; it is made anew
when those that come now would be served better by others.

The package zstandard is used where it is installed (the extra ``fast``), else ``compression.zstd``
of Python 3.14, else zlib. A pod of 11,600 bytes then takes 450 bytes (zlib: 644), and without a
dictionary, as the first 16 objects are, 2,390; ``python -m tests.bench.compression`` takes these
figures, of objects less alike too. A dictionary of 16 to 112 KB makes no difference of a twentieth
to any kind; one of several whole objects, and not of pieces of more of them, does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from kube_reflect.store.backends import BACKENDS, FRAME, Backend, Compress, Damaged, Decompress

__all__ = ["Compressor"]

T = TypeVar("T")

#: What the first byte of packed bytes says: they are the JSON as it came, or compressed without a
#: dictionary; a higher number is that of the dictionary.
_RAW, _PLAIN = 0, 1
_RAW_HEAD = bytes((_RAW,))
_LAST = 255
#: Compressed bytes begin with that, and the length of the JSON: so many bytes.
_HEAD = 5
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


class _Codec:
    """A dictionary, or none, and what works with it, each in the hands of one thread at a time.

    Whoever needs one takes it out of the list, which is a single step, and puts it back after it
    was used. If anything interrupts that, it is not put back, and another one is made.

    :param tag: what the packed bytes begin with that it makes.
    """

    __slots__ = ("_backend", "_dictionary", "compressors", "decompressors", "size", "tag")

    def __init__(self, backend: Backend, content: bytes = b"", tag: int = _PLAIN) -> None:
        self.tag = tag
        self.size = len(content)
        self._backend = backend
        self._dictionary = backend.dictionary(content) if content else None
        self.compressors: list[Compress] = []
        self.decompressors: list[Decompress] = []

    def new_compressor(self) -> Compress:
        return self._backend.compressor(self._dictionary)

    def new_decompressor(self) -> Decompress:
        return self._backend.decompressor(self._dictionary)

    def content(self) -> bytes:
        """Return what the dictionary was made of."""
        return self._backend.content(self._dictionary)


# Most objects are compressed with a dictionary; what works without is shared by all caches.
_plains: dict[str, _Codec] = {}


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
        self._current = self._plain = _plains.setdefault(backend.name, _Codec(backend))
        self._codecs = {_PLAIN: self._plain}
        # Nobody makes so many: `_MOST` of them.
        self._tags: Iterator[int] = iter(range(_PLAIN + 1, _LAST + 1))
        # How many objects came, at which number one is a sample, how far it is to the next one.
        self._seen = 0
        self._next = 1
        self._stride = 1
        self._samples: list[bytes] = []

    def compress(self, json: bytes) -> bytes:
        """Return it packed: at most one byte more than it is.

        Takes 8 us for a pod with zstandard; now and then some 500 us, when a dictionary is
        considered.
        """
        length = len(json)
        packed = _RAW_HEAD
        if length <= _LONGEST:
            codec = self._current if length <= self._backend.longest else self._plain
            idle = codec.compressors
            compress = _taken(idle, codec.new_compressor)
            frame = compress(json)
            if len(idle) < _IDLE:
                idle.append(compress)
            if frame.startswith(FRAME):
                packed = (length << 8 | codec.tag).to_bytes(_HEAD, "little") + frame[len(FRAME):]
        if packed is _RAW_HEAD or len(packed) >= length:
            packed = _RAW_HEAD + json
        self._seen = seen = self._seen + 1
        if seen >= self._next:
            self._sample(packed)
        return packed

    def decompress(self, packed: bytes, longest: int = _LONGEST) -> bytes:
        """Return the JSON that was packed, whatever the dictionary; 3 us for a pod with zstandard.

        :param longest: bytes that it may become, where it is compressed.
        :raises ValueError: for what was not packed here. That takes no more memory than the length
            that it tells, and no more time than the length that it has.
        """
        if packed[:1] == _RAW_HEAD:
            return packed[1:]
        length = int.from_bytes(packed[1:_HEAD], "little")
        codec = self._codecs.get(packed[0]) if length else None
        if codec is None or length > min(longest, len(packed) * self._backend.ratio):
            raise Damaged("so much is not in so few, or there is no such dictionary")
        decompress = _taken(codec.decompressors, codec.new_decompressor)
        try:
            json = decompress(FRAME + packed[_HEAD:], length)
        # No more than these: an exception of the thread's own may come here too.
        except self._backend.errors as error:
            raise Damaged(str(error)) from error
        if len(codec.decompressors) < _IDLE:
            codec.decompressors.append(decompress)
        if len(json) != length:
            raise Damaged("it has another length")
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
        if len(self._codecs) <= _MOST:
            self._consider(samples)

    def _consider(self, samples: list[bytes]) -> None:
        """Make a dictionary of some of the samples, and use it if it serves the others better."""
        current, judges = self._current, samples[1::2]
        # One object and one compressor at a time: the most that is ever taken is not given back to
        # the system.
        before = self._compressed(current, judges)
        current.compressors.clear()
        made = _Codec(self._backend, self._content(samples[::2]))
        after = self._compressed(made, judges)
        many = self._seen if self._objects is None else min(self._seen, self._objects())
        spared = (before - after) / len(judges) * many * _AHEAD
        if after > before * (1 - _GAIN) or spared < made.size + _OVERHEAD:
            return
        # One for each, also if another thread is here too.
        made.tag = next(self._tags)
        self._use(made)
        # From now on it is read, and seldom: most of what is at rest is about to come.
        current.decompressors.clear()

    def _use(self, codec: _Codec) -> None:
        # The first decompressor completes zstandard's dictionary: before other threads see it.
        codec.decompressors.append(codec.new_decompressor())
        self._codecs[codec.tag] = self._current = codec

    def _content(self, samples: list[bytes]) -> bytes:
        """Return a dictionary's content: of two objects at least, and nearly all of each.

        (What is cut off an object is what others have too.)
        """
        content, reach = b"", self._backend.reach
        while samples and len(content) < reach:
            content = self.decompress(samples.pop())[:reach * 3 // 4] + content
        return content[-reach:]

    def _compressed(self, codec: _Codec, samples: list[bytes]) -> int:
        """Return how many bytes samples become."""
        compress = _taken(codec.compressors, codec.new_compressor)
        size = sum(len(compress(self.decompress(packed))) for packed in samples)
        codec.compressors.append(compress)
        return size

    @property
    def backend_name(self) -> str:
        """What its backend is called, which alone can read what it has packed."""
        return self._backend.name

    def dictionaries(self) -> dict[int, bytes]:
        """Return what its dictionaries were made of, by their numbers; from any thread."""
        return {tag: codec.content() for tag, codec in list(self._codecs.items())
                if tag != _PLAIN}

    def take(self, dictionaries: Mapping[int, bytes]) -> None:
        """Take the dictionaries of another one, the oldest first; before it has packed anything.

        :raises ValueError: for such as none has made.
        """
        if len(dictionaries) > _MOST or not all(
                _PLAIN < tag <= _LAST and 0 < len(content) <= self._backend.reach
                for tag, content in dictionaries.items()):
            raise ValueError("no dictionaries of such numbers or sizes are made")
        refusals: tuple[type[Exception], ...] = (ValueError, *self._backend.errors)
        for tag, content in dictionaries.items():
            try:
                self._use(_Codec(self._backend, content, tag))
            except refusals as error:
                raise Damaged(str(error)) from error
        self._tags = iter([tag for tag in range(_PLAIN + 1, _LAST + 1) if tag not in dictionaries])

    @property
    def dictionary_bytes(self) -> int:
        """How many bytes its dictionaries have, without what works with them."""
        return sum(codec.size for codec in list(self._codecs.values()))


def _taken(idle: list[T], new: Callable[[], T]) -> T:
    """Take one that is idle, or a new one."""
    try:
        return idle.pop()
    except IndexError:
        return new()
