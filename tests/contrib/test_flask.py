"""The Flask extension."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, config

from kube_reflect import Apply, Phase, Reflector
from kube_reflect.testing import FakeApiServer

from tests.support.objects import running_pod as pod
from tests.support.waiting import wait_until

flask = pytest.importorskip("flask")
from kube_reflect.contrib.flask import KubeReflect, health  # noqa: E402


class Site:
    """An application as a user writes it."""

    def __init__(self, server: FakeApiServer | None, **config: Any) -> None:
        self.kube = KubeReflect()
        self.pods = self.kube.reflector(
            "pods", client.CoreV1Api.list_namespaced_pod, "shop")
        self.clients: list[client.ApiClient] = []
        self.app = self.make_app(server, **config)
        self.web = self.app.test_client()

    def make_app(self, server: FakeApiServer | None, **config: Any) -> Any:
        app = flask.Flask("site")

        def new_client() -> client.ApiClient:
            assert server is not None, "no client is needed here"
            self.clients.append(server.api_client())
            return self.clients[-1]

        app.config.update({"KUBE_REFLECT_CLIENT": new_client, "KUBE_REFLECT_WAIT": 5.0, **config})
        self.kube.init_app(app)
        app.register_blueprint(health)

        @app.get("/pods/<name>")
        def show(name: str) -> Any:
            found = self.pods.store.get(name, "shop")
            return (found.spec.node_name, 200) if found is not None else ("not there", 404)

        return app


@pytest.fixture
def site(server: FakeApiServer) -> Iterator[Site]:
    site = Site(server)
    yield site
    site.kube.close(site.app)


def reflector_threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("kube-reflect:")]


def test_nothing_happens_before_the_first_request(site: Site, server: FakeApiServer) -> None:
    assert not site.clients and not list(server.requests) and not reflector_threads()
    assert site.web.get("/pods/web-0").data == b"node-1"
    assert len(site.clients) == 1 and len(reflector_threads()) == 1
    assert site.web.get("/pods/other").status_code == 404


def test_a_store_follows(site: Site, server: FakeApiServer) -> None:
    assert site.web.get("/pods/db-0").status_code == 404
    server.create(pod("db-0"))
    wait_until(lambda: site.web.get("/pods/db-0").status_code == 200)
    with site.app.app_context():
        with site.pods.subscribe() as changes:
            assert changes.get(5).ref.name in ("db-0", "web-0")
        assert site.pods.status.live and site.pods.reflector.name == "pods"


def test_many_first_requests_at_once_start_one(site: Site, server: FakeApiServer) -> None:
    barrier = threading.Barrier(8)
    answers: list[int] = []

    def visit() -> None:
        barrier.wait(5)
        answers.append(site.app.test_client().get("/pods/web-0").status_code)

    threads = [threading.Thread(target=visit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert answers == [200] * 8
    wait_until(lambda: server.watches == 1)
    assert len(reflector_threads()) == 1


def test_a_request_waits_and_is_then_unavailable(server: FakeApiServer) -> None:
    server.forbid("pods")
    site = Site(server, KUBE_REFLECT_WAIT=0.1, KUBE_REFLECT_RETRY_AFTER=7)
    began = time.monotonic()
    answer = site.web.get("/pods/web-0")
    assert time.monotonic() - began >= 0.1
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "7"
    assert b"forbidden" not in answer.data
    assert site.web.get("/healthz").status_code == 200
    assert site.web.get("/readyz").status_code == 503
    server.allow("pods")
    site.app.config["KUBE_REFLECT_WAIT"] = 10.0
    assert site.web.get("/pods/web-0").status_code == 200
    assert site.web.get("/readyz").json == {
        "pods": {"phase": "watching", "ready": True, "live": True}}
    site.kube.close(site.app)


def test_a_page_of_the_application_for_503_is_shown(server: FakeApiServer) -> None:
    server.forbid("pods")
    site = Site(server, KUBE_REFLECT_WAIT=0.05)
    site.app.register_error_handler(503, lambda error: (f"sorry: {error.retry_after}", 503))
    assert site.web.get("/pods/web-0").data == b"sorry: 5"
    site.kube.close(site.app)


def test_several_applications_have_reflectors_of_their_own(server: FakeApiServer) -> None:
    site = Site(server)
    other = site.make_app(server)
    for app in (site.app, other):
        assert app.test_client().get("/pods/web-0").status_code == 200
    with site.app.app_context(), other.app_context():
        theirs = site.pods.reflector
    with site.app.app_context():
        assert site.pods.reflector is not theirs
    site.kube.close(other)
    assert theirs.status.phase is Phase.STOPPED
    assert site.web.get("/readyz").status_code == 200
    site.kube.close(site.app)


def test_liveness_and_readiness(site: Site, server: FakeApiServer) -> None:
    assert (site.web.get("/healthz").status_code, site.web.get("/healthz").json) == (200, {})
    assert site.web.get("/status").json == {"pods": None}
    wait_until(lambda: site.web.get("/readyz").status_code == 200)
    # An API server that is away is no reason to restart, nor to serve nothing.
    server.close()
    with site.app.app_context():
        wait_until(lambda: not site.pods.status.live)
    assert site.web.get("/healthz").status_code == site.web.get("/readyz").status_code == 200
    assert site.web.get("/pods/web-0").status_code == 200
    site.app.config["KUBE_REFLECT_MAX_STALENESS"] = 0.0
    assert site.web.get("/readyz").status_code == 503
    found = site.web.get("/status").json["pods"]
    assert found["objects"] == 1 and isinstance(found["last_error"], str)


def test_a_dead_thread_is_a_reason_to_restart(site: Site, monkeypatch: pytest.MonkeyPatch,
                                              ) -> None:
    wait_until(lambda: site.web.get("/readyz").status_code == 200)
    with site.app.app_context():
        dead = dataclasses.replace(site.pods.status, phase=Phase.DEAD)
    with monkeypatch.context() as patch:
        patch.setattr(Reflector, "status", dead)
        assert site.web.get("/healthz").status_code == 503
        assert site.web.get("/healthz").json["pods"]["phase"] == "dead"
    assert site.web.get("/healthz").status_code == 200


def test_metrics(site: Site) -> None:
    pytest.importorskip("prometheus_client")
    assert site.web.get("/pods/web-0").status_code == 200
    answer = site.web.get("/metrics")
    assert answer.status_code == 200 and answer.content_type.startswith("text/plain")
    assert 'kube_reflect_objects{reflector="pods"} 1.0' in answer.text


def test_the_command(site: Site, server: FakeApiServer) -> None:
    runner = site.app.test_cli_runner()
    shown = runner.invoke(args=["kube-reflect", "status"])
    assert shown.exit_code == 0, shown.output
    head, row = shown.output.splitlines()
    assert head.split() == ["NAME", "PHASE", "READY", "OBJECTS", "VERSION", "ERROR"]
    assert row.split()[0] == "pods" and row.split()[2:4] == ["yes", "1"]
    assert '"objects": 1' in runner.invoke(args=["kube-reflect", "status", "--json"]).output
    server.forbid("pods")
    failed = runner.invoke(args=["kube-reflect", "status", "--timeout", "0.1"])
    assert failed.exit_code == 1 and "forbidden" in failed.output


def test_every_kind_of_list_function(server: FakeApiServer) -> None:
    with server.api_client() as api_client:
        v1 = client.CoreV1Api(api_client)
        site = Site(server)
        bound = site.kube.reflector("bound", v1.list_pod_for_all_namespaces)
        made = site.kube.reflector("made", lambda: v1.list_namespaced_pod, namespace="shop")
        with site.app.app_context():
            for declared in (bound, made):
                assert declared.store.get("web-0", "shop").metadata.name == "web-0"
        site.kube.close(site.app)


def test_mistakes_are_told_at_once(site: Site) -> None:
    with pytest.raises(ValueError, match="already"):
        site.kube.reflector("pods", client.CoreV1Api.list_node)
    with pytest.raises(TypeError, match="list function"):
        site.kube.reflector("numbers", 7)
    app = flask.Flask("another")
    app.config["KUBE_REFLECT_PATIENCE"] = 3
    with pytest.raises(ValueError, match="no KUBE_REFLECT_PATIENCE"):
        site.kube.init_app(app)
    with flask.Flask("third").app_context(), pytest.raises(RuntimeError, match="init_app"):
        site.pods.store


def test_objects_for_a_test_without_a_server() -> None:
    site = Site(None)
    typed = client.V1Pod(metadata=client.V1ObjectMeta(name="db-0", namespace="shop"),
                         spec=client.V1PodSpec(containers=[], node_name="node-7"))
    with site.kube.stored(site.app, pods=[pod("web-0"), typed]) as writers:
        assert site.web.get("/pods/web-0").data == b"node-1"
        assert site.web.get("/pods/db-0").data == b"node-7"
        writers["pods"].apply_watcher_event(Apply(pod("web-1")))
        assert site.web.get("/pods/web-1").status_code == 200
        assert site.web.get("/readyz").status_code == 200
    assert not site.clients and not reflector_threads()


@pytest.mark.parametrize(("args", "options", "said"), [
    (["shop"], {"transfrom": dict}, "got an unexpected keyword argument 'transfrom'"),
    ([], {}, "missing a required argument: 'namespace'"),
])
def test_wrong_arguments_are_told_where_they_are_written(
    args: list[str], options: dict[str, Any], said: str,
) -> None:
    kube = KubeReflect()
    with pytest.raises(TypeError, match=f"pods: .*{said}"):
        kube.reflector("pods", client.CoreV1Api.list_namespaced_pod, *args, **options)
    kube.reflector("pods", client.CoreV1Api.list_namespaced_pod, namespaces=["a"])


def test_a_command_says_in_a_line_that_there_is_no_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = flask.Flask("site")
    kube = KubeReflect(app)
    kube.reflector("nodes", client.CoreV1Api.list_node)

    def load_config(**_: Any) -> None:
        raise config.ConfigException("Service host/port is not set.")

    monkeypatch.setattr(config, "load_config", load_config)
    result = app.test_cli_runner().invoke(args=["kube-reflect", "status"])
    assert result.exit_code == 1
    assert result.output.startswith("Error: no kubeconfig that can be used")
    assert result.output.count("\n") == 1
