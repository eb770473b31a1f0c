"""What this process costs: memory, CPU, and how long its threads are kept waiting."""

from __future__ import annotations

import gc
import resource
import statistics
import sys
import threading
import time


def resident() -> int:
    """Bytes of memory resident now; where there is no /proc, the peak so far."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return _peak_of_rusage()


def forget_peak() -> None:
    """Let the peak begin anew, where the system can."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        pass


def peak() -> int:
    """The most bytes that were resident."""
    # ru_maxrss starts from what the parent had when it forked; VmHWM belongs to this program.
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return _peak_of_rusage()


def _peak_of_rusage() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def full_collection() -> float:
    """Seconds that a full garbage collection takes, with nothing left to free."""
    gc.collect()
    took = []
    for _ in range(3):
        began = time.perf_counter()
        gc.collect()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


class Ticker:
    """A thread that wants to run every millisecond, and notes the longest time it could not."""

    INTERVAL = 0.001

    def __init__(self) -> None:
        self._stop = False
        self._longest = 0.0
        self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)

    def __enter__(self) -> Ticker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop = True
        self._thread.join()

    def take(self) -> float:
        """The longest stall in seconds since the last call."""
        longest, self._longest = self._longest, 0.0
        return longest

    def _run(self) -> None:
        last = time.perf_counter()
        while not self._stop:
            # How late it ends is what is measured.
            time.sleep(self.INTERVAL)
            now = time.perf_counter()
            self._longest = max(self._longest, now - last - self.INTERVAL)
            last = now
