"""Count the frames on the way of a line of a WATCH, and of a read: ``python -m tests.bench.hops``.

A frame is a call of a function, or the resumption of a generator, as `sys.setprofile` tells of
them; only those of files of kube_reflect count.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import kube_reflect
from kube_reflect import Reflector
from kube_reflect.testing import FakeApiServer
from kubernetes.client import ApiClient, Configuration, CoreV1Api

_PACKAGE = str(Path(kube_reflect.__file__).parent)


class Hops(NamedTuple):
    """Frames by name, in order: of a line to the store, of a first `get`, of those after it."""

    line: list[str]
    first_get: list[str]
    next_get: list[str]


def _recorder(into: list[str]) -> Callable[[FrameType, str, Any], None]:
    def record(frame: FrameType, event: str, _: Any) -> None:
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(_PACKAGE) and "/testing/" not in name:
            into.append(f"{name[len(_PACKAGE) + 1:]}:{frame.f_code.co_qualname}"
                        if sys.version_info >= (3, 11) else
                        f"{name[len(_PACKAGE) + 1:]}:{frame.f_code.co_name}")
    return record


def _pod(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
            "spec": {"containers": [{"name": "c", "image": "i"}]}, "status": {"phase": "Running"}}


def _in_thread(into: list[str], read: Callable[[], object]) -> list[str]:
    into.clear()
    sys.setprofile(_recorder(into))
    try:
        read()
    finally:
        sys.setprofile(None)
    return list(into)


def _wait(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the event did not come")
        time.sleep(0.01)


def count() -> Hops:
    """Count on a pod that a server sends, in a Reflector with its defaults."""
    seen: list[str] = []
    mine: list[str] = []
    with FakeApiServer() as server:
        api = CoreV1Api(ApiClient(Configuration(host=server.url)))
        # Threads that there are already, the server's, are not looked at.
        threading.setprofile(_recorder(seen))
        try:
            reflector = Reflector(api.list_namespaced_pod, "default").start()
        finally:
            threading.setprofile(None)  # type: ignore[arg-type]
        with reflector:
            store = reflector.store
            store.wait_until_live(30)
            for name in ("one", "two", "three"):
                before = reflector.status.events
                _wait(lambda: reflector.status.live)
                seen.clear()
                server.create(_pod(name))
                _wait(lambda: reflector.status.events > before)
                _wait(_Settled(seen))
                line = list(seen)
            first = _in_thread(mine, lambda: store.get("three", "default"))
            after = _in_thread(mine, lambda: store.get("three", "default"))
    # The observer's own function is none of theirs.
    return Hops(line, *([hop for hop in hops if not hop.startswith("<")] for hops in
                        (first, after)))


class _Settled:
    """True when nothing was added to a list between two looks."""

    def __init__(self, growing: list[str]) -> None:
        self._growing = growing
        self._before = -1

    def __call__(self) -> bool:
        before, self._before = self._before, len(self._growing)
        return before == self._before


def main() -> None:
    """Print the frames, and how many there are."""
    for what, hops in zip(("a line of a WATCH to the store", "the first get of it",
                           "a get after that"), count()):
        print(f"{what}: {len(hops)} frames", *(f"  {hop}" for hop in hops), sep="\n")


if __name__ == "__main__":
    main()
