"""Fixtures for pytest: a fake API server, a client for it, and stores without a server.

It is installed under the name ``kube_reflect_pytest`` as well, and pytest loads it by that: so the
runs of whoever has kube_reflect installed do not import the library, unless a test asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

    from kube_reflect import ApiResource, Store
    from kube_reflect.testing import FakeApiServer

__all__ = ["MakeStore", "kube_api_server", "kube_client", "kube_store"]


class MakeStore(Protocol):
    """What the fixture `kube_store` gives."""

    def __call__(
        self, *objects: Any, model: Callable[[dict[str, Any]], Any] | None = None,
        resource: ApiResource | None = None,
        indexers: Mapping[str, Callable[[Any], Iterable[Any]]] | None = None,
    ) -> Store[Any]:
        """Make a store of these objects; see `kube_reflect.testing.store_of`."""


@pytest.fixture
def kube_api_server() -> Iterator[FakeApiServer]:
    """A running `kube_reflect.testing.FakeApiServer`, one for each test that asks for it.

    It is on a free port of its own, so tests may run side by side.
    """
    from kube_reflect.testing import FakeApiServer

    with FakeApiServer() as server:
        yield server


@pytest.fixture
def kube_client(kube_api_server: FakeApiServer) -> Iterator[ApiClient]:
    """An ``ApiClient`` of the official library for `kube_api_server`."""
    with kube_api_server.api_client() as api_client:
        yield api_client


@pytest.fixture
def kube_store() -> MakeStore:
    """Make stores without a server: ``kube_store(pod_1, pod_2, model=V1Pod)``."""
    from kube_reflect.testing import store_of

    def make(*objects: Any, **options: Any) -> Store[Any]:
        return store_of(objects, **options)

    return make
