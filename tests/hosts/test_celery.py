"""Celery: tasks that are interrupted wherever they are, and the cache goes on."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kube_reflect.testing import FakeApiServer

from tests.support.objects import running_pod as pod
from tests.hosts._process import Host, until

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("celery") is None, reason="not installed: celery"),
    pytest.mark.timeout(420),
]

#: All that run are interrupted in the same moment, once a second: this broker knows no other way.
WORKERS = 16
TASKS = int(os.environ.get("CELERY_TASKS", "1000"))


@pytest.fixture
def application(kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                ) -> Iterator[Any]:
    """What the one has who sends tasks; its reflector is never used."""
    for name in ("queue", "results", "control"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("CELERY_FOLDER", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    for module in ("kubernetes.config", "kubernetes.config.kube_config"):
        monkeypatch.setattr(f"{module}.KUBE_CONFIG_DEFAULT_LOCATION", str(kubeconfig))
    monkeypatch.setattr("kubernetes.client.Configuration._default", None)
    sys.modules.pop("tests.hosts.celery_site", None)
    yield importlib.import_module("tests.hosts.celery_site")
    sys.modules.pop("tests.hosts.celery_site", None)


def celery(kubeconfig: Path, *options: str) -> Host:
    host = Host(sys.executable, "-m", "celery", "--app", "tests.hosts.celery_site", "worker",
                "--loglevel", "WARNING", "--without-gossip", "--without-mingle",
                "--without-heartbeat", *options, kubeconfig=kubeconfig,
                CELERY_FOLDER=str(kubeconfig.parent))
    return host


def check_all_follow(application: Any, server: FakeApiServer, count: int, say: Callable[[], str],
                     name: str) -> None:
    """Return what every process of the pool has."""
    server.create(pod(name))
    objects = len(server.objects("pods"))
    told: dict[int, Any] = {}

    def ask() -> bool:
        for answer in [application.look.delay(name) for _ in range(4 * count)]:
            one = answer.get(timeout=60)
            told[one["pid"]] = one["found"]
        return len(told) >= count and all(
            found == [True, [objects] * 5, True] for found in told.values())

    until(ask, lambda: f"{told}\n{say()}")


def test_soft_time_limits(application: Any, server: FakeApiServer, kubeconfig: Path) -> None:
    with celery(kubeconfig, "--pool", "prefork", "--concurrency", str(WORKERS)) as host:
        until(lambda: server.watches == WORKERS, host.output, 90)
        sent = [application.read.apply_async(soft_time_limit=0.02) for _ in range(TASKS)]
        read = []
        for number, answer in enumerate(sent):
            if number % 50 == 0:
                # What is not decoded yet, and what changes amid a read.
                server.patch("pods", "web-0", {"metadata": {"labels": {"at": str(number)}}},
                             "shop")
            read.append(answer.get(timeout=60))
        assert len(read) == TASKS and sum(read) > TASKS
        check_all_follow(application, server, WORKERS, host.output, "db-0")
        # The main process has none, and no process was replaced.
        assert server.watches == WORKERS


@pytest.mark.parametrize("pool", ["solo", "threads"])
def test_other_pools(application: Any, server: FakeApiServer, kubeconfig: Path, pool: str) -> None:
    with celery(kubeconfig, "--pool", pool, "--concurrency", "2") as host:
        until(lambda: server.watches == 1, host.output)
        check_all_follow(application, server, 1, host.output, "db-0")


def test_processes_that_are_replaced(application: Any, server: FakeApiServer, kubeconfig: Path,
                                     ) -> None:
    with celery(kubeconfig, "--pool", "prefork", "--concurrency", "2", "--max-tasks-per-child",
                "3") as host:
        pids = {application.look.delay("web-0").get(timeout=60)["pid"] for _ in range(24)}
        assert len(pids) > 4
        until(lambda: server.watches == 2, host.output)
