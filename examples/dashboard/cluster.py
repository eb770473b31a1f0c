"""A fake cluster that lives: pods come, start, change and go, and it fails when told to."""

from __future__ import annotations

import random
import threading
from types import TracebackType
from typing import Any

from kube_reflect.testing import FakeApiServer

NAMESPACES = ("checkout", "catalog", "search", "kube-system")
APPS = {"checkout": ("api", "worker", "mailer"), "catalog": ("web", "images", "import"),
        "search": ("index", "query"), "kube-system": ("coredns", "kube-proxy", "metrics-server")}
PODS = 48
AWAY = 4.0


class LivingCluster:
    """A `FakeApiServer` in which something happens all the time.

    :param every: seconds between two changes.
    """

    #: What a button of the page may do, and what it says.
    FAULTS = {
        "cut": "Cut the watch",
        "relist": "Forget the history (410, relist)",
        "away": f"API server away for {AWAY:g} s",
        "forbid": "Refuse or allow (403)",
    }

    def __init__(self, every: float = 0.7) -> None:
        self.server = FakeApiServer()
        self._every = every
        self._random = random.Random(7)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, name="living-cluster", daemon=True)
        self._forbidden = False
        self._timers: list[threading.Timer] = []

    def __enter__(self) -> LivingCluster:
        self.server.start()
        for _ in range(PODS):
            self._create("Running")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        for timer in self._timers:
            timer.cancel()
            timer.join()
        self.server.close()

    def fail(self, what: str) -> None:
        """Do what a button says."""
        if what == "cut":
            self.server.disconnect()
        elif what == "relist":
            # Something changes while nobody watches, too.
            self._step()
            self.server.compact()
            self.server.disconnect()
        elif what == "away":
            self.server.close()
            self._timers.append(threading.Timer(AWAY, self.server.start))
            self._timers[-1].start()
        else:
            self._forbidden = not self._forbidden
            (self.server.forbid if self._forbidden else self.server.allow)("pods")
            self.server.disconnect()

    def _create(self, phase: str = "Pending") -> None:
        namespace = self._random.choice(NAMESPACES)
        app = self._random.choice(APPS[namespace])
        ending = "".join(self._random.choices("bcdfghjklmnpqrstvwxz2456789", k=5))
        pod: dict[str, Any] = {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": f"{app}-{ending}", "namespace": namespace, "labels": {"app": app}},
            "spec": {"containers": [{"name": app, "image": f"example.com/{app}:1"}],
                     "nodeName": f"node-{self._random.randint(1, 6)}"},
            "status": {"phase": phase},
        }
        self.server.create(pod)

    def _step(self) -> None:
        pods = self.server.objects("pods")
        pending = [pod for pod in pods if pod["status"]["phase"] == "Pending"]
        dice = self._random.random()
        if pending and dice < 0.5:
            self._set_phase(pending[0], "Running")
        elif dice < 0.6:
            self._set_phase(self._random.choice(pods), "Failed")
        elif len(pods) > PODS or (dice < 0.75 and pods):
            failed = [pod for pod in pods if pod["status"]["phase"] == "Failed"]
            self.server.delete((failed or [self._random.choice(pods)])[0])
        else:
            self._create()

    def _set_phase(self, pod: dict[str, Any], phase: str) -> None:
        self.server.patch("pods", pod["metadata"]["name"], {"status": {"phase": phase}},
                          pod["metadata"]["namespace"])

    def _live(self) -> None:
        while not self._stop.wait(self._every):
            self._step()
