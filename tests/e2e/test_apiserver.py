"""The server of these tests does what they rely on."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from ._apiserver import READER, OwnedServer, RealServer
from ._processes import Guard

pytestmark = pytest.mark.e2e


def _config_map(name: str) -> client.V1ConfigMap:
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name))


def test_reader_has_no_rights(real_server: RealServer, namespace: str) -> None:
    reader = client.CoreV1Api(real_server.client_for(READER))
    with pytest.raises(ApiException) as caught:
        reader.list_namespaced_pod(namespace)
    assert caught.value.status == 403


def test_namespace_goes_with_what_is_in_it(owned_server: OwnedServer) -> None:
    api = client.CoreV1Api(owned_server.api_client())
    with owned_server.namespace("gone") as name:
        api.create_namespaced_config_map(name, _config_map("x"))
    assert api.list_namespaced_config_map(name).items == []
    with pytest.raises(ApiException) as caught:
        api.read_namespace(name)
    assert caught.value.status == 404


def test_restart_keeps_objects_and_port(owned_server: OwnedServer, namespace: str) -> None:
    api = client.CoreV1Api(owned_server.api_client())
    created = api.create_namespaced_config_map(namespace, _config_map("x"))
    url = owned_server.url
    owned_server.restart()
    assert owned_server.url == url
    read = api.read_namespaced_config_map("x", namespace)
    assert created.metadata and read.metadata
    assert read.metadata.uid == created.metadata.uid


def test_compact_expires_continue_tokens(owned_server: OwnedServer, namespace: str) -> None:
    api = client.CoreV1Api(owned_server.api_client())
    for name in "xyz":
        api.create_namespaced_config_map(namespace, _config_map(name))
    page = api.list_namespaced_config_map(namespace, limit=1)
    # The token's version must be older than the compacted one.
    api.create_namespaced_config_map(namespace, _config_map("later"))
    assert page.metadata and page.metadata.resource_version
    assert owned_server.compact() > int(page.metadata.resource_version)
    with pytest.raises(ApiException) as caught:
        api.list_namespaced_config_map(namespace, limit=1, _continue=page.metadata._continue)
    assert caught.value.status == 410


def test_guard_kills_what_is_left_and_removes_its_folders(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    guard = Guard(folder)
    # cat waits for an input that never comes.
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, start_new_session=True) as left:
        guard.tell("+", left.pid)
        guard.close()
        assert left.wait(timeout=10) == -signal.SIGKILL
    assert not folder.exists()


def test_frozen_server_goes_on(owned_server: OwnedServer, namespace: str) -> None:
    owned_server.sigstop()
    owned_server.sigcont()
    api = client.CoreV1Api(owned_server.api_client())
    assert api.list_namespaced_pod(namespace).items == []
