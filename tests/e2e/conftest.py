"""Fixtures for tests against a real API server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ._apiserver import OwnedServer, RealServer

HERE = Path(__file__).parent
# Seconds for a test of this folder: the first one waits for the server to start, too.
TIMEOUT = 150


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("e2e")
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(TIMEOUT))


@pytest.fixture
def owned_server(real_server: RealServer) -> OwnedServer:
    """The same server where a test may stop, freeze and compact it; else skips, and says why."""
    if not isinstance(real_server, OwnedServer):
        pytest.skip("the cluster of KUBECONFIG is not ours to stop: set KUBEBUILDER_ASSETS")
    return real_server


@pytest.fixture(autouse=True)
def recovered(request: pytest.FixtureRequest) -> Iterator[None]:
    """Bring the server back after a test that left it stopped or frozen."""
    yield
    # Not by getfixturevalue: where there is no server, that would skip once more.
    server = request.node.funcargs.get("real_server")
    if server is not None:
        server.recover()


@pytest.fixture
def namespace(real_server: RealServer) -> Iterator[str]:
    """The name of a namespace for this test alone."""
    with real_server.namespace() as name:
        yield name
