"""Programs that fork; `tests.reflector.test_forks` runs each in a process of its own.

``python -m tests.support.fork_scenarios NAME URL CERTIFICATE [ARGUMENT …]``
ends with 0 if all went well.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

if "unhooked" in sys.argv:
    # A host that runs no hooks of ours. Python's own modules get theirs.
    for module in ("concurrent.futures.thread", "logging", "random", "threading"):
        importlib.import_module(module)
    os.register_at_fork = lambda **_: None

from kube_reflect import Applied, Phase, Reflector, Resync, StaleCache
from kube_reflect.ground.locks import _locks
from kube_reflect.store.table import Table

from tests.support import fork_servers
from tests.support.fork_helpers import (
    SOON, Child, Cluster, Unchanged, connection, goes_on, is_whole, watch_dog, worker_of,
)
from tests.support.objects import by_app
from tests.support.waiting import wait_until


@contextlib.contextmanager
def held(lock: Any) -> Iterator[None]:
    """Let a thread hold a lock for the length of a block."""
    taken, release = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            taken.set()
            release.wait(SOON)

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    assert taken.wait(SOON)
    try:
        yield
    finally:
        release.set()
        thread.join(SOON)


def all_locks() -> list[Any]:
    """Return each lock of the library that there is, whoever has it."""
    return [lock for ref in list(_locks) if (lock := ref()) is not None]


def locks(cluster: Cluster, how: str, *_: str) -> None:
    """Whatever lock is held at the moment of the fork, child and parent both go on."""
    with cluster.started() as reflector, reflector.subscribe() as subscription:
        seen: list[Any] = []
        reflector.add_handler(on_add=seen.append)

        def body() -> None:
            store = reflector.store
            assert store.get("first", "a") is not None
            assert len(store) and store.keys() and store.state(namespace="a")
            assert isinstance(subscription.get(SOON), Resync)
            store.wait_until_ready(SOON)
            goes_on(reflector, cluster)
            wait_until(lambda: "first" in {pod.metadata.name for pod in seen}, "the handler")
            reflector.close()
            assert reflector.status.phase is Phase.STOPPED
            reflector.start()
            goes_on(reflector, cluster)

        for lock in all_locks():
            with Unchanged(reflector, cluster):
                seen.clear()
                with held(lock):
                    child = Child(body)
                child.join()


def first_use(cluster: Cluster, how: str, *unhooked: str) -> None:
    """Each way to read starts the thread again, and none of them waits."""
    def stale(reflector: Reflector) -> None:
        with contextlib.suppress(StaleCache):
            reflector.store.get("first", "a", max_staleness=0.0)
            raise AssertionError("an answer that cannot be fresh")

    uses: list[Callable[[Reflector], object]] = [
        stale, lambda r: len(r.store), lambda r: "first" in r.store,
        lambda r: r.store.keys(), lambda r: r.store.state(), lambda r: list(r.store),
        lambda r: r.store.ready, lambda r: r.store.resource_version, lambda r: r.store.is_empty(),
        lambda r: r.store.index_values("app"), lambda r: r.store.by_index("app", "firs"),
        lambda r: r.store.find(lambda pod: True), lambda r: r.store.snapshot(),
        lambda r: r.store.wait_until_ready(SOON), lambda r: r.status, lambda r: r.subscribe(),
        lambda r: r.start(), lambda r: r.after_fork() or r.store.get("first", "a"),
    ]
    if not unhooked:
        # Without our hook, the quickest of all reads does not notice.
        uses.append(lambda r: r.store.get("first", "a"))
    with cluster.started() as reflector:
        reflector.store.state()
        for number, use in enumerate(uses):

            def body() -> None:
                use(reflector)
                # Not by its status, which would be another use.
                assert worker_of(reflector).is_alive, number
                goes_on(reflector, cluster)

            Child(body).join()
        goes_on(reflector, cluster)


def half_changed(cluster: Cluster, *_: str) -> None:
    """A table that is half changed at the fork is whole in the child."""
    within, go_on = threading.Event(), threading.Event()
    with cluster.started() as reflector:
        original = Table._reindex

        def slow(self: Table, *args: Any) -> None:
            if threading.current_thread() is not threading.main_thread():
                within.set()
                go_on.wait(SOON)
            original(self, *args)

        Table._reindex = slow  # type: ignore[method-assign]

        def body() -> None:
            Table._reindex = original  # type: ignore[method-assign]
            # Read first by who takes no lock, and then by who completes it.
            assert reflector.store.get(name, "a") is not None
            is_whole(reflector)
            goes_on(reflector, cluster)

        with Unchanged(reflector, cluster):
            name = cluster.create()
            assert within.wait(SOON)
            child = Child(body)
            Table._reindex = original  # type: ignore[method-assign]
            go_on.set()
            child.join()


def orphan(cluster: Cluster, *_: str) -> None:
    """The parent is killed; its connection ends with it, though the child lives."""
    reflector = cluster.started()

    def body() -> None:
        # Nothing is used here, so nothing was started again.
        print("forked", flush=True)
        sys.stdin.read()

    Child(body)
    goes_on(reflector, cluster)
    wait_until(lambda: False if sys.stdin.readline() else True, "the test")


def exits(cluster: Cluster, how: str, *_: str) -> None:
    """A child that only exits says nothing."""
    reflector = cluster.started()
    reflector.add_handler(on_add=lambda pod: None)
    before = connection(reflector)
    for used in (False, True):
        pid = os.fork()
        if pid == 0:
            watch_dog()
            if used:
                goes_on(reflector, cluster)
            if how == "_exit":
                os._exit(0)
            if how == "sys.exit":
                sys.exit(0)
            # The end of the program.
            return
        assert os.waitpid(pid, 0)[1] == 0
    goes_on(reflector, cluster)
    assert connection(reflector) == before
    print("the parent went on")
    reflector.close()


def in_handler(cluster: Cluster, *_: str) -> None:
    """A handler forks; the child may use the cache there, and go on with the handler's thread."""
    parent = os.getpid()
    children: list[Child] = []
    told: list[str] = []
    again = threading.Event()

    def on_add(pod: Any) -> None:
        told.append(pod.metadata.name)
        if pod.metadata.name == "fork-now" and os.getpid() == parent:
            children.append(Child(lambda: goes_on(reflector, cluster)))
            again.set()
        if pod.metadata.name == "go-on" and os.getpid() == parent:
            pid = os.fork()
            if pid:
                again.set()
                assert os.waitpid(pid, 0)[1] == 0
                again.set()
                return
            watch_dog()
            told.clear()
            cluster.create("from-child")
        if pod.metadata.name == "from-child" and os.getpid() != parent:
            # It has come by here again with all that is there, on the thread that forked.
            goes_on(reflector, cluster)
            os._exit(0 if "first" in told else 1)

    with cluster.started() as reflector:
        reflector.add_handler(on_add=on_add)
        with Unchanged(reflector, cluster):
            cluster.create("fork-now")
            wait_until(again.is_set)
            children[0].join()
            again.clear()
            cluster.create("go-on")
            wait_until(lambda: again.is_set() and "from-child" in told)


