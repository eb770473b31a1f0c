"""The command line, on a real API server."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from kubernetes import client

from kube_reflect.cli import main

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


@pytest.fixture
def kubeconfig(real_server: RealServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with real_server.api_client() as api_client:
        _examples.write_kubeconfig(api_client, tmp_path / "kubeconfig")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))


@pytest.mark.usefixtures("kubeconfig")
def test_the_other_commands(real_server: RealServer, namespace: str,
                            capsys: pytest.CaptureFixture[str]) -> None:
    with real_server.api_client() as api_client:
        v1 = client.CoreV1Api(api_client)
        v1.create_namespaced_config_map(namespace, {
            "metadata": {"name": "settings"}, "data": {"a": "1", "b": "2"}})
        assert main(["get", "cm", "settings", "-n", namespace]) == 0
        heading, row = capsys.readouterr().out.splitlines()
        assert heading.split() == ["NAME", "DATA", "AGE"]
        assert row.split()[:2] == ["settings", "2"]
        for command in (["get", "configmaps", "-w"], ["watch", "configmap"]):
            assert main([*command, "-n", namespace, "--seconds", "1"]) == 0
            assert "settings" in capsys.readouterr().out
        assert main(["events", "cm", "-n", namespace, "-o", "json", "--seconds", "1"]) == 0
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        (settings,) = [line for line in lines if line.get("ref", {}).get("name") == "settings"]
        assert settings["object"]["data"] == {"a": "1", "b": "2"}
        assert [line["type"] for line in lines].count("BOOKMARK") == 1
        assert main(["top", "cm", "clusterroles"]) == 0
        assert capsys.readouterr().out.splitlines()[1].startswith("clusterroles.rbac.")
        assert main(["doctor", "cm", "-n", namespace]) == 0
        assert "ok    watch " in capsys.readouterr().out
