"""A running fake server for the tests beside this."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kube_reflect.testing import FakeApiServer


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    with FakeApiServer() as running:
        yield running
