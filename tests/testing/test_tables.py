"""Tables, and what a client may ask about its rights."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from kube_reflect.testing import FakeApiServer
from kube_reflect.testing.columns import age, age_of, columns_of, seconds_since

from ._raw import ask

TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
PODS = "/api/v1/namespaces/shop/pods"


def pod(name: str, **status: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"containers": [{"name": "a"}, {"name": "b"}]},
            "status": {"phase": "Running", **status}}


def row(obj: Mapping[str, Any], group: str, plural: str) -> list[Any]:
    return [one.cell(obj) for one in columns_of(group, plural) if not one.wide]


def test_custom_objects_have_the_columns_of_their_definition(server: FakeApiServer) -> None:
    columns = [{"name": "Spec", "type": "string", "jsonPath": ".spec.cronSpec"},
               {"name": "Much", "type": "string", "jsonPath": ".spec.much", "priority": 1},
               {"name": "Bad", "type": "string", "jsonPath": ".spec[x"},
               {"name": "Made", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]
    names = {"kind": "CronTab", "plural": "crontabs"}
    tabs = [{"name": "v1", "additionalPrinterColumns": columns}, {"name": "v2"}]
    server.load({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                 "metadata": {"name": "crontabs.example.com"},
                 "spec": {"group": "example.com", "names": names, "versions": tabs}},
                {"apiVersion": "example.com/v1", "kind": "CronTab", "metadata": {"name": "x"},
                 "spec": {"cronSpec": "* * * * 5", "much": True}})
    where = "/apis/example.com/{}/namespaces/default/crontabs"
    for path in (where.format("v1"), where.format("v1") + "/x"):
        found = ask(server.url, path, headers=TABLE).json()
        assert [(one["name"], one["priority"]) for one in found["columnDefinitions"]] == [
            ("Name", 0), ("Spec", 0), ("Much", 1), ("Bad", 0), ("Made", 0)]
        *cells, age = found["rows"][0]["cells"]
        assert cells == ["x", "* * * * 5", "true", "<invalid>"] and re.fullmatch(r"\d+s", age)
    found = ask(server.url, where.format("v2"), headers=TABLE).json()
    assert [one["name"] for one in found["columnDefinitions"]] == ["Name", "Age"]


def test_a_list_as_a_table(server: FakeApiServer) -> None:
    for name in ("a", "b", "c"):
        server.create(pod(name))
    found = ask(server.url, f"{PODS}?limit=2", headers=TABLE).json()
    assert (found["kind"], found["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert found["metadata"]["remainingItemCount"] == 1
    names = [one["name"] for one in found["columnDefinitions"] if not one["priority"]]
    assert names == ["Name", "Ready", "Status", "Restarts", "Age"]
    assert [one["cells"][:4] for one in found["rows"]] == [
        ["a", "0/2", "Running", "0"], ["b", "0/2", "Running", "0"]]
    assert found["rows"][0]["object"]["metadata"]["name"] == "a"
    one = ask(server.url, f"{PODS}/c?includeObject=Object", headers=TABLE).json()
    assert one["rows"][0]["object"]["spec"]["containers"]


def container(ready: bool = True, restarts: int = 0, **state: Any) -> dict[str, Any]:
    return {"ready": ready, "restartCount": restarts, "state": state}


@pytest.mark.parametrize(("obj", "cells"), [
    (pod("x"), ["x", "0/2", "Running", "0"]),
    (pod("x", containerStatuses=[container(running={}, restarts=2), container(running={})]),
     ["x", "2/2", "Running", "2"]),
    (pod("x", containerStatuses=[container(False, 5, waiting={"reason": "CrashLoopBackOff"})]),
     ["x", "0/2", "CrashLoopBackOff", "5"]),
    (pod("x", containerStatuses=[container(False, terminated={"exitCode": 3})]),
     ["x", "0/2", "ExitCode:3", "0"]),
    (pod("x", containerStatuses=[container(running={}),
                                 container(False, terminated={"reason": "Completed"})]),
     ["x", "1/2", "NotReady", "0"]),
    (pod("x", phase="Pending", initContainerStatuses=[container(False, running={})]),
     ["x", "0/2", "Init:0/0", "0"]),
    (pod("x", initContainerStatuses=[container(terminated={"exitCode": 1, "reason": "Error"})]),
     ["x", "0/2", "Init:Error", "0"]),
    (pod("x", reason="Evicted", phase="Failed"), ["x", "0/2", "Evicted", "0"]),
], ids=lambda value: value[2] if isinstance(value, list) else "")
def test_how_pods_are_told(obj: dict[str, Any], cells: list[str]) -> None:
    assert row(obj, "", "pods")[:4] == cells
    going = {**obj, "metadata": {"name": "x", "deletionTimestamp": "2024-05-01T10:00:00Z"}}
    assert row(going, "", "pods")[2] == "Terminating"


@pytest.mark.parametrize(("group", "plural", "obj", "cells"), [
    ("", "nodes", {"metadata": {"name": "n", "labels": {"node-role.kubernetes.io/worker": ""}},
                   "spec": {"unschedulable": True},
                   "status": {"conditions": [{"type": "Ready", "status": "True"}],
                              "nodeInfo": {"kubeletVersion": "v1.36.0"}}},
     ["n", "Ready,SchedulingDisabled", "worker", "<unknown>", "v1.36.0"]),
    ("apps", "deployments", {"metadata": {"name": "d"}, "spec": {"replicas": 3},
                             "status": {"readyReplicas": 2, "updatedReplicas": 3}},
     ["d", "2/3", 3, 0, "<unknown>"]),
    ("", "services", {"metadata": {"name": "s"}, "spec": {
        "type": "NodePort", "clusterIP": "10.0.0.1", "ports": [{"port": 80, "nodePort": 30080}]}},
     ["s", "NodePort", "10.0.0.1", "<none>", "80:30080/TCP", "<unknown>"]),
    ("", "configmaps", {"metadata": {"name": "c"}, "data": {"a": "1"}, "binaryData": {"b": ""}},
     ["c", "2", "<unknown>"]),
    ("batch", "jobs", {"metadata": {"name": "j"}, "status": {
        "succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}],
        "startTime": "2024-05-01T10:00:00Z", "completionTime": "2024-05-01T10:03:20Z"}},
     ["j", "Complete", "1/1", "3m20s", "<unknown>"]),
    ("stable.example.com", "crontabs", {"metadata": {"name": "x"}}, ["x", "<unknown>"]),
    ("", "pods", {"metadata": {"name": "x"}, "spec": [], "status": {"containerStatuses": 3}},
     ["x", "<invalid>", "<invalid>", "<invalid>", "<unknown>"]),
])
def test_how_others_are_told(group: str, plural: str, obj: dict[str, Any],
                             cells: list[Any]) -> None:
    assert row(obj, group, plural) == cells


@pytest.mark.parametrize(("seconds", "text"), [
    (-5, "<invalid>"), (-0.5, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (200, "3m20s"),
    (600, "10m"), (3 * 3600 - 1, "179m"), (3 * 3600, "3h"), (5 * 3600 + 600, "5h10m"),
    (8 * 3600, "8h"), (48 * 3600, "2d"), (50 * 3600, "2d2h"), (8 * 86400, "8d"),
    (729 * 86400, "729d"), (740 * 86400, "2y10d"), (9 * 365 * 86400, "9y")])
def test_an_age_is_told_as_kubectl_tells_it(seconds: float, text: str) -> None:
    assert age(seconds) == text


def test_times_that_are_none() -> None:
    assert seconds_since("1970-01-01T00:01:00.000000Z", 100.0) == 40.0
    assert seconds_since("soon") is None and seconds_since(None) is None
    assert age_of({}) == "<unknown>"


def may(server: FakeApiServer, **attributes: str) -> bool:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes}}
    with server.api_client() as api_client:
        answer: Any = api_client.rest_client.request("POST", server.url + path, body=body, headers={
            "Content-Type": "application/json"})
    assert answer.status == 201
    allowed: bool = json.loads(answer.data or answer.read())["status"]["allowed"]
    return allowed


def test_a_client_may_ask_what_it_may_do(server: FakeApiServer) -> None:
    server.forbid("pods", verb="watch", namespace="shop")
    server.forbid("deployments")
    assert may(server, verb="list", resource="pods", namespace="shop")
    assert not may(server, verb="watch", resource="pods", namespace="shop")
    assert may(server, verb="watch", resource="pods")
    assert not may(server, verb="list", resource="deployments", group="apps")