def while_listing(cluster: Cluster, *_: str) -> None:
    """The test lets the first LIST wait until the child is ready."""
    with cluster.reflector() as reflector:
        wait_until(lambda: reflector.status.phase is Phase.LISTING)
        print("listing", flush=True)
        sys.stdin.readline()
        assert not reflector.store.ready

        def body() -> None:
            assert not reflector.store.ready
            reflector.store.wait_until_ready(SOON)
            goes_on(reflector, cluster)
            print("forked", flush=True)

        Child(body).join()
        reflector.store.wait_until_ready(SOON)
        goes_on(reflector, cluster)
        assert reflector.status.relists == 0


def churn(cluster: Cluster, *_: str) -> None:
    """Twenty forks in a row while objects come and go."""
    stop = threading.Event()
    api = cluster.api()

    def write() -> None:
        while not stop.is_set():
            name = cluster.create()
            api.delete_namespaced_pod(name, "a")

    writer = threading.Thread(target=write, daemon=True)
    with cluster.started() as reflector, reflector.subscribe(overflow="block") as subscription:
        taker = threading.Thread(target=lambda: list(subscription), daemon=True)
        for thread in (writer, taker):
            thread.start()
        with Unchanged(reflector, cluster):
            for _ in range(20):
                Child(lambda: goes_on(reflector, cluster)).join()
            stop.set()
            writer.join(SOON)
    taker.join(SOON)
    assert not taker.is_alive() and not writer.is_alive()


