"""The page for Prometheus, read as Prometheus does."""

from __future__ import annotations

import gc
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

import kube_reflect
from kube_reflect import Backoff, Reflector, shared
from kube_reflect.testing import FakeApiServer

from tests.support.objects import running_pod as pod
from tests.support.waiting import wait_until

pytest.importorskip("prometheus_client")
from prometheus_client import CollectorRegistry, generate_latest  # noqa: E402
from prometheus_client.parser import text_string_to_metric_families  # noqa: E402

from kube_reflect.metrics import Collector  # noqa: E402

Page = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(*watched: Any, **named: Any) -> Page:
    return read(Collector(*watched, **named))


def read(collector: Collector) -> Page:
    registry = CollectorRegistry()
    registry.register(collector)
    text = generate_latest(registry).decode()
    return {(one.name, tuple(sorted(one.labels.items()))): one.value
            for family in text_string_to_metric_families(text) for one in family.samples}


def of(page: Page, name: str, **labels: str) -> float | None:
    return page.get((f"kube_reflect_{name}", tuple(sorted(labels.items()))))


@pytest.fixture
def v1(server: FakeApiServer) -> Iterator[client.CoreV1Api]:
    with server.api_client() as api_client:
        yield client.CoreV1Api(api_client)


@pytest.fixture
def pods(v1: client.CoreV1Api) -> Iterator[Reflector[Any]]:
    quick = Backoff(initial=0.01, maximum=0.02)
    with Reflector(v1.list_pod_for_all_namespaces, name="pods", backoff=quick) as pods:
        yield pods


def test_what_a_page_tells(pods: Reflector[Any], server: FakeApiServer) -> None:
    pods.store.wait_until_ready(5)
    wait_until(lambda: pods.status.live)
    for number in range(3):
        server.create(pod(f"db-{number}"))
    wait_until(lambda: len(pods.store) == 4
               and pods.status.events_by_type.get("Apply", 0) >= 3)
    assert pods.store.get("db-0", "shop") is not None
    page = scrape(pods)
    me = {"reflector": "pods"}
    assert of(page, "ready", **me) == of(page, "live", **me) == 1
    assert of(page, "objects", **me) == 4
    assert (of(page, "stored_bytes", **me) or 0) > 100
    assert (of(page, "events_total", **me, type="Apply") or 0) >= 3
    assert of(page, "poisoned_objects_total", **me) == 0
    assert (of(page, "event_lag_seconds", **me) or 60) < 60
    assert not [name for name, _ in page if name == "kube_reflect_reconnects_total"]
    assert of(page, "phase", **me, phase="watching") == 1
    assert of(page, "phase", **me, phase="dead") == 0
    assert of(page, "last_contact_timestamp_seconds", **me) == pytest.approx(
        pods.status.last_contact, abs=5)
    assert of(page, "last_list_duration_seconds", **me) != 0


def test_failures_and_relists_are_counted(pods: Reflector[Any], server: FakeApiServer) -> None:
    pods.store.wait_until_ready(5)
    server.forbid("pods")
    server.compact()
    server.disconnect()
    wait_until(lambda: pods.status.code == 403)
    server.allow("pods")
    wait_until(lambda: pods.status.relists == 1 and pods.status.live)
    page = scrape(pods)
    assert of(page, "relists_total", reflector="pods") == 1
    failed = of(page, "failures_total", reflector="pods", error="WatchStartFailed", code="403")
    assert (failed or 0) >= 1
    begun = {dict(labels)["reason"]: value for (name, labels), value in page.items()
             if name == "kube_reflect_relists_begun_total"}
    assert sum(begun.values()) >= 1
    assert (of(page, "reconnects_total", reflector="pods", reason="WatchStartFailed:403") or 0) >= 1


def test_a_pause_says_how_long_and_until_when(v1: client.CoreV1Api, server: FakeApiServer) -> None:
    server.forbid("nodes")
    patient = Backoff(initial=60, maximum=60)
    with Reflector(v1.list_node, name="nodes", backoff=patient) as nodes:
        wait_until(lambda: nodes.status.retry_at is not None)
        page = scrape(nodes)
    me = {"reflector": "nodes"}
    assert of(page, "phase", **me, phase="backing off") == 1
    pause = of(page, "backoff_seconds", **me) or 0
    assert pause > 10
    assert of(page, "retry_timestamp_seconds", **me) == pytest.approx(time.time() + pause, abs=10)


