"""Thousands of pods on the real server, and who changes them all the time."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from typing import Any

import urllib3

from ..e2e._apiserver import OwnedServer
from ._watched import Key
from ._writing import APPS, Writer

_THREADS = 6
# Seconds for a request.
_TIMEOUT = urllib3.Timeout(connect=2.0, read=4.0)


def pod(name: str, app: str) -> dict[str, Any]:
    """Return a small pod as somebody creates it."""
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": app, "team": f"team-{hash(name) % 7}"},
                         "annotations": {"example.com/note": "a few words that nobody reads"}},
            "spec": {"containers": [
                {"name": "main", "image": f"registry.example.com/{app}:1.2.3",
                 "env": [{"name": f"SETTING_{number}", "value": f"{name}-{number}"}
                         for number in range(4)],
                 "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}]}}


class Pods:
    """The pods of a server, straight, without a client that knows what a pod is."""

    def __init__(self, server: OwnedServer, namespaces: list[str]) -> None:
        self.namespaces = namespaces
        self._url = server.url
        self._pool = urllib3.PoolManager(
            ca_certs=str(server.certificate), maxsize=2 * _THREADS, retries=False,
            headers={"Authorization": f"Bearer {server.token}",
                     "Content-Type": "application/json"})

    def request(self, method: str, path: str, body: Any = None, *, patch: bool = False,
                timeout: urllib3.Timeout = _TIMEOUT) -> tuple[int, bytes]:
        """Ask once; return the status and the body."""
        headers = dict(self._pool.headers)
        if patch:
            headers["Content-Type"] = "application/merge-patch+json"
        answer = self._pool.request(method, self._url + path, headers=headers, timeout=timeout,
                                    body=None if body is None else json.dumps(body))
        return answer.status, answer.data

    def create(self, count: int) -> None:
        """Create so many, by several threads at once."""
        def run(first: int) -> None:
            for number in range(first, count, _THREADS):
                namespace = self.namespaces[number % len(self.namespaces)]
                code, found = self.request(
                    "POST", f"/api/v1/namespaces/{namespace}/pods",
                    pod(f"pod-{number}", APPS[number % 3]), timeout=urllib3.Timeout(60))
                if code != 201:
                    failed.append(f"{code} {found[:300]!r}")
                    return

        failed: list[str] = []
        threads = [threading.Thread(target=run, args=(first,)) for first in range(_THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed, failed

    def all(self) -> Iterator[tuple[Key, str, str]]:
        """Yield the key, the version and the app of each, from the server."""
        token = ""
        while True:
            code, found = self.request("GET", f"/api/v1/pods?limit=2000&continue={token}",
                                       timeout=urllib3.Timeout(60))
            assert code == 200, found[:300]
            listed = json.loads(found)
            for item in listed["items"]:
                metadata = item["metadata"]
                yield ((metadata["namespace"], metadata["name"]), metadata["resourceVersion"],
                       metadata["labels"]["app"])
            token = listed["metadata"].get("continue", "")
            if not token:
                return


def pod_writer(pods: Pods, seed: int, count: int) -> Writer:
    """Return who creates, changes and deletes some of so many pods."""
    def write(draw: random.Random) -> None:
        number = draw.randrange(count)
        name = f"pod-{number}"
        path = f"/api/v1/namespaces/{pods.namespaces[number % len(pods.namespaces)]}/pods"
        app = draw.choice(APPS)
        if draw.random() < 0.2:
            code, _ = pods.request("DELETE", f"{path}/{name}", {"gracePeriodSeconds": 0})
        else:
            code, _ = pods.request(
                "PATCH", f"{path}/{name}", patch=True,
                body={"metadata": {"labels": {"app": app},
                                   "annotations": {"example.com/turn": str(draw.random())}}})
        if code == 404:
            code, _ = pods.request("POST", path, pod(name, app))
        if code >= 400:
            raise OSError(f"{path}/{name}: {code}")

    return Writer(write, str(seed), pause=0.05)
