"""Starting a thread so that nothing can interrupt that, and waiting for its end."""

from __future__ import annotations

import _thread
import queue
import threading
from queue import SimpleQueue

__all__ = ["join_thread", "start_here", "start_thread"]


def start_thread(thread: threading.Thread) -> None:
    """Start a thread, and return when it runs, like `Thread.start`, which must not be interrupted.

    `Thread.start` is several statements of Python. An exception that arrives among them (Ctrl-C, a
    time limit) leaves a thread that waits for ever, or one that dies before it has begun. So
    another thread calls it, which gets no such exceptions. Who is interrupted in here does not
    know whether the thread will run; it does, and wholly, or it does not.

    :raises RuntimeError: if no thread can be started at this moment; or if gevent has made
        greenlets of threads after this was imported, when each wait of ours would be for ever.
    """
    if SimpleQueue is not queue.SimpleQueue:
        raise RuntimeError("threads were patched, as gevent does, after kube_reflect was imported: "
                           "have gevent.monkey.patch_all() called first of all (with gunicorn, "
                           "at the top of gunicorn.conf.py)")
    outcome: SimpleQueue[BaseException | None] = SimpleQueue()

    def start() -> None:
        try:
            start_here(thread)
        except BaseException as error:
            outcome.put(error)
        else:
            outcome.put(None)

    _thread.start_new_thread(start, ())
    error = outcome.get()
    if error is not None:
        raise error


def join_thread(thread: threading.Thread, timeout: float | None) -> bool:
    """Wait for a thread to end, unless it is this one; return whether there is none to wait for."""
    try:
        thread.join(timeout)
    except RuntimeError as error:
        # This one; or it was never started, or this is a signal handler that interrupts its start.
        if str(error).lower().startswith("cannot join "):
            return True
        raise
    return not thread.is_alive()


def start_here(thread: threading.Thread) -> None:
    """Start a thread from one of our own, which nothing interrupts.

    Python's own tests ask a `WeakSet` which threads are still held. A thread that is in there runs
    a callback of Python's in whoever lets go of it, and what interrupts that is lost.
    """
    thread.start()
    threading._dangling.discard(thread)  # type: ignore[attr-defined]
