"""Objects from files, kubeconfigs, and waiting until a cache has seen all."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes import config as kubernetes_config

from kube_reflect import ApiResource, Config, NotReady, Reflector
from kube_reflect.testing import FakeApiServer

CRON_TAB = """
apiVersion: stable.example.com/v1
kind: CronTab
metadata: {name: nightly, namespace: shop, creationTimestamp: 2024-05-01T10:00:00Z}
spec: {since: 2024-05-01}
---
"""
DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.stable.example.com}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: crontabs, kind: CronTab}
  versions:
  - {name: v1, served: true, storage: true}
  - {name: v1alpha1, served: false, storage: false}
"""


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_several_documents_and_the_kind_that_one_of_them_defines(
        server: FakeApiServer, tmp_path: Path) -> None:
    path = tmp_path / "all.yaml"
    path.write_text(CRON_TAB + DEFINITION + "---\n")
    loaded = server.load(path)
    assert [one["kind"] for one in loaded] == ["CronTab", "CustomResourceDefinition"]
    # Times stay the text that they are on the wire.
    assert server.get("crontabs", "nightly", "shop")["spec"] == {"since": "2024-05-01"}


def test_the_items_of_lists_one_by_one(server: FakeApiServer, tmp_path: Path) -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": [config_map("a"), config_map("b")]}
    bare = {"metadata": {"name": "c"}, "data": {"x": "1"}}
    typed = {"apiVersion": "v1", "kind": "ConfigMapList", "metadata": {}, "items": [bare]}
    (tmp_path / "1.json").write_text(json.dumps(listed))
    (tmp_path / "2.yml").write_text(json.dumps(typed))
    (tmp_path / "notes.txt").write_text("not this")
    assert [one["metadata"]["name"] for one in server.load(tmp_path)] == ["a", "b", "c"]
    assert server.get("configmaps", "c")["data"] == {"x": "1"}


def test_what_is_there_is_replaced(server: FakeApiServer) -> None:
    (first,) = server.load(config_map("a", color="red"))
    # As it came from another server, with a version that is not of this one.
    given = {**config_map("a", color="blue"), "metadata": {
        "name": "a", "uid": "another", "resourceVersion": "7"}}
    (second,) = server.load([given])
    assert (first["metadata"]["uid"], second["data"]) == (second["metadata"]["uid"],
                                                          {"color": "blue"})


def test_models_of_the_official_client(server: FakeApiServer) -> None:
    server.load(client.V1ConfigMap(api_version="v1", kind="ConfigMap", data={"x": "1"},
                                   metadata=client.V1ObjectMeta(name="a")))
    assert server.get("configmaps", "a")["data"] == {"x": "1"}


@pytest.mark.parametrize(("content", "told"), [
    ("just words", "an object needs apiVersion and kind, not \"just words\""),
    ("{kind: Pod", "is no YAML: "),
    (CRON_TAB, "the fake API server has no CronTab of stable.example.com/v1"),
], ids=repr)
def test_a_file_that_will_not_do_creates_nothing(
        content: str, told: str, server: FakeApiServer, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(json.dumps(config_map("a")) + "\n---\n" + content)
    with pytest.raises(ValueError, match=".") as caught:
        server.load(path)
    assert told in str(caught.value)
    assert server.objects("configmaps") == []


def test_a_kubeconfig_leads_to_the_server(tmp_path: Path) -> None:
    with FakeApiServer(tokens={"secret": "alice"}) as server:
        path = server.kubeconfig(tmp_path / "config")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        server.load(config_map("a"))
        configuration = client.Configuration()
        kubernetes_config.load_kube_config(str(path), client_configuration=configuration)
        with client.ApiClient(configuration) as api_client:
            found = client.CoreV1Api(api_client).list_namespaced_config_map("default")
        assert [one.metadata.name for one in found.items] == ["a"]


def test_waiting_until_a_cache_has_seen_all(server: FakeApiServer) -> None:
    with server.api_client() as api_client:
        v1 = client.CoreV1Api(api_client)
        quiet = Reflector(v1.list_namespaced_config_map, "elsewhere",
                          config=Config(label_selector="app=none"))
        with Reflector(v1.list_namespaced_config_map, "default") as busy, quiet:
            for number in range(20):
                server.create(config_map(f"a-{number}"))
                # Also what begins to watch only now, and what hears of none of it.
                server.wait_until_seen(busy.store, quiet.store)
                assert f"a-{number}" in {one.name for one in busy.store.keys()}
                assert quiet.store.resource_version == server.resource_version
            server.wait_until_seen()


def test_waiting_for_a_cache_that_sees_nothing(server: FakeApiServer) -> None:
    server.forbid("configmaps")
    with server.api_client() as api_client:
        v1 = client.CoreV1Api(api_client)
        with Reflector(v1.list_namespaced_config_map, "default") as reflector:
            with pytest.raises(NotReady):
                server.wait_until_seen(reflector.store, timeout=0.1)


def test_a_kind_that_cannot_be_watched(server: FakeApiServer) -> None:
    metrics = server.register(ApiResource("metrics.k8s.io", "v1beta1", "PodMetrics", "pods", True),
                              verbs=("get", "list"))
    server.create({"apiVersion": metrics.api_version, "kind": metrics.kind,
                   "metadata": {"name": "a"}})
    with server.api_client() as api_client:
        custom = client.CustomObjectsApi(api_client)
        where = (metrics.group, metrics.version, "pods")
        assert len(custom.list_cluster_custom_object(*where)["items"]) == 1
        with pytest.raises(client.ApiException) as caught:
            custom.list_cluster_custom_object(*where, watch=True)
        assert caught.value.status == 405
        listed: Any = custom.get_api_resources(metrics.group, metrics.version)
        assert listed.resources[0].verbs == ["get", "list"]
    # The pods that everybody means are still those of the core.
    assert server.objects("pods") == []
