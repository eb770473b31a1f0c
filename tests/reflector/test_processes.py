"""kube_reflect in processes that end, or fork, without having closed anything."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kube_reflect.testing import FakeApiServer

from tests.support.objects import new_pod as pod
from tests.support.reflector_helpers import server

__all__ = ["server"]

ROOT = Path(__file__).resolve().parents[2]
PRELUDE = """
import os, signal, sys, threading
from kubernetes import client
from kube_reflect import Reflector, Writer, Init, InitApply, InitDone, NotReady
from tests.support.waiting import eventually as wait_until
configuration = client.Configuration()
configuration.host, configuration.proxy = sys.argv[1], None
v1 = client.CoreV1Api(client.ApiClient(configuration))
def say(*words):
    print(*words, flush=True)
"""


@contextmanager
def running(server: FakeApiServer, program: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", PRELUDE + program, server.url], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=environment) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def check_ends_quietly(process: subprocess.Popen[str], said: str, code: int = 0) -> None:
    out, err = process.communicate(timeout=50)
    assert (out, err, process.returncode) == (said, "", code)


ENDINGS = [
    pytest.param("", 0, id="the end"),
    pytest.param("sys.exit(3)", 3, id="exit"),
    pytest.param("del reflector", 0, id="forgotten"),
    pytest.param("import gc; reflector.itself = reflector; del reflector", 0, id="a cycle"),
    pytest.param("reflector.start()", 0, id="started again"),
    pytest.param("threading.Thread(target=lambda: store.state()).start()", 0, id="a reader"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("ending", "code"), ENDINGS)
def test_the_interpreter_ends_quietly_while_it_watches(
        server: FakeApiServer, ending: str, code: int) -> None:
    program = f"""
reflector = Reflector(v1.list_namespaced_pod, "ns").start()
store = reflector.store
store.wait_until_ready(timeout=10)
say(wait_until(lambda: reflector.status.live), len(store))
{ending}
"""
    with running(server, program) as process:
        check_ends_quietly(process, "True 2\n", code)


@pytest.mark.slow
@pytest.mark.parametrize("program", [
    """
reflector = Reflector(v1.list_namespaced_pod, "ns").start()
say("started")
""",
    """
import logging; logging.getLogger("kube_reflect").setLevel(logging.ERROR)
reflector = Reflector(v1.list_namespaced_secret, "ns", name="refused").start()
wait_until(lambda: reflector.status.code == 403)
say("started")
""",
    """
threading.Thread(target=lambda: Reflector(v1.list_node).store.wait_until_ready(),
                 daemon=True).start()
say("started")
""",
])
def test_the_interpreter_ends_quietly_in_other_phases(
        server: FakeApiServer, program: str) -> None:
    server.forbid("secrets")
    with running(server, program) as process:
        check_ends_quietly(process, "started\n")


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
FORK = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
def in_child(read):
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        code = 1
        try:
            code = 0 if read() else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""


@needs_fork
def test_a_child_reads_what_was_there_and_does_not_disturb_its_parent(
        server: FakeApiServer) -> None:
    program = FORK + """
reflector = Reflector(v1.list_namespaced_pod, "ns").start()
store = reflector.store
store.wait_until_ready(timeout=10)
wait_until(lambda: reflector.status.live)
reads = [lambda: len(store) == 2, lambda: store.get("a", "ns").metadata.name == "a",
         lambda: len(store.state()) == 2, lambda: len(store.snapshot().keys()) == 2,
         lambda: reflector.status.staleness < 10 and len(store) == 2
         and store.wait_until_ready(timeout=8) is None and store.ready]
say([in_child(read) for read in reads], reflector.status.live)
say(wait_until(lambda: store.get("late", "ns") is not None), reflector.status.last_error)
reflector.close()
"""
    with running(server, program) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "[0, 0, 0, 0, 0] True\n"
        # Ready is who has a list of its own, as the last of the children.
        assert len([one for one in server.requests if one.flag("sendInitialEvents")]) >= 2
        server.create(pod("late"))
        check_ends_quietly(process, "True None\n")


@pytest.mark.slow
@needs_fork
@pytest.mark.parametrize("lock", ["gen_wlock", "gen_rlock"])
def test_a_child_of_a_moment_when_the_lock_was_held_reads_all_the_same(
        server: FakeApiServer, lock: str) -> None:
    program = FORK + f"""
writer = Writer()
store = writer.as_reader()
obj = {{"metadata": {{"name": "a", "namespace": "ns"}}}}
for event in (Init(), InitApply(obj), InitDone("1")):
    writer.apply_watcher_event(event)
held, go_on = threading.Event(), threading.Event()
def hold():
    with store._cache.lock.{lock}():
        held.set()
        go_on.wait(10)
thread = threading.Thread(target=hold)
thread.start()
held.wait(10)
say(in_child(lambda: store.state() == [obj] and len(store.keys()) == 1 and store.ready))
go_on.set()
thread.join()
say(store.state() == [obj])
"""
    with running(server, program) as process:
        check_ends_quietly(process, "0\nTrue\n")


@pytest.mark.slow
@needs_fork
def test_who_waits_in_a_child_does_not_hang(server: FakeApiServer) -> None:
    program = FORK + """
store = Writer().as_reader()
waiting = threading.Thread(target=store.wait_until_ready, daemon=True)
waiting.start()
def read():
    try:
        store.wait_until_ready(timeout=0.01)
    except Exception as error:
        return type(error).__name__ in ("NotReady", "WriterDropped")
say(in_child(read))
"""
    with running(server, program) as process:
        out, _ = process.communicate(timeout=50)
        assert out == "0\n"
