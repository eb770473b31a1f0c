"""A thread of a reflector, from a start to a close; and the end of all with the interpreter."""

from __future__ import annotations

import atexit
import threading

from kube_reflect.ground.forgotten import WeakBag
from kube_reflect.ground.locks import Deadline
from kube_reflect.ground.threads import Wakeup, join_thread, start_thread

__all__ = ["Runner"]

#: Seconds that all threads together have to end when the interpreter does.
_EXIT_TIMEOUT = 1.0


class Runner:
    """Owns a thread, which runs until it is closed; all methods from any thread.

    :param name: of the thread.
    """

    #: What it is, for the log.
    what = "the thread"

    def __init__(self, name: str) -> None:
        # Set by close(); read by the thread.
        self._closing = False
        self._wakeup = Wakeup()
        self._thread = threading.Thread(target=self._run, name=f"kube-reflect:{name}", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether the thread is running."""
        return self._thread.is_alive()

    @property
    def is_running(self) -> bool:
        """Whether the thread is running and has not been told to end."""
        return self.is_alive and not self._closing

    @property
    def is_current_thread(self) -> bool:
        """Whether this is its thread."""
        return self._thread is threading.current_thread()

    def start(self) -> None:
        """Start the thread."""
        _runners.add(self)
        start_thread(self._thread)

    def close(self) -> None:
        """End the thread; return at once."""
        self._closing = True
        self._wakeup.set()

    def join(self, timeout: float | None) -> bool:
        """Wait for the thread to end, unless it is this one; return whether it has."""
        return join_thread(self._thread, timeout)

    def _run(self) -> None:
        raise NotImplementedError

    def _pause(self, seconds: float) -> None:
        """Wait for so long, or until it is closed; in the thread."""
        if not self._closing:
            self._wakeup.wait(seconds)


_runners: WeakBag[Runner] = WeakBag()


@atexit.register
def _end_all() -> None:
    """End all threads before the interpreter ends, which else stops them wherever they are.

    Within a system call, for instance, some builds of Python then abort the process.
    """
    running = [runner for runner in _runners if runner.is_alive]
    for runner in running:
        runner.close()
    deadline = Deadline(_EXIT_TIMEOUT)
    for runner in running:
        runner.join(deadline.left())
