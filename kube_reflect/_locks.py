"""What must be made anew in a child process: locks, and connections that are the parent's.

One hook for the whole library; and, for hosts that fork without running Python's hooks (uWSGI,
unless told to), a check on use.
"""

from __future__ import annotations

import logging
import mmap
import os
import sys
import threading
import weakref
from collections.abc import MutableSequence
from typing import Any, Protocol

__all__ = ["Forkable", "register", "renew"]

logger = logging.getLogger("kube_reflect")

# The number is part of Linux's interface; the module has no name for it.
_MADV_WIPEONFORK = 18


class Forkable(Protocol):
    """What `register` takes."""

    #: Lower ones are renewed first: what others rest on.
    fork_rank: int

    def after_fork(self) -> None:
        """Make locks anew and let go of connections; other threads are gone, or wait for it."""


def _wiped_on_fork() -> MutableSequence[int] | None:
    """Give memory that the kernel hands to a child process as zeros (None: it does not)."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        page.madvise(_MADV_WIPEONFORK)
    except (OSError, ValueError):
        return None
    return page  # type: ignore[return-value]


_registered: weakref.WeakSet[Any] = weakref.WeakSet()
# Its first byte is 0 in a child process in which nothing was renewed yet: a look at it is cheap
# enough for any read, which a system call is not.
_page = _wiped_on_fork()
if _page is not None:
    _page[0] = 1
# The process in which everything was renewed, and the one in which that was begun.
_pid = _begun = os.getpid()
# One lock for each process: the fork may come while another is held.
_locks: dict[int, threading.RLock] = {}


def register(one: Forkable) -> None:
    """Have it renewed in every child process, for as long as it exists."""
    _registered.add(one)


def _all_registered() -> list[Any]:
    while True:
        try:
            return list(_registered)
        except RuntimeError:
            # Another thread has registered something meanwhile.
            continue


def renew() -> None:
    """Renew everything, if that was not done in this process yet; from any thread."""
    global _pid, _begun
    if _page is not None and _page[0]:
        return
    pid = os.getpid()
    if pid == _pid:
        return
    with _locks.setdefault(pid, threading.RLock()):
        # Of another thread's renewal this one has just waited for the end; of its own it is part.
        if pid == _begun:
            return
        _begun = pid
        for one in sorted(_all_registered(), key=lambda one: one.fork_rank):
            try:
                one.after_fork()
            except Exception:
                logger.exception("after a fork: %r could not be renewed", one)
        _pid = pid
        if _page is not None:
            _page[0] = 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=renew)
