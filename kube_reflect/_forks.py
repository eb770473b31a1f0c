"""What must be made anew in a child process: locks, and connections that are the parent's.

One hook for the whole library, and a check of the process id for hosts that fork without running
Python's hooks (uWSGI, unless told to).
"""

from __future__ import annotations

import os
import weakref
from typing import Any, Protocol

__all__ = ["Forkable", "register", "renew"]


class Forkable(Protocol):
    """What `register` takes."""

    #: Lower ones are renewed first: what others rest on.
    fork_rank: int

    def after_fork(self) -> None:
        """Make locks anew and let go of connections; there is only one thread."""


_registered: weakref.WeakSet[Any] = weakref.WeakSet()
_pid = os.getpid()


def register(one: Forkable) -> None:
    """Have it renewed in every child process, for as long as it exists."""
    _registered.add(one)


def renew() -> None:
    """Renew everything, if that was not done in this process yet.

    Costs a system call, so it is for reads that copy, not for those of a single object.
    """
    global _pid
    pid = os.getpid()
    if pid == _pid:
        return
    _pid = pid
    for one in sorted(_registered, key=lambda one: one.fork_rank):
        one.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=renew)
