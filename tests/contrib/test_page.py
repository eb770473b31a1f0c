"""The page about hosts: its code runs, its tables are those of the code, and it parses."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

import kube_reflect
from kube_reflect import Reflector
from kube_reflect.testing import FakeApiServer

PAGE = Path(kube_reflect.__file__).parent / "contrib" / "README.rst"
TEXT = PAGE.read_text("utf-8")


def chapter(title: str) -> str:
    return re.split(rf"^{re.escape(title)}\n-+\n", TEXT, flags=re.M)[1].partition("\n---")[0]


def blocks(title: str) -> list[str]:
    """Return the pieces of Python in a chapter."""
    return [textwrap.dedent(one) for one in re.findall(
        r"^\.\. code-block:: python\n\n((?:    .*\n|\n)+)", chapter(title), re.M)]


def run(code: str, names: dict[str, Any]) -> dict[str, Any]:
    exec(compile(code, PAGE.name, "exec"), names)
    return names


@pytest.fixture
def names(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A module that a block fills, in a process whose kubeconfig leads to a fake cluster."""
    monkeypatch.setattr(client.Configuration, "_default", None)
    names: dict[str, Any] = {"__name__": "page"}
    yield names
    for value in names.values():
        if isinstance(value, Reflector):
            value.close()


def needs(*modules: str) -> Any:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


@needs("flask")
def test_flask(names: dict[str, Any]) -> None:
    making, test = blocks("Flask")
    run(making, names)
    app = names["create_app"]()
    assert app.test_client().get("/pods/web-0").json == {"node": "node-1"}
    assert app.test_client().get("/healthz").status_code == 200
    names["kube"].close(app)
    run(test, names)["test_a_pod_is_shown"]()


@needs("flask")
def test_the_keys_of_flask() -> None:
    from kube_reflect.contrib.flask import DEFAULTS

    rows = re.findall(r"^``(KUBE_REFLECT_\w+)``\s+(\S+)", chapter("Flask"), re.M)
    assert {key: value.strip("`") for key, value in rows} == {
        key: f"{value:g}" if value is not None else "None" for key, value in DEFAULTS.items()}


@needs("django")
def test_django(names: dict[str, Any]) -> None:
    from tests.contrib.test_django import override_settings, run_checks

    settings, view, test = blocks("Django")
    given = run(settings, {})
    with override_settings(KUBE_REFLECT=given["KUBE_REFLECT"], MIDDLEWARE=given["MIDDLEWARE"]):
        assert run_checks() == []
        run(view, names)
        assert names["show"](None, "web-0").content == b"node-1"
        assert names["stores"]["pods"].by_index("owner", "nobody") == []
        run(test, names)["test_a_pod_is_shown"]()


def test_gunicorn_and_workers(names: dict[str, Any], server: FakeApiServer) -> None:
    hook, adding = blocks("gunicorn")
    assert callable(run(hook, {})["post_worker_init"])
    run(adding, names)
    assert not list(server.requests)
    assert names["workers"].start(timeout=5)
    assert names["deployments"].store.ready


@needs("celery")
def test_celery(names: dict[str, Any]) -> None:
    from celery import signals

    [code] = blocks("Celery")
    run(code, names)
    names["app"].conf.task_always_eager = True
    signals.worker_process_init.send(sender=None)
    assert names["node_of"].delay("web-0").get() == "node-1"


@needs("prometheus_client")
def test_prometheus(names: dict[str, Any], server: FakeApiServer) -> None:
    from prometheus_client import REGISTRY

    with server.api_client() as api_client:
        names["pods"] = Reflector(client.CoreV1Api(api_client).list_node, name="pods")
        [code] = blocks("Prometheus")
        run(code, names)
        families = {one.name for one in names["collector"].describe()}
        REGISTRY.unregister(names["collector"])
    rows = re.findall(r"^(``[a-z_]+[`{].*?)  +", chapter("Prometheus"), re.M)
    told = {re.sub(r"\{.*\}|_total(?=\{|$)", "", one) for row in rows
            for one in re.findall(r"``(.+?)``", row)}
    assert {f"kube_reflect_{name}" for name in told} == families


def test_scripts(names: dict[str, Any], server: FakeApiServer, monkeypatch: pytest.MonkeyPatch,
                 ) -> None:
    shown: list[object] = []

    def show(*words: object, flush: bool) -> None:
        shown.extend(words)
        os.kill(os.getpid(), signal.SIGTERM)

    with server.api_client() as api_client:
        names |= {"print": show, "pods": Reflector(client.CoreV1Api(api_client).list_node)}
        [code] = blocks("Scripts, and the first process of a container")
        run(code, names)
    assert shown == [0, "pods"]


def test_it_parses() -> None:
    docutils_core = pytest.importorskip("docutils.core")
    overrides = {"halt_level": 2, "report_level": 2, "file_insertion_enabled": False}
    document = docutils_core.publish_doctree(TEXT, source_path=PAGE.name,
                                             settings_overrides=overrides)
    assert document.children
