"""Flask under gunicorn: each worker has a live cache of its own, and nothing leaks."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from pathlib import Path

import pytest

from kube_reflect.testing import FakeApiServer

from tests.support.objects import running_pod as pod
from tests.hosts._process import HERE, Host, until

MISSING = [name for name in ("flask", "gunicorn") if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

WORKERS = 2


def gunicorn(kubeconfig: Path, *options: str, kind: str = "sync",
             configuration: str = "gunicorn.conf.py") -> Host:
    return Host(sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:{port}",
                "--workers", str(WORKERS), "--worker-class", kind, "--config",
                str(HERE / configuration), *options, "tests.hosts.flask_site:app",
                kubeconfig=kubeconfig)


def check_all_follow(host: Host, server: FakeApiServer, name: str) -> set[int]:
    """Wait until each worker has answered with what is new; return their process ids."""
    server.create(pod(name))
    return host.workers(WORKERS, f"/pods/{name}")


@pytest.mark.parametrize("preload", [False, True], ids=["", "preload"])
@pytest.mark.parametrize("kind", ["sync", "gthread", "gevent"])
def test_each_worker_has_a_live_cache(server: FakeApiServer, kubeconfig: Path, kind: str,
                                      preload: bool) -> None:
    options = ["--preload"] if preload else []
    if kind == "gthread":
        options += ["--threads", "4"]
    if kind == "gevent" and importlib.util.find_spec("gevent") is None:
        pytest.skip("not installed: gevent")
    configuration = "gevent.conf.py" if kind == "gevent" else "gunicorn.conf.py"
    with gunicorn(kubeconfig, *options, kind=kind, configuration=configuration) as host:
        # Before any request: a worker that serves is ready.
        until(lambda: server.watches == WORKERS, host.output)
        assert host.page("/pid")["threads"] == ["kube-reflect:pods"] or kind == "gevent"
        assert host.get("/pods/web-0")[0] == 200
        assert host.get("/pods/other")[0] == 404
        check_all_follow(host, server, "db-0")
        server.disconnect()
        check_all_follow(host, server, "db-1")
        server.compact()
        server.disconnect()
        check_all_follow(host, server, "db-2")
        # The master has none.
        until(lambda: server.watches == WORKERS, lambda: f"{server.watches} watches")
    until(lambda: server.watches == 0, lambda: f"{server.watches} watches")


@pytest.mark.skipif(importlib.util.find_spec("gevent") is None, reason="not installed: gevent")
def test_a_worker_that_gevent_patches_too_late_says_so(server: FakeApiServer, kubeconfig: Path,
                                                       ) -> None:
    # It would hang: what waits has been imported before, with the configuration.
    with gunicorn(kubeconfig, kind="gevent") as host:
        assert host.process.wait(60) != 0
    assert "have gevent.monkey.patch_all() called first of all" in host.output()


@pytest.mark.parametrize("preload", [False, True], ids=["", "preload"])
def test_workers_that_are_replaced_take_their_caches_with_them(
        server: FakeApiServer, kubeconfig: Path, preload: bool) -> None:
    with gunicorn(kubeconfig, *(["--preload"] if preload else [])) as host:
        before = host.workers(WORKERS)
        host.signal(signal.SIGHUP)
        after = host.workers(WORKERS, "/pods/web-0", without=before)
        assert len(after) == WORKERS
        until(lambda: server.watches == WORKERS, host.output)
        assert check_all_follow(host, server, "db-0") == after


def test_workers_that_serve_a_few_requests_each(server: FakeApiServer, kubeconfig: Path) -> None:
    with gunicorn(kubeconfig, "--max-requests", "5") as host:
        seen = {host.page("/pods/web-0")["pid"] for _ in range(40)}
        assert len(seen) > 2 * WORKERS
        until(lambda: server.watches == WORKERS, host.output)
        check_all_follow(host, server, "db-0")


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("kind", ["sync", "gthread"])
def test_a_worker_that_is_aborted_amid_a_read(server: FakeApiServer, kubeconfig: Path,
                                              kind: str) -> None:
    # gunicorn itself aborts a sync worker only: in the others it is another thread that is slow.
    with gunicorn(kubeconfig, "--timeout", "2", kind=kind, configuration="abort.conf.py") as host:
        before = host.workers(WORKERS)
        for _ in range(3):
            if kind == "gthread":
                os.kill(min(before), signal.SIGABRT)
            else:
                assert host.get("/busy")[0] in (0, 500)
                until(lambda: host.says("WORKER TIMEOUT"), host.output)
            victims = until(lambda: {pid for pid in before if is_gone(pid)}, host.output)
            before = host.workers(WORKERS)
            assert not victims & before
            # By itself, whether or not gunicorn has had the patience to wait for it.
            for pid in victims:
                until(lambda: host.says(f"the end of {pid}"), host.output)
        check_all_follow(host, server, "db-0")
        until(lambda: server.watches == WORKERS, host.output)


def test_an_api_server_that_is_away(server: FakeApiServer, kubeconfig: Path) -> None:
    server.close()
    with gunicorn(kubeconfig, "--timeout", "2", "--env", "KUBE_REFLECT_WAIT=0.5") as host:
        assert host.page("/healthz")["pods"]["phase"] in ("listing", "backing off")
        assert host.get("/readyz")[0] == 503
        server.start()
        assert host.page("/pods/web-0")["node"] == "node-1"
        check_all_follow(host, server, "db-0")
