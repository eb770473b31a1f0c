"""Flask's own server, with and without its reloader, and its command."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kube_reflect.testing import FakeApiServer

from tests.support.objects import running_pod as pod
from tests.hosts._process import HERE, Host, environment, until
from tests.support._examples import ROOT

pytestmark = pytest.mark.skipif(importlib.util.find_spec("flask") is None,
                                reason="not installed: flask")

FLASK = (sys.executable, "-m", "flask", "--app", "tests.hosts.flask_site")


@pytest.mark.parametrize("reloads", [False, True], ids=["", "reloads"])
def test_run(server: FakeApiServer, kubeconfig: Path, reloads: bool) -> None:
    options = ["--debug"] if reloads else []
    with Host(*FLASK, *options, "run", "--port", "{port}", kubeconfig=kubeconfig,
              code=0 if reloads else -signal.SIGTERM) as host:
        first = host.page("/pid")
        assert first["threads"] == [] and not list(server.requests)
        assert host.page("/pods/web-0")["pid"] == first["pid"]
        until(lambda: server.watches == 1, host.output)
        server.create(pod("db-0"))
        assert host.page("/pods/db-0")["node"] == "node-1"
        if reloads:
            os.utime(HERE / "flask_site.py")
            host.workers(1, "/pods/web-0", without=[first["pid"]])
            until(lambda: server.watches == 1, host.output)


def test_the_command(server: FakeApiServer, kubeconfig: Path) -> None:
    ran = subprocess.run([*FLASK, "kube-reflect", "status"], cwd=ROOT, text=True, timeout=60,
                         env=environment(KUBECONFIG=str(kubeconfig)), capture_output=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[1].split()[0] == "pods"
