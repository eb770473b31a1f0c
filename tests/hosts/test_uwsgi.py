"""Flask under uWSGI: with and without a master, loaded before the fork or after."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from kube_reflect.testing import FakeApiServer

from tests.support.objects import running_pod as pod
from tests.hosts._process import Host, until

UWSGI = shutil.which("uwsgi", path=str(Path(sys.executable).parent)) or shutil.which("uwsgi")
MISSING = [name for name, there in (("uwsgi", UWSGI), ("flask", importlib.util.find_spec("flask")))
           if not there]
#: With which a worker ends that has no master.
ALONE = 30
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@pytest.mark.parametrize("options", [
    ["--processes", "1"],
    ["--processes", "2", "--py-call-uwsgi-fork-hooks"],
    ["--master", "--processes", "2", "--py-call-uwsgi-fork-hooks"],
    ["--master", "--processes", "2"],
    ["--master", "--processes", "2", "--lazy-apps"],
    ["--master", "--processes", "2", "--threads", "3", "--py-call-uwsgi-fork-hooks"],
], ids="-".join)
def test_each_worker_has_a_live_cache(server: FakeApiServer, kubeconfig: Path,
                                      options: list[str]) -> None:
    assert UWSGI is not None
    workers = int(options[options.index("--processes") + 1])
    with Host(UWSGI, "--http-socket", "127.0.0.1:{port}", "--module", "tests.hosts.flask_site:app",
              "--home", sys.prefix, "--enable-threads", "--die-on-term", "--need-app", *options,
              kubeconfig=kubeconfig, code=0 if "--master" in options else ALONE) as host:
        assert host.page("/pods/web-0")["node"] == "node-1"
        assert host.get("/pods/other")[0] == 404
        host.workers(workers, "/pods/web-0")
        until(lambda: server.watches == workers, host.output)
        server.create(pod("db-0"))
        host.workers(workers, "/pods/db-0")
        server.compact()
        server.disconnect()
        server.create(pod("db-1"))
        host.workers(workers, "/pods/db-1")
        until(lambda: server.watches == workers, host.output)
