"""A Django project: its commands start nothing, its servers what they serve."""

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
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(importlib.util.find_spec("django") is None,
                                reason="not installed: django")

MANAGE = (sys.executable, "-m", "django")
SETTINGS = "tests.hosts.shop.settings"


def manage(kubeconfig: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MANAGE, *arguments], cwd=ROOT, text=True, timeout=60, capture_output=True,
        env=environment(KUBECONFIG=str(kubeconfig), DJANGO_SETTINGS_MODULE=SETTINGS,
                        SHOP_DATABASE=str(kubeconfig.parent / "shop.sqlite3")))


@pytest.mark.parametrize("arguments", [
    ["check"], ["migrate"], ["check", "--deploy"], ["diffsettings"], ["showmigrations"],
], ids=" ".join)
def test_a_command_that_reads_nothing_asks_nothing(server: FakeApiServer, kubeconfig: Path,
                                                   arguments: list[str]) -> None:
    ran = manage(kubeconfig, *arguments)
    assert ran.returncode == 0, ran.stderr
    assert not list(server.requests)


def test_status(server: FakeApiServer, kubeconfig: Path) -> None:
    ran = manage(kubeconfig, "kube_reflect", "status")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[1].split()[:1] == ["pods"]
    server.forbid("pods")
    ran = manage(kubeconfig, "kube_reflect", "status", "--timeout", "0.5")
    assert ran.returncode == 1 and "forbidden" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_watch(server: FakeApiServer, kubeconfig: Path, number: signal.Signals) -> None:
    with Host(*MANAGE, "kube_reflect", "watch", "pods", kubeconfig=kubeconfig,
              DJANGO_SETTINGS_MODULE=SETTINGS) as host:
        until(lambda: "added: Pod.v1./web-0.shop" in host.lines, host.output)
        server.create(pod("db-0"))
        until(lambda: "added: Pod.v1./db-0.shop" in host.lines, host.output)
        server.patch("pods", "db-0", {"metadata": {"labels": {"tier": "db"}}}, "shop")
        until(lambda: "changed: Pod.v1./db-0.shop" in host.lines, host.output)
        server.delete("pods", "db-0", "shop")
        until(lambda: "deleted: Pod.v1./db-0.shop" in host.lines, host.output)
        host.signal(number)
        assert host.process.wait(10) == 0
        assert "Traceback" not in host.output()


def touched_until_reloaded(host: Host, old: int) -> None:
    """Change the time of a module until another process serves.

    Once is not enough: the reloader takes the time at which it first sees a module, which may be
    later, for the one to compare with.
    """
    def other() -> bool:
        found = host.get("/pods/web-0")[1]
        return isinstance(found, dict) and found["pid"] != old

    for _ in range(20):
        os.utime(HERE / "shop" / "urls.py")
        if eventually(other, 3):
            return
    pytest.fail(f"it was not reloaded:\n{host.output()}")


@pytest.mark.parametrize("options", [[], ["--noreload"], ["--nothreading"]],
                         ids=["reloads", "noreload", "nothreading"])
def test_runserver(server: FakeApiServer, kubeconfig: Path, options: list[str]) -> None:
    code = 0 if "--noreload" not in options else -signal.SIGTERM
    with Host(*MANAGE, "runserver", "127.0.0.1:{port}", *options, kubeconfig=kubeconfig, code=code,
              DJANGO_SETTINGS_MODULE=SETTINGS) as host:
        first = host.page("/pid")
        # Neither the parent nor the child has asked for anything.
        assert first["threads"] == [] and not list(server.requests)
        assert host.page("/pods/web-0")["node"] == "node-1"
        assert host.get("/pods/other")[0] == 404
        until(lambda: server.watches == 1, host.output)
        server.create(pod("db-0"))
        assert host.page("/pods/db-0")["pid"] == first["pid"]
        assert host.get("/healthz")[0] == host.get("/readyz")[0] == 200
        if "--noreload" not in options:
            touched_until_reloaded(host, first["pid"])
            until(lambda: server.watches == 1, host.output)


def test_under_gunicorn(server: FakeApiServer, kubeconfig: Path) -> None:
    if importlib.util.find_spec("gunicorn") is None:
        pytest.skip("not installed: gunicorn")
    with Host(sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--workers", "2",
              "--preload", "--config", str(HERE / "gunicorn.conf.py"),
              "tests.hosts.shop.wsgi:application", kubeconfig=kubeconfig) as host:
        # The hook has started them before any request.
        until(lambda: server.watches == 2, host.output)
        server.create(pod("db-0"))
        assert len(host.workers(2, "/pods/db-0")) == 2
