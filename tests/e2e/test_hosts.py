"""Web applications whose cluster is a real one."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from kubernetes import client

from tests.hosts._process import HERE, Host
from tests.support._examples import write_kubeconfig
from ._apiserver import RealServer

WORKERS = 2


@pytest.mark.parametrize(("host", "site"), [
    ("flask", "tests.hosts.flask_site:app"), ("django", "tests.hosts.shop.wsgi:application"),
])
def test_an_application_under_gunicorn(real_server: RealServer, namespace: str, tmp_path: Path,
                                       host: str, site: str) -> None:
    for name in (host, "gunicorn"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"not installed: {name}")
    kubeconfig = tmp_path / "kubeconfig"
    with real_server.api_client() as api_client:
        write_kubeconfig(api_client, kubeconfig)
        v1 = client.CoreV1Api(api_client)
        spec = {"containers": [{"name": "main", "image": "nginx"}]}
        with Host(sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--workers",
                  str(WORKERS), "--preload", "--config", str(HERE / "gunicorn.conf.py"), site,
                  kubeconfig=kubeconfig, SHOP_NAMESPACE=namespace) as server:
            assert server.page("/readyz")["pods"]["ready"]
            assert server.get("/pods/web-0")[0] == 404
            v1.create_namespaced_pod(namespace, {"metadata": {"name": "web-0"}, "spec": spec})
            assert len(server.workers(WORKERS, "/pods/web-0")) == WORKERS
            v1.delete_namespaced_pod("web-0", namespace, grace_period_seconds=0)
