"""Three ways to test a program that reads a cache; run them with ``pytest`` in this folder.

The fixtures whose names begin with ``kube_`` come with kube_reflect; nothing need be imported.
"""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import crash_loops
import pytest
from kubernetes import client

from kube_reflect import Reflector
from kube_reflect.signals import Stop

HERE = Path(__file__).parent


def test_with_a_store_alone(kube_store: Any) -> None:
    """What only reads a cache needs no server: a store of some objects will do."""
    pods = kube_store(HERE / "pods.yaml", model=client.V1Pod)
    assert crash_loops.report(pods) == ["shop/web-1"]


def test_against_the_fake_server(kube_api_server: Any, kube_client: client.ApiClient) -> None:
    """The cluster is what the test makes it, and the cache has seen it when the test goes on."""
    kube_api_server.load(HERE / "pods.yaml")
    with Reflector(client.CoreV1Api(kube_client).list_namespaced_pod, "shop") as pods:
        kube_api_server.wait_until_seen(pods.store)
        assert crash_loops.report(pods.store) == ["shop/web-1"]
        kube_api_server.delete("pods", "web-1", "shop")
        kube_api_server.wait_until_seen(pods.store)
        assert crash_loops.report(pods.store) == []


def test_what_follows_changes(kube_api_server: Any, kube_client: client.ApiClient) -> None:
    """Each pod is told once, also after the connections were cut."""
    kube_api_server.load(HERE / "pods.yaml")
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    stop = Stop()
    with Reflector(client.CoreV1Api(kube_client).list_namespaced_pod, "shop") as pods:
        thread = threading.Thread(target=crash_loops.follow, args=(pods, stop, lines.put))
        thread.start()
        assert lines.get(timeout=5) == "shop/web-1 crashes"
        kube_api_server.disconnect()
        for name in ("web-1", "web-0"):
            statuses = [{"name": "main", "ready": False, "restartCount": 8, "image": "nginx",
                         "imageID": ""}]
            kube_api_server.patch("pods", name, {"status": {"containerStatuses": statuses}}, "shop")
        assert lines.get(timeout=5) == "shop/web-0 crashes"
        stop.set()
        thread.join()


def test_the_whole_program(kube_api_server: Any, tmp_path: Path,
                           monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of its own finds the server by a kubeconfig, as it would find a real one."""
    kube_api_server.load(HERE / "pods.yaml")
    monkeypatch.setenv("KUBECONFIG", str(kube_api_server.kubeconfig(tmp_path / "config")))
    command = [sys.executable, str(HERE / "crash_loops.py"), "shop"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "shop/web-1 crashes\n"
        process.terminate()
