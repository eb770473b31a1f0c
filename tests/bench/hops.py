"""Count the frames on the way of a line of a WATCH, and of a read: ``python -m tests.bench.hops``.

A frame is a call of a function, or the resumption of a generator, as `sys.setprofile` tells of
them; only those of files of kube_reflect count. A hop is a frame that has the object in hand: in a
local variable, or as what it returns, as bytes, as text, or as what was made of these.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import kube_reflect
from kube_reflect import Apply, InitApply, Reflector
from kube_reflect.ground.objects import Object
from kube_reflect.testing import FakeApiServer
from kubernetes.client import ApiClient, Configuration, CoreV1Api, V1Pod

from tests.support.objects import running_pod
from tests.support.waiting import wait_until

_PACKAGE = str(Path(kube_reflect.__file__).parent)


#: The name of the pod that is followed.
_NAME = "kube-reflect-hop"


class Frame:
    """A frame, and whether it is a hop."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_hop = False

    def __str__(self) -> str:
        return f"  {'*' if self.is_hop else ' '} {self.name}"


class Hops(NamedTuple):
    """Frames in order: of a line to the store, of a first `get`, of one after it."""

    line: list[Frame]
    first_get: list[Frame]
    next_get: list[Frame]


def _is_it(value: Any) -> bool:
    """Return whether a value is the pod that is followed, in any of its forms."""
    if isinstance(value, (bytes, bytearray)):
        return _NAME.encode() in value and b"{" in value
    if isinstance(value, str):
        return _NAME in value and "{" in value
    if isinstance(value, Object):
        return value.name == _NAME
    if isinstance(value, V1Pod):
        return True
    if isinstance(value, (Apply, InitApply)):
        return _is_it(value.object)
    if isinstance(value, tuple):
        return any(map(_is_it, value))
    key = getattr(value, "key", None) or getattr(getattr(value, "after", None), "key", None)
    return isinstance(key, tuple) and key[1:] == (_NAME,)


def _recorder(into: list[Frame]) -> Callable[[FrameType, str, Any], None]:
    open_frames: list[Frame] = []

    def record(frame: FrameType, event: str, arg: Any) -> None:
        name = frame.f_code.co_filename
        if not name.startswith(_PACKAGE) or "/testing/" in name:
            return
        if event == "call":
            # (Python 3.10 has no qualified name.)
            function = getattr(frame.f_code, "co_qualname", frame.f_code.co_name)
            into.append(Frame(f"{name[len(_PACKAGE) + 1:]}: {function}"))
            open_frames.append(into[-1])
        elif event == "return" and open_frames:
            open_frames.pop().is_hop = _is_it(arg) or any(
                map(_is_it, frame.f_locals.values()))
    return record


def _in_thread(into: list[Frame], read: Callable[[], object]) -> list[Frame]:
    into.clear()
    sys.setprofile(_recorder(into))
    try:
        read()
    finally:
        sys.setprofile(None)
    return list(into)


def count() -> Hops:
    """Count on a pod that a server sends, in a Reflector with its defaults."""
    seen: list[Frame] = []
    mine: list[Frame] = []
    with FakeApiServer() as server:
        api = CoreV1Api(ApiClient(Configuration(host=server.url)))
        # Threads that there are already, the server's, are not looked at.
        threading.setprofile(_recorder(seen))
        try:
            reflector = Reflector(api.list_namespaced_pod, "default").start()
        finally:
            threading.setprofile(None)
        with reflector:
            store = reflector.store
            store.wait_until_live(30)
            for name in ("one", "two", _NAME):
                before = reflector.status.events
                wait_until(lambda: reflector.status.live)
                seen.clear()
                server.create(running_pod(name, "default"))
                wait_until(lambda: reflector.status.events > before)
                wait_until(_Settled(seen))
                line = list(seen)
            first = _in_thread(mine, lambda: store.get(_NAME, "default"))
            after = _in_thread(mine, lambda: store.get(_NAME, "default"))
    return Hops(line, first, after)


class _Settled:
    """True when nothing was added to a list between two looks."""

    def __init__(self, growing: list[Frame]) -> None:
        self._growing = growing
        self._before = -1

    def __call__(self) -> bool:
        before, self._before = self._before, len(self._growing)
        return before == self._before


def main() -> None:
    """Print the frames, and how many there are."""
    for what, hops in zip(("a line of a WATCH to the store", "the first get of it",
                           "a get after that"), count()):
        print(f"{what}: {len(hops)} frames, {sum(one.is_hop for one in hops)} hops (*)", *hops,
              sep="\n")


if __name__ == "__main__":
    main()
