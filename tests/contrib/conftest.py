"""A fake cluster, and the way to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kube_reflect.contrib import workers
from kube_reflect.testing import FakeApiServer

from tests.support import _examples
from tests.support.objects import running_pod


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    with FakeApiServer() as server:
        server.create(running_pod("web-0"))
        yield server


@pytest.fixture(autouse=True)
def no_workers_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test start what another has declared, and somebody still holds."""
    monkeypatch.setattr(workers, "_added", {})


@pytest.fixture
def kubeconfig(server: FakeApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubeconfig that leads to the cluster, and that `load_config` finds."""
    path = tmp_path / "kubeconfig"
    with server.api_client() as api_client:
        _examples.write_kubeconfig(api_client, path)
    monkeypatch.setenv("KUBECONFIG", str(path))
    # It reads the variable when it is imported.
    for module in ("kubernetes.config", "kubernetes.config.kube_config"):
        monkeypatch.setattr(f"{module}.KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    return path
