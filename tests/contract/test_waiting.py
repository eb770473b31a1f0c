"""Waiting for what a server brings about, and for one's own writes."""

from __future__ import annotations

import secrets
import threading
from typing import Any

import pytest
from kubernetes import client

from kube_reflect import ApiResource, ConditionFailed, Config, NotReady, WatcherError
from kube_reflect.conditions import (
    is_crd_established, is_created, is_deleted, is_deployment_completed, is_pod_running,
)
from kube_reflect.streams import backoff, watch_object

from ..e2e._apiserver import READER
from ._objects import (
    CONFIG_MAPS, DEFINITIONS, DEPLOYMENTS, OURS, PODS, config_map, definition, deployment, pod,
)
from ._servers import ContractServer, Fake
from ._waiting import DEADLINE, Requests, quick, reflecting


class Later:
    """Does something once a wait has begun, and fails the test if that fails."""

    def __init__(self, *writes: Any) -> None:
        self._writes = writes
        self._wrong: list[BaseException] = []
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            for write in self._writes:
                write()
        except BaseException as error:
            self._wrong.append(error)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join(DEADLINE)
        assert not self._wrong


@pytest.mark.parametrize("model", [None, dict])
def test_a_pod_that_comes_to_run(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, model: Any
) -> None:
    with reflecting(v1.list_namespaced_pod, namespace, model=model) as r:
        def patch(phase: str) -> dict[str, Any]:
            return server.patch(PODS, "web-0", namespace, {"status": {"phase": phase}}, "status")

        with pytest.raises(TimeoutError, match=f"web-0.{namespace} not there"):
            r.store.wait_for("web-0", is_pod_running, 0.05, namespace=namespace)
        with Later(lambda: server.create(pod("web-0", namespace)), lambda: patch("Pending"),
                   lambda: patch("Running")):
            found = r.store.wait_for("web-0", is_pod_running, DEADLINE, namespace=namespace)
        assert found is not None and found is r.store.get("web-0", namespace)
        assert is_pod_running(found)
        # At once, if it is so already.
        assert r.store.wait_for("web-0", is_created & is_pod_running, 0,
                                namespace=namespace) is found
        uid = found["metadata"]["uid"] if model else found.metadata.uid
        with Later(lambda: server.delete(PODS, "web-0", namespace)):
            assert r.store.wait_for("web-0", is_deleted(uid), DEADLINE, namespace=namespace) is None


