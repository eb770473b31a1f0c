"""Who writes all the time, and the config maps that two of them write."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

APPS = ("web", "db", "cache")
# Seconds for a request.
_TIMEOUT = (2.0, 4.0)


class Writer:
    """A thread that writes again and again, straight to the server.

    A write that fails, for the server is away, is counted, and left at that.

    :param write: writes once, what the generator chooses; raises where that fails.
    :param pause: seconds between two writes.
    """

    def __init__(self, write: Callable[[random.Random], object], seed: str, pause: float) -> None:
        self._write = write
        self._draw = random.Random(seed)
        self._pause = pause
        self._stop = threading.Event()
        self.written = self.failed = 0
        self.thread = threading.Thread(target=self._run, name=f"writer-{seed}", daemon=True)

    def _run(self) -> None:
        while not self._stop.wait(self._pause):
            try:
                self._write(self._draw)
                self.written += 1
            except (ApiException, HTTPError, OSError):
                self.failed += 1

    def stop(self) -> None:
        self._stop.set()
        self.thread.join(30)


def config_map_writer(api_client: client.ApiClient, namespaces: list[str], seed: str) -> Writer:
    """Return who creates, changes and deletes some config maps of its own."""
    v1 = client.CoreV1Api(api_client)

    def write(draw: random.Random) -> None:
        name, namespace = f"chaos-{seed}-{draw.randrange(60)}", draw.choice(namespaces)
        labels = {"chaos": "yes", "app": draw.choice(APPS)}
        body = {"metadata": {"name": name, "labels": labels},
                "data": {"value": "x" * draw.choice((10, 100, 5000)) + str(draw.random())}}
        try:
            if draw.random() < 0.25:
                v1.delete_namespaced_config_map(name, namespace, _request_timeout=_TIMEOUT)
            else:
                v1.patch_namespaced_config_map(name, namespace, body, _request_timeout=_TIMEOUT)
        except ApiException as error:
            if error.status != 404:
                raise
            v1.create_namespaced_config_map(namespace, body, _request_timeout=_TIMEOUT)

    return Writer(write, seed, pause=0.02)
