"""Pools of processes, made by fork and by spawn."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kube_reflect.testing import FakeApiServer

from tests.hosts._process import environment, until
from tests.support._examples import ROOT

POOL = """
import functools, multiprocessing, os, sys
from concurrent.futures import ProcessPoolExecutor
from kubernetes import client, config
from kube_reflect import Reflector
from kube_reflect.contrib import workers

config.load_config()
pods = workers.add(Reflector(client.CoreV1Api().list_namespaced_pod, "shop"))

def read(name):
    return os.getpid(), pods.store.get(name, "shop").spec.node_name

if __name__ == "__main__":
    start, in_parent = sys.argv[1:]
    context = multiprocessing.get_context(start)
    if in_parent == "used":
        workers.start()
        assert read("web-0")[1] == "node-1"
    with context.Pool(2, initializer=workers.start, maxtasksperchild=3) as pool:
        found = pool.map(read, ["web-0"] * 24, chunksize=1)
    with ProcessPoolExecutor(2, mp_context=context, initializer=workers.start) as pool:
        found += list(pool.map(read, ["web-0"] * 8))
    assert {node for _, node in found} == {"node-1"}
    assert len({pid for pid, _ in found} | {os.getpid()}) > 6
    print("all read")
"""


@pytest.mark.parametrize("in_parent", ["used", "unused"])
@pytest.mark.parametrize("start", ["fork", "spawn", "forkserver"])
def test_pools(server: FakeApiServer, kubeconfig: Path, start: str, in_parent: str,
               tmp_path: Path) -> None:
    script = tmp_path / "pools.py"
    script.write_text(POOL, "utf-8")
    ran = subprocess.run(
        [sys.executable, str(script), start, in_parent], cwd=ROOT, text=True, timeout=120,
        env=environment(KUBECONFIG=str(kubeconfig)), capture_output=True)
    assert (ran.returncode, ran.stdout) == (0, "all read\n"), ran.stderr
    until(lambda: server.watches == 0, lambda: f"{server.watches} watches")
