"""The demonstration, on a real API server."""

from __future__ import annotations

import threading
from pathlib import Path

from kubernetes import client

from tests.support import _examples
from ..cli._running import pod, run
from ..cli.test_demo import EQUAL
from ._apiserver import RealServer


def test_a_real_cluster_is_followed_and_proved(
        real_server: RealServer, namespace: str, tmp_path: Path) -> None:
    with real_server.api_client() as api_client:
        v1 = client.CoreV1Api(api_client)
        kubeconfig = tmp_path / "kubeconfig"
        _examples.write_kubeconfig(api_client, kubeconfig)
        results = []
        thread = threading.Thread(
            target=lambda: results.append(
                run("demo", "--kubeconfig", str(kubeconfig), "--seconds", "4")))
        thread.start()
        number = 0
        while thread.is_alive():
            body = pod(f"demo-{number}") | {"metadata": {"name": f"demo-{number}"}}
            body["spec"] = {"containers": [{"name": "main", "image": "busybox"}]}
            v1.create_namespaced_pod(namespace, body)
            number += 1
            thread.join(0.2)
    (ran,) = results
    assert (ran.returncode, ran.stderr) == (0, "")
    assert EQUAL in ran.stdout
    assert number > 1