def test_what_is_spoilt_and_what_a_slow_subscriber_is_not_told(
        v1: client.CoreV1Api, server: FakeApiServer) -> None:
    def refuse_db(obj: dict[str, Any]) -> dict[str, Any]:
        if obj["metadata"]["name"].startswith("db"):
            raise ValueError("no databases")
        return obj

    with Reflector(v1.list_pod_for_all_namespaces, name="pods", transform=refuse_db) as pods:
        pods.store.wait_until_ready(5)
        slow = pods.subscribe(buffer_size=1)
        server.create(pod("db-0"))
        for number in range(5):
            server.patch("pods", "web-0", {"metadata": {"labels": {"number": str(number)}}}, "shop")
        wait_until(lambda: pods.status.events_by_type.get("Apply", 0) >= 5)
        page = scrape(pods, slow=slow)
    assert of(page, "poisoned_objects_total", reflector="pods") == 1
    assert of(page, "subscription_pending", subscription="slow") == 1
    assert (of(page, "subscription_dropped_total", subscription="slow") or 0) >= 1


def test_what_is_not_known_is_not_said(v1: client.CoreV1Api) -> None:
    nodes = Reflector(v1.list_node, name="nodes")
    page = scrape(nodes)
    assert of(page, "ready", reflector="nodes") == 0
    assert of(page, "last_contact_timestamp_seconds", reflector="nodes") is None
    assert of(page, "phase", reflector="nodes", phase="stopped") == 1


def test_namespaces(v1: client.CoreV1Api, server: FakeApiServer) -> None:
    server.forbid("pods", namespace="closed")
    with Reflector(v1.list_namespaced_pod, namespaces=["shop", "closed"], name="pods") as pods:
        wait_until(lambda: pods.status.namespaces["shop"].ready)
        page = scrape(pods)
    assert of(page, "namespace_ready", reflector="pods", namespace="shop") == 1
    assert of(page, "namespace_ready", reflector="pods", namespace="closed") == 0


def test_subscriptions_and_shared_ones_get_a_name(v1: client.CoreV1Api, pods: Reflector[Any],
                                                  ) -> None:
    pods.store.wait_until_ready(5)
    changes = pods.subscribe()
    with shared(v1.list_node) as nodes:
        page = scrape(nodes=nodes, board=changes)
        assert of(page, "objects", reflector="nodes") is not None
    assert of(page, "subscription_pending", subscription="board") == 1
    assert of(page, "subscription_dropped_total", subscription="board") == 0
    with pytest.raises(TypeError, match="give it one"):
        Collector(changes)
    with pytest.raises(TypeError, match="no metrics of 7"):
        Collector(seven=7)  # type: ignore[arg-type]
    changes.close()


def test_a_collector_keeps_nothing_alive(v1: client.CoreV1Api) -> None:
    nodes = Reflector(v1.list_node, name="nodes").start()
    [thread] = [one for one in threading.enumerate() if one.name == "kube-reflect:nodes"]
    collector = Collector(nodes)
    assert of(read(collector), "ready", reflector="nodes") is not None
    del nodes
    gc.collect()
    thread.join(5)
    assert not thread.is_alive()
    assert of(read(collector), "ready", reflector="nodes") is None


def test_a_collector_has_names_that_a_registry_may_check(pods: Reflector[Any]) -> None:
    registry = CollectorRegistry()
    registry.register(Collector(pods))
    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(Collector(pods))


def labels_of(pods: Reflector[Any]) -> dict[str, set[str]]:
    """Return the labels of each metric, as they are on a page."""
    return {one.name + "_total" * (one.type == "counter"): set(one._labelnames)
            for one in Collector(pods).describe()}


def test_the_dashboard_shows_each_metric_by_its_labels(pods: Reflector[Any]) -> None:
    dashboard = json.loads(
        (Path(kube_reflect.__file__).parent / "contrib" / "grafana.json").read_text("utf-8"))
    shown = {}
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            [name] = re.findall(r"kube_reflect_\w+", target["expr"])
            [by] = re.findall(r"by \((.+?)\)", target["expr"])
            shown[name] = set(by.split(", "))
            assert shown[name] == set(re.findall(r"{{(\w+)}}", target["legendFormat"])), panel
    assert shown == labels_of(pods)


def test_the_table_on_the_page_has_each_metric_with_its_labels(pods: Reflector[Any]) -> None:
    page = (Path(kube_reflect.__file__).parent / "contrib" / "README.rst").read_text("utf-8")
    table = page.partition("``kube_reflect_…``")[2].partition("\n\n")[0]
    told = {}
    for line in re.findall(r"^(``.+?)  ", table, re.M):
        for name, labels in re.findall(r"``(\w+)(?:{(.+?)})?``", line):
            also = set() if name.startswith("subscription_") else {"reflector"}
            told[f"kube_reflect_{name}"] = also | set(filter(None, labels.split(", ")))
    assert told == labels_of(pods)
