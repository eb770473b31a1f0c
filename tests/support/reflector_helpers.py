"""What the tests of the reflector share."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client

from kube_reflect import Backoff
from kube_reflect.config import Config, InitialListStrategy
from kube_reflect.testing import FakeApiServer

from tests.support.objects import new_pod
from tests.support.waiting import timed

LIST_WATCH = Config(initial_list_strategy=InitialListStrategy.LIST_WATCH)


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    with FakeApiServer() as running:
        running.create(new_pod("a"))
        running.create(new_pod("b"))
        yield running


@pytest.fixture
def v1(server: FakeApiServer) -> client.CoreV1Api:
    return client.CoreV1Api(server.api_client())


def api_of(url: str) -> client.CoreV1Api:
    """Make a client of a server that the fake one does not know of."""
    configuration = client.Configuration()
    configuration.host, configuration.proxy = url, None
    return client.CoreV1Api(client.ApiClient(configuration))


class Deadly(Backoff):
    """One that ends the thread which asks it first, and works from then on."""

    deadly = True

    def next_delay(self, retry_after: float | None = None, requests: int = 1,
                   **more: Any) -> float:
        if self.deadly:
            self.deadly = False
            raise SystemExit("as if")
        return super().next_delay(retry_after, requests, **more)


def threads_of(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == f"kube-reflect:{name}"]


def is_in(thread: threading.Thread, function: str) -> bool:
    """Whether a thread is within a function of that name at this moment."""
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None:
        if frame.f_code.co_name == function:
            return True
        frame = frame.f_back
    return False


def seconds_to_close(reflector: Any, timeout: float = 5.0) -> float:
    return timed(lambda: reflector.close(timeout=timeout))
