"""The faults, and when they are played."""

from __future__ import annotations

import collections
import random
import threading
import time
from collections.abc import Callable, Mapping

from ..e2e._apiserver import OwnedServer
from ..e2e._processes import StartError
from ._proxy import Proxy

# How often the API server is started that does not come up in time.
_TRIES = 4


class Chaos:
    """The faults, one at a time, drawn from a seed.

    :param more: other faults to play, by their names.
    :param calm: seconds between two faults, from the first number to the second.
    """

    def __init__(self, server: OwnedServer, proxy: Proxy, seed: int, *,
                 more: Mapping[str, Callable[[], object]] | None = None,
                 calm: tuple[float, float] = (2, 6)) -> None:
        self._server, self._proxy, self._calm = server, proxy, calm
        self._draw = random.Random(seed)
        self._pause = threading.Event()
        self.played: collections.Counter[str] = collections.Counter()
        self._faults: dict[str, Callable[[], object]] = {
            "SIGSTOP": self._sigstop, "SIGKILL and restart": self._kill,
            "graceful restart": self._restart, "etcd compaction": server.compact,
            "compaction and restart": self._compact_and_restart, "proxy cuts": self._cut,
            "proxy delays": self._delay, "proxy freezes": proxy.freeze,
            "proxy refuses": self._refuse, **(more or {}),
        }

    def play(self, until: float) -> None:
        """Play one fault after the other until a time of `time.monotonic`."""
        names = sorted(self._faults)
        while time.monotonic() < until:
            # Each once, in an order of its own, before any comes again.
            for name in self._draw.sample(names, len(names)):
                if time.monotonic() >= until:
                    break
                print(f"{until - time.monotonic():6.0f} s left: {name}", flush=True)
                self._play(name)
                self._wait(*self._calm)

    def _play(self, name: str) -> None:
        try:
            self._faults[name]()
            self.played[name] += 1
            return
        except (StartError, OSError, RuntimeError, AssertionError) as error:
            # On a machine that has much else to do, a server may be slow to start, or gone.
            print(f"could not be played: {name}: {str(error)[:300]}", flush=True)
        for _ in range(_TRIES):
            try:
                self._server.recover()
                return
            except (StartError, OSError, RuntimeError, AssertionError) as error:
                print(f"not there yet: {str(error)[:300]}", flush=True)
                self._server.stop()
        self._server.recover()

    def _wait(self, least: float, most: float) -> None:
        self._pause.wait(self._draw.uniform(least, most))

    def _sigstop(self) -> None:
        self._server.sigstop()
        self._wait(2, 15)
        self._server.sigcont()

    def _kill(self) -> None:
        self._server.stop()
        self._wait(0, 4)
        self._server.start()

    def _restart(self) -> None:
        self._server.stop(graceful=True)
        self._server.start()

    def _compact_and_restart(self) -> None:
        self._server.stop()
        self._server.compact()
        self._server.start()

    def _cut(self) -> None:
        for _ in range(self._draw.randint(1, 5)):
            self._proxy.cut()
            self._wait(0, 1)

    def _delay(self) -> None:
        self._proxy.delay = self._draw.uniform(0.05, 1.5)
        self._wait(3, 8)
        self._proxy.delay = 0.0

    def _refuse(self) -> None:
        self._proxy.refuses = True
        self._proxy.cut()
        self._wait(2, 6)
        self._proxy.refuses = False
