"""A small API server with pods that come, change and go."""

from __future__ import annotations

import math
import random
import threading
import time
from typing import Any

from kube_reflect.testing import FakeApiServer

__all__ = ["LivingCluster"]

_APPS = {
    "batch": ("invoices", "reports", "thumbnails"),
    "kube-system": ("coredns", "kube-proxy"),
    "monitoring": ("alerts", "grafana", "prometheus"),
    "payments": ("api", "ledger"),
    "search": ("crawler", "index", "query"),
    "shop": ("cart", "checkout", "web"),
}
_NODES = 12
#: Where a pod goes from each phase; the end of it is its deletion.
_NEXT = {"Pending": "Running", "Running": "Running", "Succeeded": None, "Failed": None}
#: Seconds between two rounds of changes.
_ROUND = 0.05
#: When the connections are cut, in seconds from the start. Once, and then so rarely that each
#: time the pause before the next try is the short one.
_FIRST_CUT, _NEXT_CUTS = 4.0, 150.0


class LivingCluster:
    """Some hundreds of pods on a `FakeApiServer`, and a thread that keeps them changing.

    :param size: pods at the start; later their number swings around it.
    :param seed: the same seed gives the same changes.
    """

    def __init__(self, size: int = 320, seed: int = 1) -> None:
        self.server = FakeApiServer()
        self._size = size
        self._random = random.Random(seed)
        #: (namespace, name, phase); the changing thread's own, once it runs.
        self._pods: list[tuple[str, str, str]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kube-reflect-demo:cluster",
                                        daemon=True)

    def start(self) -> None:
        """Start the server, fill it, and begin to change it."""
        self.server.start()
        for _ in range(self._size):
            self._create(phase="Running")
        self._thread.start()

    def stop(self) -> None:
        """End the changes; the server goes on."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def close(self) -> None:
        """End the changes and the server."""
        self.stop()
        self.server.close()

    def __len__(self) -> int:
        return len(self._pods)

    def _run(self) -> None:
        began = time.monotonic()
        next_cut = _FIRST_CUT
        owed = 0.0
        while not self._stop.wait(_ROUND):
            now = time.monotonic() - began
            # Between 20 and 120 changes a second, in waves.
            owed += _ROUND * (70 + 50 * math.sin(now / 3))
            wanted = self._size * (1 + math.sin(now / 15) / 4)
            while owed >= 1:
                owed -= 1
                self._change(wanted)
            if now >= next_cut:
                next_cut = now + _NEXT_CUTS
                self.server.disconnect()

    def _change(self, wanted: float) -> None:
        chance = self._random.random()
        if not self._pods or chance < 0.15 + (len(self._pods) < wanted) * 0.15:
            self._create(phase="Pending")
            return
        place = self._random.randrange(len(self._pods))
        namespace, name, phase = self._pods[place]
        following = _NEXT[phase]
        if phase == "Running" and namespace == "batch" and chance < 0.6:
            following = "Failed" if chance < 0.35 else "Succeeded"
        if following is None or (chance > 0.8 and len(self._pods) > wanted):
            self._pods[place] = self._pods[-1]
            self._pods.pop()
            self.server.delete("pods", name, namespace)
            return
        self._pods[place] = (namespace, name, following)
        heartbeat = {"metadata": {"annotations": {"example.com/beat": f"{chance:.9f}"}},
                     "status": {"phase": following}}
        self.server.patch("pods", name, heartbeat, namespace)

    def _create(self, phase: str) -> None:
        namespace = self._random.choice(list(_APPS))
        app = self._random.choice(_APPS[namespace])
        pod: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{app}-{self._random.getrandbits(40):010x}",
                "namespace": namespace,
                "labels": {"app": app},
            },
            "spec": {
                "containers": [{"name": app, "image": f"registry.example.com/{app}:1.0"}],
                "nodeName": f"node-{self._random.randrange(_NODES)}",
            },
            "status": {"phase": phase},
        }
        self.server.create(pod)
        self._pods.append((namespace, pod["metadata"]["name"], phase))
