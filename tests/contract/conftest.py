"""The servers that each test of the contract runs against."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kubernetes import client

from ._servers import ContractServer, Fake, Real
from ._waiting import Requests, requests

SERVERS = [
    "fake",
    "fake-without-streaming-lists",
    # The first one waits for the server to start, too.
    pytest.param("real", marks=[pytest.mark.e2e, pytest.mark.timeout(150)]),
]


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[ContractServer]:
    """An API server: a fake one of each kind, and, where there is one, a real one."""
    made: ContractServer
    if request.param == "real":
        made = Real(request.getfixturevalue("real_server"))
    else:
        made = Fake(streaming_list="without" not in request.param,
                    sharding="sharding" in request.param)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def disposable(server: ContractServer) -> ContractServer:
    """The server, if it may be restarted and made to forget; else skips, and says why."""
    server.check_disposable()
    return server


@pytest.fixture
def namespace(server: ContractServer) -> Iterator[str]:
    """The name of a namespace for this test alone."""
    with server.namespace() as name:
        yield name


@pytest.fixture
def v1(server: ContractServer) -> client.CoreV1Api:
    return client.CoreV1Api(server.api_client())


@pytest.fixture
def asked() -> Iterator[Requests]:
    """The requests that reflectors make in this test."""
    with requests() as seen:
        yield seen
