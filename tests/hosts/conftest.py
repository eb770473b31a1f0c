"""A cluster, which is in the tests' own process, and the way to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kube_reflect.testing import FakeApiServer

from tests.support.objects import running_pod as pod
from tests.support import _examples


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(180))


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    with FakeApiServer() as server:
        server.create(pod("web-0"))
        yield server


@pytest.fixture
def kubeconfig(server: FakeApiServer, tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    with server.api_client() as api_client:
        _examples.write_kubeconfig(api_client, path)
    return path
