"""A cache in a file, for the next process: what is written there, and how it is read back.

::

    magic           "kube-reflect cache 2" and a newline; 2 is the version of this format
    head            4 bytes of length, and so much JSON
    dictionaries    for each: 1 byte, its number; 4 bytes of length, and so many bytes
    objects         for each: 4 bytes of length, and so many bytes: an `Entry`, packed
    digest          32 bytes, BLAKE2b of all before

Lengths are big-endian. The head says what the file is of, when it was written, what has compressed
it, how many dictionaries there are, and of each namespace (null: all there is) its name, resource
version, and how many objects. There is no code in it, and no length in it is believed: none is
longer than what is left of the file, or than the bounds below.

It is pure of threads: who calls it has a thread of its own for that, and holds no lock.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from kube_reflect.ground.json_parser import dumps
from kube_reflect.ground.objects import Key
from kube_reflect.store import Cache, Entry

__all__ = ["BadFile", "CacheFile", "Saved", "read"]

MAGIC = b"kube-reflect cache 2\n"
DIGEST = 32
#: A longer file is not read, in bytes: there would be some two million pods in it.
LONGEST_FILE = 1 << 30
LONGEST_HEAD = 1 << 20
#: What an object may become when it is unpacked, and all of them: so many times the file, and this.
LONGEST_OBJECT = 64 << 20
_RATIO, _SPARE = 512, 64 << 20
#: Bytes that are read, or written, at once.
_BLOCK = 1 << 20
#: Seconds after which a file under way belongs to nobody any more.
_LEFT_OVER = 3600.0
_SUFFIX = ".tmp"
#: Follow no link, and wait for nobody at the other end of a pipe.
_CAREFULLY = (getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
              | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))


class BadFile(ValueError):
    """A file that cannot be used; the message says why."""


class Saved(NamedTuple):
    """What was in a file.

    :param at: when it was written, in seconds since the epoch.
    :param namespaces: the version and the objects of each.
    """

    at: float
    namespaces: dict[str | None, tuple[str, list[Entry]]]


class CacheFile:
    """The file of a cache: what the next process begins with.

    :param path: where it is; the directory exists.
    :param cache: what is written there, or what it is read for.
    """

    def __init__(self, path: Path, cache: Cache) -> None:
        self.path = path
        self._cache = cache

    def save(self, of: Mapping[str, str]) -> bool:
        """Write all that the cache has, in the place of what is there; from any thread.

        At any moment the file is the one before or the new one, whole; and nobody else may read
        it. Some 20 ms for 5,000 pods, and what the disk takes.

        :param of: what it is of; who loads it must say the same.
        :return: False, and nothing is written, if there is no version to go on from.
        :raises OSError: where that is not possible.
        """
        cache, path = self._cache, self.path
        entries, versions = cache.cut(lambda table: (table.entries.copy(), dict(cache.versions)))
        if not versions:
            return False
        # Its mode is 0600 from the first moment, and it follows no link.
        number, name = tempfile.mkstemp(_SUFFIX, self._prefix, path.parent)
        try:
            with os.fdopen(number, "wb", _BLOCK) as file:
                _write(file, cache, entries, versions, of)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
        _sync_directory(path.parent)
        return True

    @property
    def _prefix(self) -> str:
        """How the names of files that are being written begin."""
        return f".{self.path.name}."

    def remove_leftovers(self) -> None:
        """Remove what processes that were killed amid a `save` have left.

        :raises OSError: where that is not possible.
        """
        oldest = time.time() - _LEFT_OVER
        with os.scandir(self.path.parent) as found:
            for one in found:
                if (one.name.startswith(self._prefix) and one.name.endswith(_SUFFIX)
                        and one.is_file(follow_symlinks=False)
                        and one.stat(follow_symlinks=False).st_mtime < oldest):
                    os.unlink(one.path)

    def load(self, of: Mapping[str, str], *,
             stopped: Callable[[], bool] = lambda: False) -> Saved | None:
        """Read the file into entries for the cache, which has none yet, and has not had any.

        Some 80 ms of CPU for 5,000 pods with [fast], each of which is unpacked and checked.

        :param of: what it is to be of.
        :param stopped: whether to give up.
        :return: None, if there is no such file, or it was told to give up.
        :raises BadFile: for one that is damaged, of something else, or of another version of this
            format; then the cache is as it was.
        :raises OSError: for one that cannot be read.
        """
        try:
            number = os.open(self.path, os.O_RDONLY | _CAREFULLY)
        except FileNotFoundError:
            return None
        with os.fdopen(number, "rb") as file:
            found = os.fstat(number)
            if not stat.S_ISREG(found.st_mode):
                raise BadFile("it is no regular file")
            if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
                raise BadFile("it is another user's")
            return read(file, found.st_size, self._cache, of, stopped)


def _sync_directory(path: Path) -> None:
    try:
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
    except OSError:
        # Not every system opens directories, or syncs them; the file is whole all the same.
        pass


def _write(file: BinaryIO, cache: Cache, entries: Mapping[Key, Entry],
           versions: Mapping[str | None, str], of: Mapping[str, str]) -> None:
    maker = cache.maker
    groups: dict[str | None, list[bytes]] = {namespace: [] for namespace in versions}
    one = groups.get(None)
    used = set()
    for key, entry in entries.items():
        group = one if one is not None else groups.get(key[0])
        if group is not None:
            group.append(entry.packed)
            used.add(entry.dictionary)
    dictionaries = maker.dictionaries(used)
    head = dumps({
        "of": dict(of), "at": time.time(), "compression": maker.compression,
        "dictionaries": len(dictionaries),
        "namespaces": [[namespace, version, len(groups[namespace])]
                       for namespace, version in versions.items()]})
    digest = hashlib.blake2b(digest_size=DIGEST)

    def put(content: bytes) -> None:
        digest.update(content)
        file.write(content)

    put(MAGIC + _framed(head))
    for tag, content in dictionaries.items():
        put(bytes((tag,)) + _framed(content))
    for group in groups.values():
        for packed in group:
            put(_framed(packed))
    file.write(digest.digest())


def _framed(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


def read(file: BinaryIO, size: int, cache: Cache, of: Mapping[str, str],
         stopped: Callable[[], bool] = lambda: False) -> Saved | None:
    """Read an open file of so many bytes; see `CacheFile.load`."""
    if not len(MAGIC) + DIGEST < size <= LONGEST_FILE:
        raise BadFile(f"it has {size} bytes")
    _check_digest(file, size)
    parts = _Parts(file, size - DIGEST)
    if parts.take(len(MAGIC)) != MAGIC:
        raise BadFile("it is none of this version")
    head = _Head(parts.framed(LONGEST_HEAD))
    maker = cache.maker
    head.check(of, maker.compression)
    resource, saved = maker.resource, None
    try:
        maker.begin({parts.take(1)[0]: parts.framed(size) for _ in range(head.dictionaries)})
        saved = _read_objects(parts, head, cache, size, stopped)
        return saved
    except ValueError as error:
        # BadFile too: of what is damaged the reader of JSON or of packed objects may say it.
        raise BadFile(str(error)) from error
    finally:
        if saved is None:
            maker.begin({})
            maker.resource = resource


def _read_objects(parts: _Parts, head: _Head, cache: Cache, size: int,
                  stopped: Callable[[], bool]) -> Saved | None:
    maker = cache.maker
    namespaces: dict[str | None, tuple[str, list[Entry]]] = {}
    left = size * _RATIO + _SPARE
    for namespace, version, count in head.namespaces:
        entries: dict[Key, Entry] = {}
        for _ in range(count):
            if stopped():
                return None
            packed = parts.framed(LONGEST_OBJECT)
            entry, length = maker.restore(packed, min(LONGEST_OBJECT, left))
            left -= length
            if entry.key in entries or namespace not in (None, entry.key[0]):
                raise BadFile("an object is where it does not belong")
            entries[entry.key] = entry
        namespaces[namespace] = version, list(entries.values())
    if parts.left:
        raise BadFile("there is more than it says")
    return Saved(head.at, namespaces)


def _check_digest(file: BinaryIO, size: int) -> None:
    digest = hashlib.blake2b(digest_size=DIGEST)
    left = size - DIGEST
    while left:
        block = file.read(min(left, _BLOCK))
        if not block:
            break
        digest.update(block)
        left -= len(block)
    if left or file.read(DIGEST) != digest.digest():
        raise BadFile("it is damaged: its digest is another")
    file.seek(0)


class _Parts:
    """Takes a file apart, and never more than is left of it.

    :param left: bytes.
    """

    def __init__(self, file: BinaryIO, left: int) -> None:
        self._file = file
        self.left = left

    def take(self, length: int) -> bytes:
        """Return the next bytes.

        :raises BadFile: if there are not so many.
        """
        if length > self.left:
            raise BadFile("it ends too early")
        self.left -= length
        found = self._file.read(length)
        if len(found) != length:
            raise BadFile("it became shorter")
        return found

    def framed(self, longest: int) -> bytes:
        """Return the next bytes, before which there is their length.

        :raises BadFile: if there are not so many, or more than the longest.
        """
        length = int.from_bytes(self.take(4), "big")
        if length > longest:
            raise BadFile(f"{length} bytes are more than there may be in one")
        return self.take(length)


class _Head:
    """What a file says of itself; checked for its types, and not believed.

    :raises BadFile: for what none says.
    """

    def __init__(self, content: bytes) -> None:
        try:
            found = json.loads(content)
            self.of = _checked(dict, found["of"])
            self.at = float(_checked((int, float), found["at"]))
            self.compression: str = _checked(str, found["compression"])
            self.dictionaries: int = _checked(int, found["dictionaries"])
            self.namespaces: list[tuple[str | None, str, int]] = [
                (_checked((str, type(None)), namespace), _checked(str, version),
                 _checked(int, count)) for namespace, version, count in found["namespaces"]]
        except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
            raise BadFile(f"its head is damaged: {type(error).__name__}") from error
        if not math.isfinite(self.at):
            raise BadFile("its head is damaged: it has no time")
        if not all(version for _, version, _ in self.namespaces):
            raise BadFile("its head is damaged: a version is empty")
        names = [namespace for namespace, _, _ in self.namespaces]
        if len(set(names)) < len(names) or (None in names and len(names) > 1):
            raise BadFile("its head is damaged: a namespace comes twice")

    def check(self, of: Mapping[str, str], compression: str) -> None:
        """Raise BadFile if the file is of something else."""
        differ = sorted(name for name in {*of, *map(str, self.of)}
                        if of.get(name) != self.of.get(name))
        if differ:
            raise BadFile(f"it is of another {', '.join(differ)[:200]}")
        if self.compression != compression:
            raise BadFile(f"it was compressed by {self.compression[:40]!r}")


def _checked(kind: Any, value: Any) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError
    return value
