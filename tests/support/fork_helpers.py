"""What the scenarios of `tests.support.fork_scenarios` share; it runs in processes of their own."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from kubernetes import client

from kube_reflect import Backoff, Reflector
from kube_reflect.reflector.worker import Worker

from tests.support.objects import by_app
from tests.support.waiting import wait_until

#: Seconds after which a process says where it hangs, and ends.
DEADLINE = 40
# For anything that must happen soon.
SOON = 15.0


def watch_dog() -> None:
    """Make this process say where it hangs, and end; needed anew after a fork."""
    # Not by faulthandler's own watchdog, a thread, which does not come back after a fork.
    faulthandler.register(signal.SIGALRM, chain=True)
    signal.alarm(DEADLINE)


def by_os() -> int:
    """Fork as Python does."""
    return os.fork()


class Child:
    """A forked process that runs a function and ends with 0 if it returns."""

    def __init__(self, body: Callable[[], object], fork: Callable[[], int] = by_os) -> None:
        self.pid = fork()
        if self.pid:
            return
        code = 1
        try:
            watch_dog()
            body()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    def join(self) -> None:
        """Wait for its end.

        :raises AssertionError: if its function raised, or it does not end.
        """
        found: list[int] = []

        def ended() -> bool:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                found.append(status)
            return bool(pid)

        try:
            # Rather let it say itself what it waits for.
            wait_until(ended, "the end of the child", 1.5 * SOON)
        except AssertionError:
            os.kill(self.pid, signal.SIGALRM)
            raise
        assert found == [0], f"the child ended with {found[0]:#x}"


class Cluster:
    """The server that the test runs, as a scenario sees it."""

    def __init__(self, url: str, ca_cert: str) -> None:
        configuration = client.Configuration(host=url)
        configuration.ssl_ca_cert = ca_cert
        configuration.proxy = None
        self.configuration = configuration
        self.v1 = self.api()
        self._lock = threading.Lock()
        self._made = 0

    def api(self) -> client.CoreV1Api:
        """Make a client with connections of its own."""
        return client.CoreV1Api(client.ApiClient(self.configuration))

    def create(self, name: str | None = None, namespace: str = "a") -> str:
        """Create a pod over a connection of its own, and give its name."""
        with self._lock:
            self._made += 1
            name = name or f"pod-{os.getpid()}-{self._made}"
        pod = {"metadata": {"name": name, "labels": {"app": name[:4]}},
               "spec": {"containers": [{"name": "c", "image": "i"}]}}
        with client.ApiClient(self.configuration) as api_client:
            # No model is made of the answer: another thread may fork at that moment, and pydantic
            # has locks that no child gets back.
            answer = client.CoreV1Api(api_client).create_namespaced_pod(
                namespace, pod, _preload_content=False)
            assert answer.status == 201 and answer.read()
            api_client.rest_client.pool_manager.clear()
        return name

    def reflector(self, **settings: Any) -> Reflector:
        """Make a reflector of all pods, which tries again soon."""
        settings.setdefault("backoff", lambda: Backoff(initial=0.02, maximum=0.2))
        settings.setdefault("indexers", {"app": by_app})
        return Reflector(self.v1.list_pod_for_all_namespaces, **settings)

    def started(self, **settings: Any) -> Reflector:
        """Start a reflector, and wait until its watch runs."""
        reflector = self.reflector(**settings).start()
        reflector.store.wait_until_ready(SOON)
        wait_until(lambda: reflector.status.live, "live")
        return reflector


def goes_on(reflector: Reflector, cluster: Cluster) -> None:
    """Check that the cache follows the cluster, and is whole."""
    name = cluster.create()
    wait_until(lambda: reflector.store.get(name, "a") is not None, f"{name} in the cache")
    wait_until(lambda: reflector.status.live, "live")
    assert reflector.status.thread_alive
    is_whole(reflector)


def is_whole(reflector: Reflector) -> None:
    """Check that all that is read at one moment agrees."""
    snapshot = reflector.store.snapshot()
    names = sorted((pod.metadata.namespace, pod.metadata.name) for pod in snapshot.state())
    assert names == sorted((ref.namespace, ref.name) for ref in snapshot.keys())
    cache = reflector.store._cache
    with cache.lock.gen_rlock():
        cache.settle_locked()
        table = cache.table
        keys = list(table.entries)
        assert sorted(key for group in table.namespaces.values() for key in group) == sorted(keys)
        assert sorted(key for group in table.indexes["app"].values()
                      for key in group) == sorted(keys)
        assert not table.moves & 1 and cache.entries is table.entries


def worker_of(reflector: Reflector) -> Worker:
    """Return what owns the thread that runs; this is no use of the reflector."""
    worker = reflector._namespaces.watches[None]._worker
    assert worker is not None
    return worker


def connection(reflector: Reflector) -> tuple[int, Any]:
    """Return what tells one connection of the reflector's watch from another."""
    handle = worker_of(reflector)._watcher._source._requests._handle
    [duplicate] = handle._duplicates.values()
    return os.fstat(duplicate.fileno()).st_ino, duplicate.getsockname()


class Unchanged:
    """Checks, at the end of a block, that the parent's own watch has gone on all the time."""

    def __init__(self, reflector: Reflector, cluster: Cluster) -> None:
        self._reflector, self._cluster = reflector, cluster

    def __enter__(self) -> None:
        status = self._reflector.status
        self._before = connection(self._reflector), status.reconnects, status.relists

    def __exit__(self, kind: Any, *_: object) -> None:
        if kind is None:
            goes_on(self._reflector, self._cluster)
            status = self._reflector.status
            after = connection(self._reflector), status.reconnects, status.relists
            assert after == self._before, (after, self._before)
            assert status.last_error is None
