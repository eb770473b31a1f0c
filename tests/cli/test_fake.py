"""``fake``: a server for programs in any language; and the command as such."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from kubernetes import client
from kubernetes import config as kubernetes_config

from kube_reflect.cli import main

from ._running import DEADLINE, MODULE, environment, pod, run

Capture = pytest.CaptureFixture[str]


def test_it_serves_what_is_loaded_until_it_is_interrupted(tmp_path: Path) -> None:
    (tmp_path / "pods.json").write_text(json.dumps({
        "apiVersion": "v1", "kind": "List", "items": [pod("a"), pod("b")]}))
    config = tmp_path / "config"
    command = [sys.executable, *MODULE, "fake", "--load", str(tmp_path / "pods.json"),
               "--kubeconfig", str(config), "--requests"]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            assert first.startswith("http://127.0.0.1:") and " with 2 objects; " in first
            assert process.stdout.readline() == f"export KUBECONFIG={config}\n"
            configuration = client.Configuration()
            kubernetes_config.load_kube_config(str(config), client_configuration=configuration)
            with client.ApiClient(configuration) as api_client:
                listed = client.CoreV1Api(api_client).list_namespaced_pod("here", limit=500)
            assert [one.metadata.name for one in listed.items] == ["a", "b"]
            told = process.stdout.readline()
            assert told.endswith(" list   /api/v1/namespaces/here/pods?limit=500\n")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=DEADLINE)
            assert (process.returncode, out, err) == (130, "", "")
        finally:
            process.kill()


def test_what_goes_wrong_is_told_in_one_line(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "x.yaml").write_text("apiVersion: example.com/v1\nkind: Dwarf\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for args, told in (
                (["--load", str(tmp_path / "nothing.yaml")], "No such file"),
                (["--load", str(tmp_path / "x.yaml")], "has no Dwarf of example.com/v1"),
                (["--port", port], f"127.0.0.1:{port}: "),
                (["--kubeconfig", str(tmp_path)], "the kubeconfig cannot be written: ")):
            assert main(["fake", *args]) == 1
            err = capsys.readouterr().err
            assert err.startswith("kube-reflect: ") and told in err and err.count("\n") == 1


def test_a_kind_that_is_unknown_is_told_with_what_makes_it_known(
    tmp_path: Path, capsys: Capture,
) -> None:
    (tmp_path / "foo.json").write_text(json.dumps({
        "apiVersion": "x.example/v1", "kind": "Foo", "metadata": {"name": "a"}}))
    assert main(["fake", "--load", str(tmp_path / "foo.json")]) == 1
    said = capsys.readouterr().err
    assert "no Foo of x.example/v1; load its CustomResourceDefinition, or" in said


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_that_is_none(port: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["fake", "--port", port])
    assert caught.value.code == 2 and "a port is a number" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["get", "watch", "events", "top", "doctor", "fake", "demo"])
def test_every_command_has_help(command: str, capsys: Capture) -> None:
    for args in ([command, "--help"], ["--help"]):
        with pytest.raises(SystemExit) as caught:
            main(args)
        assert caught.value.code == 0
        out = capsys.readouterr().out
        assert command in out and max(map(len, out.splitlines())) < 110


def test_the_version(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("kube-reflect")


def test_as_a_module_without_a_cluster(tmp_path: Path) -> None:
    ran = run("get", "pods", HOME=str(tmp_path), KUBERNETES_SERVICE_HOST="")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("kube-reflect: no cluster: ") and ran.stderr.count("\n") == 1


def test_the_context_and_its_namespace(kubeconfig: str, capsys: Capture) -> None:
    written = json.loads(Path(kubeconfig).read_text())
    (context,) = written["contexts"]
    written["contexts"].append({"name": "other", "context": {
        **context["context"], "namespace": "here"}})
    Path(kubeconfig).write_text(json.dumps(written))
    get = ["get", "pods", "-o", "name", "--kubeconfig", kubeconfig]
    assert main(get) == 0
    assert capsys.readouterr().out == ""
    assert main([*get, "--context", "other"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 20
    assert main([*get, "--context", "nowhere"]) == 1
    assert "cannot be used" in capsys.readouterr().err
    assert os.environ.get("KUBECONFIG") is None
