"""The code of the manual runs, and shows what it is said to show."""

from __future__ import annotations

import importlib.util
import re
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from kube_reflect import ApiResource, Reflector
from kube_reflect.signals import Stop
from kube_reflect.testing import ApiStatusError, FakeApiServer

from tests.support._examples import ROOT
from tests.support.objects import running_pod as pod
from tests.support.pages import Block, code_in, pages

#: Pods that go as soon as a program waits for it.
DOOMED = ("failed-0", "job-1", "job-2", "job-3")
CRON_TABS = ApiResource("stable.example.com", "v1", "CronTab", "crontabs", namespaced=True)
#: What the blocks of each page show, those that show something; a ``…`` stands for anything.
SHOWN: dict[str, list[list[str]]] = {
    "README.rst": [
        ["web-0 Running node-1"],
        ["web-0 is Running"],
        ["nightly 0 3 * * *"],
        ["to be looked at: shop failed-0"],
        ["job-1 is gone", "job-2 is gone", "job-3 is gone"]],
    "kube_reflect/store/README.rst": [
        ["waited for Pod.v1./db-0.shop to meet <lambda>, and it did not within 0.1 s; "
         "last seen: Pod.v1./db-0.shop at version …"],
        ["db-0 node-1", "failed-0 node-1", "job-1 node-1", "job-2 node-1", "job-3 node-1"]],
    "kube_reflect/dispatcher/README.rst": [
        ["there: db-0", "there: failed-0", "there: job-1", "there: job-2", "there: job-3",
         "there: web-0"],
        ["6 changes"]],
    "kube_reflect/reflector/README.rst": [
        ["shop ready", "kube-system ready"],
        ["web-0"],
        ["first web-0", "second web-0"],
        ["0/2 True", "6 pods, each once: True", "left out by the client"],
        ["1/3 True"],
        ["watching True None"],
        ["the role lacks list or watch on secrets"]],
    "kube_reflect/wire/README.rst": [
        ["there: node-1", "that was the list; from now on, changes"],
        ["1 nodes"],
        ["it runs"],
        ["look at node-1"]],
    "kube_reflect/from_shared_informer.rst": [],
    "examples/README.rst": [
        ["['db-0', 'failed-0', 'job-1', 'job-2', 'job-3', 'web-0']"],
        ["True"],
        ["CronTab(name='nightly', spec='0 3 * * *')"],
        ["red"]],
}
#: Pages with code that have a test in their room.
ELSEWHERE = {"kube_reflect/cli/README.rst", "kube_reflect/contrib/README.rst",
             "kube_reflect/testing/README.rst"}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApiServer]:
    """A cluster as the manual has it, to which ``config.load_config`` leads."""
    with FakeApiServer() as server:
        server.register(CRON_TABS)
        server.create(pod("web-0", app="web"))
        server.create(pod("db-0", app="db"))
        server.create(pod("failed-0", phase="Failed", app="batch"))
        for name in DOOMED[1:]:
            server.create(pod(name))
        server.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}})
        server.create({"apiVersion": "apps/v1", "kind": "Deployment",
                       "metadata": {"name": "web", "namespace": "shop"},
                       "spec": {"selector": {}, "template": {}}})
        server.create({"apiVersion": "stable.example.com/v1", "kind": "CronTab",
                       "metadata": {"name": "nightly", "namespace": "shop"},
                       "spec": {"cronSpec": "0 3 * * *"}})
        server.forbid("secrets")
        path = str(server.kubeconfig(tmp_path / "kubeconfig"))
        monkeypatch.setenv("KUBECONFIG", path)
        # It reads the variable when it is imported.
        for module in ("kubernetes.config", "kubernetes.config.kube_config"):
            monkeypatch.setattr(f"{module}.KUBE_CONFIG_DEFAULT_LOCATION", path)
        monkeypatch.setattr(client.Configuration, "_default", None)
        yield server


@pytest.fixture
def patience(server: FakeApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what the programs wait for happen when they begin to wait."""
    pause, rounds = threading.Event(), iter([False, True])

    def sleep(seconds: float) -> None:
        for name in DOOMED:
            try:
                server.delete("pods", name, "shop")
            except ApiStatusError as error:
                assert error.code == 404
        pause.wait(0.01)

    monkeypatch.setattr("time.sleep", sleep)
    # Asked to stop when the loop has been round once.
    monkeypatch.setattr(Stop, "wait", lambda self, timeout: next(rounds))


@pytest.fixture
def names() -> Iterator[dict[str, Any]]:
    """The names of a program made of all blocks of a page, one after the other."""
    names: dict[str, Any] = {"__name__": "page"}
    yield names
    for value in names.values():
        if isinstance(value, Reflector):
            value.close()
        elif isinstance(getattr(value, "api_client", None), client.ApiClient):
            value.api_client.close()


def run(page: str, block: Block, names: dict[str, Any]) -> None:
    """Execute it; in a traceback the lines are those of the page."""
    exec(compile("\n" * block.line + block.text, page, "exec"), names)


def programs(page: str) -> list[Block]:
    """Find the Python in a page."""
    return [block for block in code_in(ROOT / page) if block.language == "python"]


def uses_flask(block: Block) -> bool:
    return "from flask" in block.text


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("page", SHOWN)
def test_the_code_runs(page: str, names: dict[str, Any], capsys: pytest.CaptureFixture[str],
                       monkeypatch: pytest.MonkeyPatch) -> None:
    # Dataclasses look for the module that they are in.
    monkeypatch.setitem(sys.modules, "page", types.ModuleType("page"))
    shown: list[list[str]] = []
    for block in programs(page):
        if not uses_flask(block):
            run(page, block, names)
            # Objects come in no order.
            shown.append(sorted(capsys.readouterr().out.splitlines()))
    found = [lines for lines in shown if lines]
    expected = [sorted(lines) for lines in SHOWN[page]]
    assert len(found) == len(expected), found
    for lines, patterns in zip(found, expected):
        assert len(lines) == len(patterns), lines
        for line, pattern in zip(lines, patterns):
            assert re.fullmatch(re.escape(pattern).replace("…", ".*"), line), line


@pytest.mark.usefixtures("server")
@pytest.mark.skipif(importlib.util.find_spec("flask") is None, reason="flask is not installed")
def test_the_web_application_runs(names: dict[str, Any]) -> None:
    first, *_ = programs("README.rst")
    run("README.rst", first, names)
    [web] = filter(uses_flask, programs("README.rst"))
    run("README.rst", web, names)
    browser = names["app"].test_client()
    assert browser.get("/deployments").json == ["web"]
    assert browser.get("/healthz").status_code == 200
    assert browser.get("/readyz").status_code == 200
    names["kube"].close(names["app"])


def test_no_code_is_left_out() -> None:
    have_code = {path.relative_to(ROOT).as_posix() for path in pages()
                 if any(block.language in ("python", "console") for block in code_in(path))}
    assert have_code == set(SHOWN) | ELSEWHERE
