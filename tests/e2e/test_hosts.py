"""Programs in their hosts, whose cluster is a real one."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from tests.hosts._process import HERE, Host, until
from tests.hosts.test_celery import application, celery
from tests.hosts.test_uwsgi import UWSGI
from tests.support._examples import write_kubeconfig
from ._apiserver import RealServer

__all__ = ["application"]

WORKERS = 2
GUNICORN = (sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--workers",
            str(WORKERS), "--preload", "--config", str(HERE / "gunicorn.conf.py"))
FLASK = "tests.hosts.flask_site:app"


@pytest.fixture
def kubeconfig(real_server: RealServer, tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    with real_server.api_client() as api_client:
        write_kubeconfig(api_client, path)
    return path


@pytest.fixture
def v1(real_server: RealServer) -> Iterator[client.CoreV1Api]:
    with real_server.api_client() as api_client:
        yield client.CoreV1Api(api_client)


def create_pod(v1: client.CoreV1Api, namespace: str) -> None:
    v1.create_namespaced_pod(namespace, {
        "metadata": {"name": "web-0"},
        "spec": {"containers": [{"name": "main", "image": "nginx"}]}})


@pytest.mark.parametrize(("needs", "command"), [
    (("flask", "gunicorn"), (*GUNICORN, FLASK)),
    (("django", "gunicorn"), (*GUNICORN, "tests.hosts.shop.wsgi:application")),
    (("flask", "uwsgi"), (
        str(UWSGI), "--http-socket", "127.0.0.1:{port}", "--module", FLASK, "--home", sys.prefix,
        "--enable-threads", "--die-on-term", "--master", "--processes", str(WORKERS))),
], ids=lambda value: "-".join(value) if len(value) == 2 else "")
def test_an_application(v1: client.CoreV1Api, namespace: str, kubeconfig: Path,
                        needs: tuple[str, ...], command: tuple[str, ...]) -> None:
    for name in needs:
        if importlib.util.find_spec(name) is None and not (name == "uwsgi" and UWSGI):
            pytest.skip(f"not installed: {name}")
    with Host(*command, kubeconfig=kubeconfig, SHOP_NAMESPACE=namespace) as server:
        until(lambda: server.get("/readyz")[0] == 200, server.output)
        assert server.get("/pods/web-0")[0] == 404
        create_pod(v1, namespace)
        assert len(server.workers(WORKERS, "/pods/web-0")) == WORKERS
        v1.delete_namespaced_pod("web-0", namespace, grace_period_seconds=0)


@pytest.mark.skipif(importlib.util.find_spec("celery") is None, reason="not installed: celery")
def test_tasks(v1: client.CoreV1Api, namespace: str, kubeconfig: Path,
               monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setenv("SHOP_NAMESPACE", namespace)
    site: Any = request.getfixturevalue("application")
    create_pod(v1, namespace)
    with celery(kubeconfig, "--pool", "prefork", "--concurrency", str(WORKERS)) as host:
        found = until(lambda: [
            one for one in [site.look.delay("web-0").get(timeout=60)]
            if one["found"] == [True, [1, 0, 1, 1, 0], True]], host.output)
        assert found[0]["pid"] != host.process.pid
