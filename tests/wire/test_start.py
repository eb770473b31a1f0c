"""When the first request is made."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise

import pytest
from kubernetes import client

from kube_reflect.config import Config
from kube_reflect.events import Init, InitDone
from kube_reflect.shard import Shard
from kube_reflect.testing import FakeApiServer
from kube_reflect.watcher import Watcher
from kube_reflect.wire import ApiSource, Closed

from tests.support.waiting import DEADLINE


class Waits(ApiSource):
    """One that notes how long it would wait, and does not."""

    waited: list[float]

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)


@pytest.fixture
def v1() -> Iterator[client.CoreV1Api]:
    with FakeApiServer() as server:
        yield client.CoreV1Api(server.api_client())


def waits(v1: client.CoreV1Api, config: Config, draw: float = 0.5) -> list[float]:
    """Return for how long it is waited before the first request."""
    with closing(Waits(v1.list_node, (), {}, config, rng=lambda: draw)) as source:
        source.waited = []
        source.wait_to_start()
        return source.waited


def test_nobody_waits_unless_told(v1: client.CoreV1Api) -> None:
    assert waits(v1, Config()) == waits(v1, Config(shard=Shard(3, 5))) == []


def test_it_waits_for_a_part_of_the_time(v1: client.CoreV1Api) -> None:
    assert waits(v1, Config(start_jitter=8.0), 0.25) == [2.0]


def test_a_watcher_waits_once(v1: client.CoreV1Api) -> None:
    source = Waits(v1.list_node, (), {}, Config(start_jitter=8.0), rng=lambda: 0.25)
    source.waited = []
    with closing(Watcher.over(source, Config(), lambda state: None)) as watcher:
        assert [type(next(watcher)) for _ in range(2)] == [Init, InitDone]
    assert source.waited == [2.0]


def test_each_shard_has_its_stretch_of_the_time(v1: client.CoreV1Api) -> None:
    stretches = [[waits(v1, Config(start_jitter=8.0, shard=Shard(index, 4)), draw)
                  for draw in (0.0, 0.999)] for index in range(4)]
    assert stretches[0][0] == [] and stretches[3][0] == [6.0]
    for (_, [last]), ([first], _) in pairwise(stretches):
        assert first - 0.01 < last < first


def test_close_ends_the_wait(v1: client.CoreV1Api) -> None:
    source = ApiSource(v1.list_node, (), {}, Config(start_jitter=10 * DEADLINE), rng=lambda: 0.9)
    ended: list[type[BaseException]] = []

    def ask() -> None:
        try:
            source.wait_to_start()
        except Closed as error:
            ended.append(type(error))

    thread = threading.Thread(target=ask)
    thread.start()
    source.close()
    thread.join(DEADLINE)
    assert ended == [Closed]
