"""Stores without a server."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest
from kubernetes import client

from kube_reflect import ApiResource
from kube_reflect.testing import store_of

from tests.support.objects import running_pod as pod


def test_it_is_ready_and_holds_what_was_given() -> None:
    store = store_of([pod("web-0", app="web"), pod("db-0")],
                     indexers={"node": lambda one: [one["spec"]["nodeName"]]})
    gc.collect()
    assert store.ready and len(store) == 2
    assert store.get("web-0", "shop")["spec"]["nodeName"] == "node-1"
    assert [one["metadata"]["name"] for one in store.state(labels="app=web")] == ["web-0"]
    assert len(store.by_index("node", "node-1")) == 2
    (ref,) = [one for one in store.keys() if one.name == "db-0"]
    assert ref.resource == ApiResource("", "v1", "Pod")
    store.wait_until_ready(0)


def test_the_model() -> None:
    store = store_of([pod("web-0")], model=client.V1Pod)
    found = store.get("web-0", "shop")
    assert isinstance(found, client.V1Pod) and found.spec.node_name == "node-1"
    assert store_of(pod("a"), model=lambda one: one["metadata"]["name"]).state() == ["a"]


def test_models_come_out_as_models() -> None:
    given = client.V1Pod(metadata=client.V1ObjectMeta(name="web-0", namespace="shop"),
                         spec=client.V1PodSpec(containers=[client.V1Container(name="main")]))
    store = store_of([given])
    found = store.get("web-0", "shop")
    assert isinstance(found, client.V1Pod) and found.spec.containers[0].name == "main"


def test_from_a_file_and_of_nothing(tmp_path: Path) -> None:
    path = tmp_path / "pods.yaml"
    path.write_text(json.dumps(pod("a")) + "\n---\n" + json.dumps(pod("b")))
    assert sorted(one.name for one in store_of(path).keys()) == ["a", "b"]
    assert sorted(one.name for one in store_of([str(path), pod("c")]).keys()) == ["a", "b", "c"]
    empty = store_of()
    assert empty.ready and empty.state() == [] and empty.resource_version == "1000"


def test_an_object_without_a_name() -> None:
    with pytest.raises(ValueError, match="needs a metadata.name"):
        store_of([{"apiVersion": "v1", "kind": "Pod", "metadata": {}}])
