"""Every example runs, against the fake server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client

from kube_reflect import ApiResource
from kube_reflect.testing import FakeApiServer

from tests.support import _examples
from tests.support._examples import ROOT, Lines, script

CRON_TABS = ApiResource("stable.example.com", "v1", "CronTab", "crontabs", namespaced=True)

# Arguments of each script, and how the line begins that tells that it works.
SCRIPTS = {
    "custom_resources": (["stable.example.com", "v1", "crontabs"], "0 at version"),
    "event_stream": (["default"], "listed: 0"),
    "nodes_by_architecture": (["amd64", "0"], "http://127.0.0.1:"),
    "operator_loop": ([], "INFO:operator:create done"),
    "handlers": (["here"], "added: x"),
    "metadata_only": (["here", "team"], "x lacks team"),
    "namespaces": (["here", "there"], "here: 1 ConfigMaps"),
    "pods": (["default"], "default: no pods"),
    "shared": (["here"], "there: x"),
    "wait_for": (["default"], "created: kube-reflect-example-"),
    "work_queue": (["here", "2"], "x: 0 entries"),
}


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    with FakeApiServer() as server:
        server.register(CRON_TABS)
        yield server


@pytest.fixture
def api_client(server: FakeApiServer) -> Iterator[client.ApiClient]:
    with server.api_client() as api_client:
        yield api_client


def test_nodes_by_architecture(api_client: client.ApiClient) -> None:
    _examples.exercise_nodes_by_architecture(api_client)
    assert client.CoreV1Api(api_client).list_node().items == []


def test_pods(api_client: client.ApiClient) -> None:
    _examples.exercise_pods(api_client, "here")
    assert len(client.CoreV1Api(api_client).list_namespaced_pod("here").items) == 1


def test_custom_resources(server: FakeApiServer, api_client: client.ApiClient) -> None:
    _examples.exercise_custom_resources(
        api_client, "here", CRON_TABS.group, CRON_TABS.version, "crontabs", CRON_TABS.kind
    )
    assert len(server.objects(CRON_TABS)) == 1


def test_event_stream(server: FakeApiServer, api_client: client.ApiClient) -> None:
    _examples.exercise_event_stream(api_client, "here")
    assert server.objects("configmaps") == []


def test_operator_loop(api_client: client.ApiClient) -> None:
    _examples.exercise_operator_loop(api_client, "here", "there")
    assert client.CoreV1Api(api_client).list_namespaced_config_map("there").items == []


def test_work_queue(api_client: client.ApiClient) -> None:
    _examples.exercise_work_queue(api_client, "here")
    assert client.CoreV1Api(api_client).list_namespaced_config_map("here").items == []


def test_handlers(api_client: client.ApiClient) -> None:
    _examples.exercise_handlers(api_client, "here")
    assert client.CoreV1Api(api_client).list_namespaced_config_map("here").items == []


def test_wait_for(api_client: client.ApiClient) -> None:
    _examples.exercise_wait_for(api_client, "here")
    assert client.CoreV1Api(api_client).list_namespaced_pod("here").items == []


def test_metadata_only(api_client: client.ApiClient) -> None:
    _examples.exercise_metadata_only(api_client, "here")
    assert client.CoreV1Api(api_client).list_namespaced_config_map("here").items == []


def test_namespaces(server: FakeApiServer, api_client: client.ApiClient) -> None:
    server.forbid("configmaps", namespace="closed")
    _examples.exercise_namespaces(api_client, ["here", "there"], "closed")
    assert client.CoreV1Api(api_client).list_namespaced_config_map("here").items == []


def test_shared(server: FakeApiServer, api_client: client.ApiClient) -> None:
    _examples.exercise_shared(api_client, "here")
    assert len([one for one in server.requests if one.flag("watch")]) == 1


def test_every_example_is_here() -> None:
    assert {path.stem for path in (ROOT / "examples").glob("*.py")} == set(SCRIPTS)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_as_a_script(name: str, api_client: client.ApiClient, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    _examples.write_kubeconfig(api_client, kubeconfig)
    mirrored = {"name": "x", "labels": {"example.com/mirror-to": "there"}}
    client.CoreV1Api(api_client).create_namespaced_config_map("here", {"metadata": mirrored})
    arguments, beginning = SCRIPTS[name]
    with script(name, *arguments, kubeconfig=kubeconfig) as lines:
        assert isinstance(lines, Lines)
        assert lines.expect(lambda line: line.startswith(beginning))


def test_a_resource_that_is_not_there(api_client: client.ApiClient) -> None:
    custom_resources = _examples.load("custom_resources")
    with pytest.raises(custom_resources.NotReady) as caught:
        custom_resources.main(client.CustomObjectsApi(api_client), "nothing.example.com", "v1",
                              "things", patience=0.5)
    assert getattr(caught.value.__cause__, "code", None) == 404