def generations(cluster: Cluster, how: str, *_: str) -> None:
    """A child's child's child goes on, and so do all before it."""
    with cluster.started() as reflector, Unchanged(reflector, cluster):
        def descend(depth: int) -> None:
            # Every other generation does not use what it hands on.
            if depth % 2:
                goes_on(reflector, cluster)
            if depth:
                Child(lambda: descend(depth - 1)).join()
            goes_on(reflector, cluster)

        Child(lambda: descend(3)).join()


def subscribers(cluster: Cluster, *_: str) -> None:
    """A subscription goes on in the child, from a Resync; nobody waits for one left behind."""
    with cluster.started() as reflector:
        kept = reflector.subscribe(overflow="block", buffer_size=1)
        left = reflector.subscribe(overflow="block", buffer_size=1)
        taker = threading.Thread(target=lambda: list(left), daemon=True)
        taker.start()

        def body() -> None:
            goes_on(reflector, cluster)
            goes_on(reflector, cluster)
            assert isinstance(kept.get(SOON), Resync)
            known: set[str] = set()
            while len(known) < len(reflector.store):
                change = kept.get(SOON)
                assert isinstance(change, Applied)
                known.add(change.ref.name)
            assert known == {ref.name for ref in reflector.store.keys()}
            reflector.close()

        assert isinstance(kept.get(SOON), Applied)
        Child(body).join()
        kept.close()
        goes_on(reflector, cluster)
    taker.join(SOON)
    assert not taker.is_alive()


def closed(cluster: Cluster, *_: str) -> None:
    """A child closes what it did not use; what was closed before the fork stays closed."""
    with cluster.started() as reflector, Unchanged(reflector, cluster):
        def close() -> None:
            reflector.close()
            assert reflector.status.phase is Phase.STOPPED and not reflector.status.thread_alive
            assert reflector.store.get("first", "a") is not None

        Child(close).join()

    def stay_closed() -> None:
        assert reflector.store.get("first", "a") is not None
        assert not reflector.status.thread_alive
        reflector.start()
        goes_on(reflector, cluster)

    Child(stay_closed).join()


def namespaces(cluster: Cluster, how: str, *_: str) -> None:
    """Several namespaces are all watched again."""
    with Reflector(cluster.v1.list_namespaced_pod, namespaces=["a", "b"],
                   indexers={"app": by_app}) as reflector:
        reflector.store.wait_until_ready(SOON)

        def body() -> None:
            reflector.add_namespace("c")
            for namespace in ("a", "b", "c"):
                name = cluster.create(namespace=namespace)
                wait_until(lambda: reflector.store.get(name, namespace) is not None, name)
            is_whole(reflector)

        for _ in range(2):
            Child(body).join()
        goes_on(reflector, cluster)


SCENARIOS: dict[str, Callable[..., None]] = {
    one.__name__: one for one in (
        locks, first_use, half_changed, orphan, exits, in_handler, while_listing, churn,
        generations, subscribers, closed, namespaces, fork_servers.server)
}


def main() -> None:
    watch_dog()
    name, url, ca_cert, *arguments = sys.argv[1:]
    SCENARIOS[name](Cluster(url, ca_cert), *arguments)


if __name__ == "__main__":
    main()
