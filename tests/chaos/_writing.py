"""Who changes config maps all the time."""

from __future__ import annotations

import random
import threading

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

_APPS = ("web", "db", "cache")
# Seconds between two writes of one writer, and for a request.
_PAUSE = 0.02
_TIMEOUT = (2.0, 4.0)


class Writer:
    """A thread that creates, changes and deletes config maps, straight to the server.

    A write that fails, for the server is away, is left at that.
    """

    def __init__(self, api_client: client.ApiClient, namespaces: list[str], seed: str) -> None:
        self._v1 = client.CoreV1Api(api_client)
        self._namespaces = namespaces
        self._draw = random.Random(seed)
        self._prefix = f"chaos-{seed}"
        self._stop = threading.Event()
        self.written = self.failed = 0
        self.thread = threading.Thread(target=self._run, name=f"writer-{seed}", daemon=True)

    def _run(self) -> None:
        while not self._stop.wait(_PAUSE):
            try:
                self._write()
                self.written += 1
            except (ApiException, HTTPError, OSError):
                self.failed += 1

    def _write(self) -> None:
        draw = self._draw
        name, namespace = f"{self._prefix}-{draw.randrange(60)}", draw.choice(self._namespaces)
        labels = {"chaos": "yes", "app": draw.choice(_APPS)}
        body = {"metadata": {"name": name, "labels": labels},
                "data": {"value": "x" * draw.choice((10, 100, 5000)) + str(draw.random())}}
        action = draw.random()
        try:
            if action < 0.25:
                self._v1.delete_namespaced_config_map(name, namespace, _request_timeout=_TIMEOUT)
            else:
                self._v1.patch_namespaced_config_map(name, namespace, body,
                                                     _request_timeout=_TIMEOUT)
        except ApiException as error:
            if error.status != 404:
                raise
            self._v1.create_namespaced_config_map(namespace, body, _request_timeout=_TIMEOUT)

    def stop(self) -> None:
        self._stop.set()
        self.thread.join(30)
