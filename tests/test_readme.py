"""The README: its code runs, its tables are those of the code, and it parses."""

from __future__ import annotations

import dataclasses
import enum
import importlib.util
import re
import textwrap
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from kubernetes import client

import kube_reflect
from kube_reflect import ApiResource, Config, Reflector, Status
from kube_reflect.testing import ApiStatusError, FakeApiServer

from tests.support._examples import ROOT

README = (ROOT / "README.rst").read_text("utf-8")
#: Pods that go as soon as a program waits for it.
DOOMED = ("failed-0", "job-1", "job-2", "job-3")
CRON_TABS = ApiResource("stable.example.com", "v1", "CronTab", "crontabs", namespaced=True)


class Block(NamedTuple):
    """A piece of Python in the README."""

    line: int
    text: str

    def run(self, names: dict[str, Any]) -> None:
        """Execute it; in a traceback the lines are those of the README."""
        exec(compile("\n" * self.line + self.text, "README.rst", "exec"), names)


def blocks() -> list[Block]:
    found = []
    for match in re.finditer(r"^\.\. code-block:: python\n\n((?:    .*\n|\n)+)", README, re.M):
        line = README.count("\n", 0, match.start(1))
        found.append(Block(line, textwrap.dedent(match[1])))
    return found


def pod(name: str, phase: str = "Running", **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "labels": labels},
        "spec": {"containers": [{"name": "main", "image": "nginx"}], "nodeName": "node-1"},
        "status": {"phase": phase},
    }


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApiServer]:
    """A cluster as the README has it, to which ``config.load_config`` leads."""
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
        with server.api_client() as api_client:
            monkeypatch.setattr("kubernetes.config.load_config",
                                lambda: client.Configuration.set_default(api_client.configuration))
            monkeypatch.setattr(client.Configuration, "_default", None)
            yield server


@pytest.fixture
def patience(server: FakeApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what the programs wait for happen when they begin to wait."""
    pause = threading.Event()

    def sleep(seconds: float) -> None:
        for name in DOOMED:
            try:
                server.delete("pods", name, "shop")
            except ApiStatusError as error:
                assert error.code == 404
        pause.wait(0.01)

    monkeypatch.setattr("time.sleep", sleep)


@pytest.fixture
def names() -> Iterator[dict[str, Any]]:
    """The names of a program made of all blocks, one after the other."""
    names: dict[str, Any] = {"__name__": "readme"}
    yield names
    for value in names.values():
        if isinstance(value, Reflector):
            value.close()
        elif isinstance(getattr(value, "api_client", None), client.ApiClient):
            value.api_client.close()


def block_with(text: str) -> Block:
    (block,) = [block for block in blocks() if text in block.text]
    return block


def uses_flask(block: Block) -> bool:
    return "from flask" in block.text


@pytest.mark.usefixtures("patience")
def test_the_code_runs(names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    shown: list[list[str]] = []
    for block in blocks():
        if not uses_flask(block):
            block.run(names)
            shown.append(capsys.readouterr().out.splitlines())
    assert [lines for lines in shown if lines] == [
        ["web-0 node-1", "web-0 is Running"],
        ["nightly 0 3 * * *"],
        ["to be looked at: shop failed-0"],
        ["job-1 is gone", "job-2 is gone", "job-3 is gone"],
        ["there: db-0", "there: web-0"],
        ["2 changes"],
        ["there: node-1", "that was the list; from now on, changes"],
        ["waited for Pod.v1./db-0.shop to meet <lambda>, and it did not within 0.1 s; "
         "last seen: Pod.v1./db-0.shop at version 1002"],
        ["shop ready", "kube-system ready"],
        ["look at node-1"],
        ["db-0 node-1"],
        ["the role lacks list or watch on secrets"],
        [shown[-3][0]],
    ]
    assert re.fullmatch(r"watching True \d\S* None", shown[-3][0])
    # The last blocks are tests of the reader's.
    check_the_cache_follows: Callable[[], None] = names["test_the_cache_follows"]
    check_the_cache_follows()
    check_it_is_tried_again: Callable[[], None] = names["test_a_refused_watch_is_tried_again"]
    check_it_is_tried_again()


@pytest.mark.usefixtures("server")
@pytest.mark.skipif(importlib.util.find_spec("flask") is None, reason="flask is not installed")
def test_the_web_application_runs(names: dict[str, Any]) -> None:
    block_with("load_config").run(names)
    block_with("from flask").run(names)
    web = names["app"].test_client()
    assert names["deployments"].status.phase is kube_reflect.Phase.STOPPED
    assert web.get("/deployments").json == ["web"]
    answer = web.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"live": True, "phase": "watching"})


def test_it_parses() -> None:
    docutils_core = pytest.importorskip("docutils.core")
    publish = docutils_core.publish_doctree
    overrides = {"halt_level": 2, "report_level": 2, "file_insertion_enabled": False}
    document = publish(README, source_path="README.rst", settings_overrides=overrides)
    assert document.children


def test_the_table_of_config_is_that_of_the_class() -> None:
    table = README.partition(".. list-table::")[2].partition("\n\n``Reflector``")[0]
    rows = re.findall(r"\* - ``(\w+)``\n     - ``(\S+)``\n", table)
    defaults = []
    for field in dataclasses.fields(Config):
        value = field.default
        defaults.append((field.name, value.name if isinstance(value, enum.Enum) else repr(value)))
    assert rows == defaults


def section(title: str) -> str:
    return re.split(rf"^{title}\n-+\n", README, flags=re.M)[1].partition("\n---")[0]


def test_every_field_of_a_status_is_told() -> None:
    told = section("Status")
    assert not {field.name for field in dataclasses.fields(Status)
                if f"``{field.name}``" not in told}


def test_every_error_is_told() -> None:
    errors = {name for name in kube_reflect.__all__
              if isinstance(value := getattr(kube_reflect, name), type)
              and issubclass(value, Exception)}
    assert not {name for name in errors if f"``{name}``" not in section("Errors")}


def test_the_targets_of_make_are_told() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z0-9-]+):.*## ", makefile, re.M))
    assert set(re.findall(r"``make ([a-z0-9-]+)``", section("Development"))) == targets
