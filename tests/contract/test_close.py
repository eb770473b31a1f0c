"""A close ends whatever is under way, at once and without a word."""

from __future__ import annotations

import logging
import random
import threading

import pytest
from kubernetes import client

from kube_reflect import Backoff, Config, InitialListStrategy, NotReady, Phase, WriterDropped

from tests.support.waiting import timed

from ..e2e._apiserver import READER
from ._objects import OURS, config_map
from ._servers import ContractServer
from ._waiting import Following, eventually, names, reflecting

STRATEGIES = [InitialListStrategy.AUTO, InitialListStrategy.LIST_WATCH]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_close_at_any_moment(
    server: ContractServer, namespace: str, v1: client.CoreV1Api,
    strategy: InitialListStrategy, caplog: pytest.LogCaptureFixture,
) -> None:
    for number in range(10):
        server.create(config_map(f"c{number}", namespace, "", OURS))
    config = Config(label_selector="ours", page_size=2, initial_list_strategy=strategy)
    draw, pause = random.Random(1), threading.Event()
    longest = 0.0
    with caplog.at_level(logging.WARNING):
        for _ in range(15):
            with reflecting(v1.list_namespaced_config_map, namespace, config=config,
                            ready=False) as r:
                pause.wait(draw.uniform(0, 0.08))
                longest = max(longest, timed(r.close))
                assert not r.status.thread_alive and r.status.phase is Phase.STOPPED
                assert len(r.store) in (0, 10)
    assert longest < 2
    assert caplog.records == []


def test_close_while_watching_keeps_the_last_state_and_start_goes_on(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    server.create(config_map("a", namespace, "", OURS))
    with reflecting(v1.list_namespaced_config_map, namespace,
                    config=Config(label_selector="ours")) as r:
        assert eventually(lambda: r.status.live)
        r.close()
        r.close()
        assert not r.status.live and not r.status.thread_alive
        server.create(config_map("b", namespace, "", OURS))
        assert names(r.store) == {"a"} and r.store.ready
        r.start()
        assert eventually(lambda: names(r.store) == {"a", "b"})


def test_close_while_backing_off(server: ContractServer, namespace: str) -> None:
    reader = client.CoreV1Api(server.client_for(READER))
    with reflecting(reader.list_namespaced_config_map, namespace, ready=False,
                    backoff=Backoff(initial=60, maximum=60)) as r:
        assert eventually(lambda: r.status.phase is Phase.BACKING_OFF)
        assert timed(r.close) < 2
        with pytest.raises(WriterDropped) as caught:
            r.store.wait_until_ready(timeout=10)
        assert getattr(caught.value.__cause__, "code", None) == 403


def test_close_while_the_server_is_away(
    disposable: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    server = disposable
    server.create(config_map("a", namespace, "", OURS))
    restart = threading.Thread(target=server.restart)
    with reflecting(v1.list_namespaced_config_map, namespace,
                    config=Config(label_selector="ours")) as r:
        restart.start()
        assert eventually(lambda: r.status.last_error is not None)
        assert timed(r.close) < 2
        assert names(r.store) == {"a"}
    restart.join()


def test_close_of_a_watcher_ends_its_iteration(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    with Following(v1.list_namespaced_config_map, namespace) as told:
        assert eventually(lambda: told.watcher.state == "Watching")
        told.watcher.close()
        told.watcher.close()
        told.thread.join(5)
        assert not told.thread.is_alive()
        assert list(told.watcher) == []


def test_not_ready_says_so_while_the_first_list_is_under_way(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    go_on, begun = threading.Event(), threading.Event()

    def hold(mapping: dict[str, object]) -> dict[str, object]:
        begun.set()
        go_on.wait(10)
        return mapping

    server.create(config_map("a", namespace, "", OURS))
    with reflecting(v1.list_namespaced_config_map, namespace, ready=False, transform=hold,
                    config=Config(label_selector="ours")) as r:
        assert begun.wait(10)
        with pytest.raises(NotReady):
            r.store.wait_until_ready(timeout=0.05)
        assert r.store.is_empty() and r.status.phase is Phase.LISTING
        go_on.set()
        r.store.wait_until_ready(timeout=10)
        assert len(r.store) == 1