def test_deleted_and_made_anew_is_deleted(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    old = server.create(config_map("a", namespace, "old", OURS))
    with reflecting(v1.list_namespaced_config_map, namespace, model=dict,
                    config=Config(label_selector="ours")) as r:
        gone = is_deleted(old["metadata"]["uid"])
        with pytest.raises(TimeoutError, match="is_deleted"):
            r.store.wait_for("a", gone, 0.05, namespace=namespace)
        server.delete(CONFIG_MAPS, "a", namespace)
        new = server.create(config_map("a", namespace, "new", OURS))
        seen = r.store.wait_for("a", gone, DEADLINE, namespace=namespace)
        assert seen is None or seen == new
        assert r.store.wait_for("a", gone & is_created, DEADLINE, namespace=namespace) == new


def test_every_state_is_seen(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    server.create(config_map("a", namespace, "0", OURS))
    seen: list[str | None] = []

    def is_last(one: dict[str, Any] | None) -> bool:
        seen.append(one["data"]["value"] if one else None)
        return seen[-1] == "5"

    with reflecting(v1.list_namespaced_config_map, namespace, model=dict,
                    config=Config(label_selector="ours")) as r:
        waiting = threading.Event()

        def write() -> None:
            waiting.wait(DEADLINE)
            for number in range(1, 6):
                server.patch(CONFIG_MAPS, "a", namespace, {"data": {"value": str(number)}})

        with Later(write):
            assert r.store.wait_for("a", lambda one: waiting.set() or is_last(one), DEADLINE,
                                    namespace=namespace)
    assert seen == [str(number) for number in range(6)]


def test_a_definition_that_is_established(server: ContractServer) -> None:
    late = ApiResource(f"g{secrets.token_hex(4)}.example.com", "v1", "Late", "lates", True)
    name = f"{late.plural}.{late.group}"
    definitions = client.ApiextensionsV1Api(server.api_client())
    with reflecting(definitions.list_custom_resource_definition, model=dict,
                    config=Config(field_selector=f"metadata.name={name}")) as r:
        established = [{"type": "Established", "status": "True", "reason": "InitialNamesAccepted"}]

        def define() -> None:
            server.create(definition(late))
            if isinstance(server, Fake):
                # It accepts whatever it is given, and says nothing of it.
                server.patch(DEFINITIONS, name, None, {"status": {"conditions": established}},
                             "status")

        try:
            with Later(define):
                found = r.store.wait_for(name, is_crd_established, DEADLINE)
            assert found is not None
            assert [one["status"] for one in found["status"]["conditions"]
                    if one["type"] == "Established"] == ["True"]
        finally:
            server.delete(DEFINITIONS, name)
        assert r.store.wait_for(name, is_deleted(found["metadata"]["uid"]), DEADLINE) is None


def test_a_deployment_whose_rollout_is_complete(server: ContractServer, namespace: str) -> None:
    apps = client.AppsV1Api(server.api_client())

    created = server.create(deployment("web", namespace))
    generation = created["metadata"]["generation"]

    def report(updated: int, observed: int = generation,
               reason: str = "ReplicaSetUpdated") -> dict[str, Any]:
        return server.patch(DEPLOYMENTS, "web", namespace, {"status": {
            "observedGeneration": observed, "replicas": 1, "updatedReplicas": updated,
            "readyReplicas": updated, "availableReplicas": updated, "conditions": [
                {"type": "Progressing", "status": "True", "reason": reason}]}}, "status")

    with reflecting(apps.list_namespaced_deployment, namespace) as r:
        # Of the rollout before; then of this one.
        with Later(lambda: report(1, generation - 1, "NewReplicaSetAvailable"), lambda: report(0),
                   lambda: report(1, reason="NewReplicaSetAvailable")):
            found = r.store.wait_for("web", is_deployment_completed, DEADLINE,
                                     namespace=namespace)
        assert found is not None and found.status.updated_replicas == 1
        assert found.status.observed_generation == generation
        failed = report(1, reason="ProgressDeadlineExceeded")
        r.store.wait_for_version(failed["metadata"]["resourceVersion"], DEADLINE)
        with pytest.raises(ConditionFailed, match="exceeded its progress deadline"):
            r.store.wait_for("web", is_deployment_completed, DEADLINE, namespace=namespace)


def test_one_reads_ones_own_writes(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    with reflecting(v1.list_namespaced_config_map, namespace, model=dict,
                    config=Config(label_selector="ours")) as r:
        for number in range(20):
            name = f"c{number % 3}"
            if number < 3:
                written = server.create(config_map(name, namespace, "", OURS))
            else:
                written = server.patch(CONFIG_MAPS, name, namespace,
                                       {"data": {"value": str(number)}})
            r.store.wait_for_version(written["metadata"]["resourceVersion"], DEADLINE)
            assert r.store.get(name, namespace) == written
        future = str(10 * int(written["metadata"]["resourceVersion"]))
        with pytest.raises(TimeoutError, match=future):
            r.store.wait_for_version(future, 0.05)


def test_who_may_not_list_hears_why_nothing_comes(
    server: ContractServer, namespace: str
) -> None:
    reader = client.CoreV1Api(server.client_for(READER))
    with reflecting(reader.list_namespaced_config_map, namespace, ready=False) as r:
        for wait in (lambda: r.store.wait_for("a", is_created, 0.5, namespace=namespace),
                     lambda: r.store.wait_for_version("1", 0.5)):
            with pytest.raises(NotReady, match="403"):
                wait()


def test_the_life_of_one_object(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, asked: Requests
) -> None:
    server.create(config_map("other", namespace))
    life = watch_object(v1.list_namespaced_config_map, "a", namespace)
    seen: list[Any] = []
    steps = iter([lambda: server.create(config_map("a", namespace, "1")),
                  lambda: server.patch(CONFIG_MAPS, "a", namespace, {"data": {"value": "2"}}),
                  lambda: server.delete(CONFIG_MAPS, "a", namespace), life.close])
    for item in backoff(life, quick()):
        if not isinstance(item, WatcherError):
            seen.append(item and item["data"]["value"])
            next(steps)()
    assert seen == [None, "1", "2", None]
