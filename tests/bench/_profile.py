"""Where the time of a sync and of an event goes: ``python -m tests.bench --profile``."""

from __future__ import annotations

import cProfile
import io
import json
import pstats
import subprocess
import sys

from tests.bench._control import ask, canned_server, wait_for_watches

_LINES = 30


def profile(port: int, size: int, events: int) -> str:
    """Run the reflector's loop in this thread under cProfile, first the sync, then a burst."""
    from kube_reflect import InitDone, Watcher, Writer, reflect
    from tests.bench._clients import core_api

    ask(port, "/burst", events=events, prepare=1)
    watcher = Watcher(core_api(port).list_pod_for_all_namespaces)
    stream = reflect(Writer(), watcher)
    sync = cProfile.Profile()
    sync.enable()
    for event in stream:
        if isinstance(event, InitDone):
            break
    sync.disable()
    wait_for_watches(port)
    ask(port, "/burst", events=events)
    burst = cProfile.Profile()
    burst.enable()
    for _ in range(events):
        next(stream)
    burst.disable()
    watcher.close()
    return "\n".join([f"sync of {size:,} pods\n", _top(sync, size),
                      f"burst of {events:,} events\n", _top(burst, events)])


def _top(taken: cProfile.Profile, count: int) -> str:
    """The functions that took longest by themselves, in microseconds an object."""
    out = io.StringIO()
    stats = pstats.Stats(taken, stream=out)
    stats.strip_dirs().sort_stats("tottime").print_stats(_LINES)
    total = stats.total_tt  # type: ignore[attr-defined]
    return f"{total * 1e6 / count:.1f} us each under the profiler{out.getvalue()}"


def main(size: int, events: int) -> None:
    """Profile in a fresh process, and print."""
    with canned_server(size) as port:
        subprocess.run([sys.executable, "-m", "tests.bench._profile",
                        json.dumps([port, size, events])], check=True)


if __name__ == "__main__":
    print(profile(*json.loads(sys.argv[1])))
