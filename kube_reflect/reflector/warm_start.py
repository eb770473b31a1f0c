"""The file from which a reflector starts warm: when it is read, and when it is written."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Union

from kube_reflect.ground.locks import checked_timeout, new_lock
from kube_reflect.object_ref import ApiResource
from kube_reflect.reflector.cache_file import CacheFile
from kube_reflect.reflector.runner import Runner
from kube_reflect.store import Cache, Entry

__all__ = ["FileWriter", "WarmFile", "WarmStart", "WarmStartOption", "checked_warm_start"]

logger = logging.getLogger(__name__)

#: The version and the objects of a namespace.
Share = tuple[str, list[Entry]]


@dataclass(frozen=True)
class WarmStart:
    """Where a reflector keeps its objects from one process to the next; see `Reflector`.

    A path alone is one with the defaults.

    :param path: of a file of this reflector alone, in a directory that exists.
    :param secrets: write Secrets too. They lie on the disk as they come: readable for who may read
        the file.
    :param every: seconds between two writings, if something has changed; infinity: only on close.
    :raises TypeError: for a value of the wrong type.
    :raises ValueError: for a path that no file can have, or an interval that is not above 0.
    """

    path: str | os.PathLike[str]
    secrets: bool = False
    every: float = 60.0

    def __post_init__(self) -> None:
        if not isinstance(self.path, (str, os.PathLike)):
            raise TypeError(f"the path of a warm start must be one: {self.path!r}")
        if not isinstance(self.secrets, bool):
            raise TypeError(f"secrets must be True or False: {self.secrets!r}")
        if checked_timeout(self.every, "every") == 0 or self.every is None:
            raise ValueError(f"every must be above 0 seconds: {self.every!r}")
        path = Path(self.path)
        if not path.name or path.is_dir():
            raise ValueError(f"the path of a warm start must be a file's: {str(path)!r}")
        if not path.parent.is_dir():
            raise ValueError(f"there is no directory {str(path.parent)!r} for the warm start")


#: What a reflector takes: one, or the path of one with the defaults.
WarmStartOption = Union[WarmStart, str, "os.PathLike[str]", None]


def checked_warm_start(warm_start: WarmStart | str | os.PathLike[str],
                       kind: ApiResource | None) -> WarmStart:
    """Return a warm start, the default one for a path.

    :param kind: what is listed, if that can be told.
    :raises TypeError: for what is neither.
    :raises ValueError: for Secrets that it was not told to write.
    """
    if not isinstance(warm_start, WarmStart):
        warm_start = WarmStart(warm_start)
    if _is_secret(kind) and not warm_start.secrets:
        raise ValueError("a warm start would write Secrets to the disk; if that is meant: "
                         f"warm_start=WarmStart({os.fspath(warm_start.path)!r}, secrets=True)")
    return warm_start


def _is_secret(kind: ApiResource | None) -> bool:
    return kind is not None and (kind.group, kind.kind) == ("", "Secret")


class WarmFile:
    """Reads the file once, for whoever starts first, and writes it on a thread of its own.

    It knows nothing of the Reflector, so that it does not keep it alive.

    :param options: where, and how often.
    :param cache: what is read into, and written.
    :param of: returns what the file is of, in words that another process has for the same.
    :param name: of the reflector, for the log and the thread.
    """

    def __init__(self, options: WarmStart, cache: Cache, of: Callable[[], Mapping[str, str]],
                 name: str) -> None:
        # Whole, so that it is the same file wherever the process goes.
        self._file = CacheFile(Path(os.path.abspath(options.path)), cache)
        self._options = options
        self._cache = cache
        self._of = of
        self.name = name
        # Threads of several namespaces ask for their share; the first one reads it all.
        self._lock = new_lock()
        self._shares: dict[str | None, Share] | None = None
        #: How often it could be neither read nor written.
        self.failures = 0
        #: The last thing that the log was told of, not to say it again and again.
        self._told = ""
        self._writer: FileWriter | None = None

    def __repr__(self) -> str:
        return f"<WarmFile {self.name} {self._file.path}>"

    def share(self, namespace: str | None, stopped: Callable[[], bool]) -> Share | None:
        """Return the version and the objects of a namespace, once; None: there are none.

        :param stopped: whether to give up.
        """
        with self._lock:
            if self._shares is None:
                # Where something was listed (before a fork, or another start), that is newer.
                shares = {} if self._cache.listed else self._load(stopped)
                if stopped():
                    return None
                self._shares = {name: share for name, share in shares.items()
                                if name in self._cache.namespaces}
            return self._shares.pop(namespace, None)

    def _load(self, stopped: Callable[[], bool]) -> dict[str | None, Share]:
        began = time.monotonic()
        try:
            saved = self._file.load(self._of(), stopped=stopped)
        except BaseException as error:
            # Whatever it is, and if an index function raises SystemExit: without the file it
            # starts as it always did.
            self._failed("starting without", error)
            return {}
        if saved is None:
            return {}
        objects = sum(len(entries) for _, entries in saved.namespaces.values())
        logger.info("%s: warm start from %s: %d objects, as they were %d s ago, read in %d ms",
                    self.name, self._file.path, objects, time.time() - saved.at,
                    1000 * (time.monotonic() - began))
        return saved.namespaces

    def write(self) -> bool:
        """Write the file; return whether that was possible. If not, it is counted and logged."""
        try:
            if _is_secret(self._cache.resource) and not self._options.secrets:
                raise ValueError("it would hold Secrets; WarmStart(…, secrets=True) means that")
            self._file.save(self._of())
        except Exception as error:
            # Of whatever kind: it is tried again, and nothing depends on it.
            self._failed("it was not written", error)
            return False
        self._told = ""
        return True

    def remove_leftovers(self) -> None:
        """Remove what others have left half written."""
        try:
            self._file.remove_leftovers()
        except OSError as error:
            self._failed("what others have left was not removed", error)

    def _failed(self, what: str, error: BaseException) -> None:
        self.failures += 1
        told = f"{what}: {error}"
        if told != self._told:
            self._told = told
            logger.warning("%s: warm start from %s: %s", self.name, self._file.path, told)

    def start(self) -> None:
        """Start the thread that writes, if there is none that goes on."""
        writer = self._writer
        if writer is None or not writer.is_running:
            if writer is not None:
                # One that was interrupted in its start may yet begin.
                writer.close()
            writer = self._writer = FileWriter(self, self._options.every, self._cache)
            writer.start()

    def close(self) -> FileWriter | None:
        """Tell the thread to write a last time and end; return at once what to wait for."""
        if self._writer is not None:
            self._writer.close()
        return self._writer

    def after_fork(self) -> None:
        """Forget the thread, which is gone."""
        self._writer = None


class FileWriter(Runner):
    """The thread that writes, from a start to a close."""

    what = "the writing of the warm start"

    def __init__(self, file: WarmFile, every: float, cache: Cache) -> None:
        super().__init__(f"{file.name}:warm-start")
        self._file = file
        self._every = every
        self._cache = cache
        self._written: object = None

    def __repr__(self) -> str:
        return f"<FileWriter of {self._file}>"

    def _run(self) -> None:
        self._file.remove_leftovers()
        is_last = False
        while not is_last:
            self._pause(self._every)
            is_last = self._closing
            counters = self._cache.counters
            # Each event is counted.
            if counters != self._written and self._file.write():
                self._written = counters
