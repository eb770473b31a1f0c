"""The Django application."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config

from kube_reflect import Apply
from kube_reflect.testing import FakeApiServer

from tests.support.objects import running_pod as pod
from tests.support.waiting import wait_until

django = pytest.importorskip("django")
from django.conf import settings  # noqa: E402
from django.core.exceptions import ImproperlyConfigured  # noqa: E402

if not settings.configured:
    settings.configure(
        SECRET_KEY="x", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], LOGGING_CONFIG=None,
        INSTALLED_APPS=["kube_reflect.contrib.django"],
        MIDDLEWARE=["kube_reflect.contrib.django.middleware.NotReadyMiddleware"])
    django.setup()

from django.core.checks import run_checks  # noqa: E402
from django.core.management import CommandError, call_command  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.test import Client, override_settings  # noqa: E402
from django.urls import include, path  # noqa: E402

from kube_reflect.contrib.django import stores  # noqa: E402
from kube_reflect.contrib.django.test import stored  # noqa: E402


def show(request: HttpRequest, name: str) -> HttpResponse:
    found = stores["pods"].get(name, "shop")
    return HttpResponse(found.spec.node_name) if found else HttpResponse("not there", status=404)


def wrong(request: HttpRequest) -> HttpResponse:
    raise KeyError("another mistake")


urlpatterns = [path("pods/<name>", show), path("wrong", wrong),
               path("", include("kube_reflect.contrib.django.urls"))]

PODS = {"LIST": "kubernetes.client.CoreV1Api.list_namespaced_pod", "ARGS": ["shop"]}
NODES = "kubernetes.client.CoreV1Api.list_node"


def name_index(mapping: dict[str, Any]) -> list[str]:
    return [mapping["metadata"]["name"]]


def with_argument(one: object) -> None:
    """What is neither a list function nor gives one."""


@contextlib.contextmanager
def project(server: FakeApiServer | None = None, **more: Any) -> Iterator[Client]:
    given = {"STORES": {"pods": PODS}, **more}
    if server is not None:
        given["CLIENT"] = server.api_client
    with override_settings(KUBE_REFLECT=given):
        yield Client(raise_request_exception=False)


def reflector_threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("kube-reflect:")]


def test_a_store_starts_with_its_first_use(server: FakeApiServer) -> None:
    with project(server) as web:
        assert not list(server.requests) and not reflector_threads()
        assert web.get("/pods/web-0").content == b"node-1"
        assert web.get("/pods/other").status_code == 404
        assert len(reflector_threads()) == 1
        server.create(pod("db-0"))
        wait_until(lambda: web.get("/pods/db-0").status_code == 200)
    assert not reflector_threads()


def test_the_client_is_found_as_load_config_finds_it(kubeconfig: Path) -> None:
    with project() as web:
        assert web.get("/pods/web-0").content == b"node-1"


def test_a_request_waits_and_is_then_unavailable(server: FakeApiServer) -> None:
    server.forbid("pods")
    with project(server, WAIT=0.1, RETRY_AFTER=7) as web:
        answer = web.get("/pods/web-0")
        assert answer.status_code == 503 and answer.headers["Retry-After"] == "7"
        assert web.get("/healthz").status_code == 200
        assert web.get("/readyz").status_code == 503
        assert web.get("/wrong").status_code == 500
        server.allow("pods")
        wait_until(lambda: web.get("/readyz").status_code == 200)
        assert web.get("/pods/web-0").status_code == 200


def test_health(server: FakeApiServer) -> None:
    with project(server, STORES={"pods": PODS, "nodes": NODES}) as web:
        assert web.get("/status").json() == {"pods": None, "nodes": None}
        wait_until(lambda: web.get("/readyz").status_code == 200)
        assert web.get("/healthz").json()["pods"]["ready"]
        assert web.get("/status").json()["pods"]["objects"] == 1


def test_metrics(server: FakeApiServer) -> None:
    pytest.importorskip("prometheus_client")
    with project(server) as web:
        assert web.get("/pods/web-0").status_code == 200
        answer = web.get("/metrics")
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert b'kube_reflect_objects{reflector="pods"} 1.0' in answer.content


def test_settings_may_change_in_a_test(server: FakeApiServer) -> None:
    with project(server):
        assert list(stores) == ["pods"] and len(stores) == 1
        before = stores["pods"]
        with project(server, STORES={"nodes": {"LIST": NODES}}):
            assert list(stores) == ["nodes"] and "pods" not in stores
            with pytest.raises(KeyError):
                stores["pods"]
        assert stores["pods"] is not before


def test_options_may_be_dotted_paths(server: FakeApiServer) -> None:
    options = {"model": "builtins.dict", "indexers": {"name": f"{__name__}.name_index"}}
    with project(server, STORES={"pods": PODS | {"OPTIONS": options}}):
        assert stores["pods"].by_index("name", "web-0") == [stores["pods"].get("web-0", "shop")]
        assert isinstance(stores["pods"].get("web-0", "shop"), dict)


@pytest.mark.parametrize(("given", "said"), [
    ({"STORE": {}}, "KUBE_REFLECT has no STORE"),
    ([], "must be a dict"),
    ({"STORES": ["pods"]}, "must be a dict"),
    ({"STORES": {"pods": {"LIST": NODES, "ARG": []}}}, "has no ARG"),
    ({"STORES": {"pods": {}}}, "needs LIST"),
    ({"STORES": {"pods": "kubernetes.client.CoreV1Api.list_cats"}}, "cannot be imported"),
    ({"STORES": {"pods": "no.such.module"}}, "cannot be imported"),
    ({"STORES": {"pods": 7}}, "needs a list function"),
    ({"STORES": {"pods": {"LIST": NODES, "OPTIONS": {"model": "no.such"}}}},
     "['model'] cannot be imported"),
])
def test_wrong_settings_are_refused(given: Any, said: str) -> None:
    with override_settings(KUBE_REFLECT=given):
        with pytest.raises(ImproperlyConfigured) as caught:
            list(stores)
        assert said in str(caught.value)
        [message] = run_checks()
        assert message.id == "kube_reflect.E001" and said in message.msg


@pytest.mark.parametrize(("given", "id", "said"), [
    ({"STORES": {"pods": PODS["LIST"]}}, "E002", "namespace"),
    ({"STORES": {"pods": "kubernetes.client.CoreV1Api.read_node"}}, "E002", "watch"),
    ({"STORES": {"pods": {"LIST": NODES, "OPTIONS": {"watch": True}}}}, "E002", "watch"),
    ({"STORES": {"pods": f"{__name__}.with_argument"}}, "E002", "argument"),
    ({"WAIT": "long"}, "E003", "WAIT"),
    ({"RETRY_AFTER": None}, "E003", "RETRY_AFTER"),
])
def test_checks_find_what_would_fail_later(given: Any, id: str, said: str) -> None:
    with override_settings(KUBE_REFLECT=given):
        [message] = run_checks()
        assert message.id == f"kube_reflect.{id}" and said in message.msg


def test_checks_miss_the_middleware() -> None:
    with project(), override_settings(MIDDLEWARE=[]):
        [message] = run_checks()
        assert message.id == "kube_reflect.W001"
    with project(WAIT=None):
        assert run_checks() == []
    assert not reflector_threads()


def test_the_command(server: FakeApiServer) -> None:
    with project(server):
        out = io.StringIO()
        call_command("kube_reflect", "status", stdout=out)
        assert out.getvalue().splitlines()[1].split()[0::2][:2] == ["pods", "yes"]
        out = io.StringIO()
        call_command("kube_reflect", "status", "--json", stdout=out)
        assert '"objects": 1' in out.getvalue()
        server.forbid("pods")
        with pytest.raises(CommandError, match="not ready.*forbidden"):
            call_command("kube_reflect", "status", "--timeout", "0.1", stdout=io.StringIO())
        with pytest.raises(CommandError, match="there is no store 'cats'; there are pods"):
            call_command("kube_reflect", "watch", "cats")


def test_the_command_says_in_a_line_that_there_is_no_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def load_config(**_: Any) -> None:
        raise config.ConfigException("Service host/port is not set.")

    monkeypatch.setattr(config, "load_config", load_config)
    with override_settings(KUBE_REFLECT={"STORES": {"pods": PODS}}):
        for command in (["status"], ["watch", "pods"]):
            with pytest.raises(CommandError, match="no kubeconfig that can be used"):
                call_command("kube_reflect", *command)


def test_objects_for_a_test_without_a_server() -> None:
    typed = client.V1Pod(metadata=client.V1ObjectMeta(name="db-0", namespace="shop"),
                         spec=client.V1PodSpec(containers=[], node_name="node-7"))
    with project() as web, stored(pods=[pod("web-0"), typed]) as writers:
        assert web.get("/pods/web-0").content == b"node-1"
        assert web.get("/pods/db-0").content == b"node-7"
        writers["pods"].apply_watcher_event(Apply(pod("web-1")))
        assert web.get("/pods/web-1").status_code == 200
        assert web.get("/readyz").status_code == 200
    assert not reflector_threads()


@override_settings(KUBE_REFLECT={"STORES": {"pods": PODS}})
@stored(pods=[pod("web-0", app="web-0")])
def test_as_a_decorator() -> None:
    assert stores["pods"].get("web-0", "shop").metadata.labels == {"app": "web-0"}
