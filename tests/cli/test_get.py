"""``get``: the server's columns, other forms, names, selectors, and what is not there."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from kube_reflect import ApiResource
from kube_reflect.cli import _lines, main
from kube_reflect.testing import FakeApiServer
from kube_reflect.testing.columns import Column

from ._running import followed, pod

DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "crontabs.stable.example.com"},
    "spec": {"group": "stable.example.com", "scope": "Namespaced",
             "names": {"plural": "crontabs", "kind": "CronTab", "shortNames": ["ct"]},
             "versions": [{"name": "v1", "served": True, "additionalPrinterColumns": [
                 {"name": "Spec", "type": "string", "jsonPath": ".spec.cronSpec"},
                 {"name": "Hidden", "type": "string", "jsonPath": ".spec.x", "priority": 1},
                 {"name": "Ready", "type": "string",
                  "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
                 {"name": "Age", "type": "date",
                  "jsonPath": ".metadata.creationTimestamp"}]}]},
}
CRON_TAB = {"apiVersion": "stable.example.com/v1", "kind": "CronTab",
            "metadata": {"name": "nightly", "namespace": "here"},
            "spec": {"cronSpec": "0 3 * * *"},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]}}

pytestmark = pytest.mark.usefixtures("at_hand")
Capture = pytest.CaptureFixture[str]


def shown(capsys: Capture, *args: str, code: int = 0) -> list[list[str]]:
    """Run it, and return the words of each line."""
    assert main(["get", *args]) == code
    return [line.split() for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("name", ["pods", "pod", "po", "Pod", "PODS", "pods.v1"])
def test_a_resource_by_any_name(name: str, capsys: Capture) -> None:
    heading, *rows = shown(capsys, name, "-n", "here")
    assert heading == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert len(rows) == 20 and rows[0][:4] == ["pod-0", "0/0", "Running", "0"]


@pytest.mark.parametrize("name", [
    "deployments", "deploy", "deployment.apps", "deployments.v1.apps", "deploy.v1.apps"])
def test_a_resource_of_a_group(name: str, server: FakeApiServer, capsys: Capture) -> None:
    server.create({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
                   "spec": {"replicas": 3}})
    assert shown(capsys, name)[1][:4] == ["web", "0/3", "0", "0"]


def test_custom_resources(server: FakeApiServer, capsys: Capture) -> None:
    server.load([DEFINITION, CRON_TAB])
    # The fake server has no more columns for them.
    assert [row[0] for row in shown(capsys, "ct", "-n", "here")] == ["NAME", "nightly"]
    for name in ("crontab.stable.example.com", "crontabs.v1.stable.example.com"):
        assert shown(capsys, name, "-n", "here", "-o", "name") == [
            ["crontab.stable.example.com/nightly"]]
    # What follows the cluster prints by itself, as the definition says.
    lines = [line.split() for line in followed(
        capsys, "get", "ct", "-A", "-w", lines=2).splitlines()]
    assert lines[0] == ["EVENT", "NAMESPACE", "NAME", "SPEC", "READY", "AGE"]
    assert lines[1][:9] == ["ADDED", "here", "nightly", "0", "3", "*", "*", "*", "True"]


def test_where_and_which(server: FakeApiServer, capsys: Capture) -> None:
    server.create(pod("web-0", "there", app="web"))
    server.create(pod("pod-0", "there"))
    assert len(shown(capsys, "pods", "-A")) == 23
    assert shown(capsys, "pods", "-A", "-l", "app=web")[1][:2] == ["there", "web-0"]
    fields = "metadata.name=pod-0,metadata.namespace!=here"
    assert shown(capsys, "pods", "-A", "--field-selector", fields)[1][:2] == ["there", "pod-0"]
    wide = shown(capsys, "pod/web-0", "-n", "there", "-o", "wide")
    assert wide[0][-2:] == ["IP", "NODE"]


def test_several_names_are_one_table(capsys: Capture) -> None:
    rows = shown(capsys, "pods", "pod-1", "pod-7", "-n", "here")
    assert [row[0] for row in rows] == ["NAME", "pod-1", "pod-7"]


def test_several_resources(server: FakeApiServer, capsys: Capture) -> None:
    server.create({"apiVersion": "v1", "kind": "Service", "metadata": {
        "name": "web", "namespace": "here"}, "spec": {"clusterIP": "10.0.0.1"}})
    rows = shown(capsys, "svc,pods,cm", "-n", "here")
    assert rows[0][:2] == ["NAME", "TYPE"] and rows[1][0] == "service/web" and rows[2] == []
    assert rows[4][0] == "pod/pod-0"


def test_pages(server: FakeApiServer, capsys: Capture) -> None:
    for number in range(1100):
        server.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{number}"}})
    assert len(shown(capsys, "cm")) == 1101
    assert len(shown(capsys, "cm", "-o", "name")) == 1100


def test_json_and_yaml(capsys: Capture) -> None:
    assert main(["get", "pods", "-n", "here", "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], len(found["items"])) == ("List", 20)
    assert (found["items"][0]["kind"], found["items"][0]["apiVersion"]) == ("Pod", "v1")
    assert main(["get", "pod/pod-3", "-n", "here", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["metadata"]["name"] == "pod-3"
    assert main(["get", "pods", "pod-3", "-n", "here", "-o", "yaml"]) == 0
    assert "\nmetadata:\n  name: pod-3\n" in capsys.readouterr().out


def test_custom_columns(server: FakeApiServer, capsys: Capture) -> None:
    server.create({**pod("x", "there", app="a.b"), "spec": {"containers": [
        {"name": "a", "image": "one"}, {"name": "b", "image": "two"}], "hostNetwork": True}})
    columns = ("custom-columns=POD:.metadata.name,IMAGES:{.spec.containers[*].image},"
               "FIRST:.spec.containers[0].name,B:.spec.containers[?(@.name=='b')].image,"
               "HOST:.spec.hostNetwork,APP:.metadata.labels['app'],NODE:.spec.nodeName")
    assert shown(capsys, "pods", "-n", "there", "-o", columns) == [
        ["POD", "IMAGES", "FIRST", "B", "HOST", "APP", "NODE"],
        ["x", "one,two", "a", "two", "true", "a.b", "<none>"]]


def test_nothing_there(capsys: Capture) -> None:
    assert main(["get", "pods", "-n", "nowhere"]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("", "No resources found in namespace nowhere.\n")
    assert main(["get", "pods", "-n", "nowhere", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["items"] == []


@pytest.mark.parametrize(("args", "told"), [
    (["pods", "nothing", "pod-1"], 'HTTP 404: pods "nothing" not found'),
    (["dwarves"], "the server has no resource 'dwarves'"),
    (["pods.apps"], "the server has no resource 'pods.apps'"),
    (["deplyo"], "the server has no resource 'deplyo'; did you mean 'deploy'?"),
    (["secrets"], "HTTP 403: secrets is forbidden: "),
    (["pods", "pod-1", "-A"], "an object cannot be had by its name across all namespaces"),
    (["pod/a", "pods"], "RESOURCE/NAME is needed, as the others are, not 'pods'"),
    (["pods,cm", "-w"], "only one resource, or one object, can be watched at a time"),
    (["secrets", "-w"], "secrets: "),
    (["podmetrics", "-w"], "pods.metrics.k8s.io cannot be watched: the server serves only get, "),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_what_goes_wrong_is_told_in_one_line(
        args: list[str], told: str, server: FakeApiServer, capsys: Capture) -> None:
    server.forbid("secrets")
    server.register(ApiResource("metrics.k8s.io", "v1beta1", "PodMetrics", "pods", True),
                    verbs=("get", "list"))
    where = [] if "-A" in args else ["-n", "here"]
    assert main(["get", *args, *where]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"kube-reflect: {told}") and err.count("\n") == 1


@pytest.mark.parametrize(("args", "told"), [
    ([], "the following arguments are required: RESOURCE"),
    (["pods", "-o", "xml"], "'xml' is none of wide, json, yaml, name"),
    (["pods", "-o", "custom-columns=A"], "a column is NAME:.path, not 'A'"),
    (["pods", "-o", "custom-columns=A:.x[y]"], "is no path: '[y]' is not understood"),
    (["pods", "-l", "a in"], "no label selector: "),
    (["pods", "--field-selector", "a"], "no field selector: "),
    (["pods", "-n", "x", "-A"], "not allowed with argument"),
    (["pods", "--seconds", "-1"], "a number of seconds above 0 is needed"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_wrong_arguments(args: list[str], told: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["get", *args])
    assert caught.value.code == 2
    assert told in capsys.readouterr().err


def test_a_server_without_tables(server: FakeApiServer, capsys: Capture,
                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kube_reflect.cli._get._TABLE", "application/json")
    rows = shown(capsys, "pods", "-A")
    assert rows[0] == ["NAMESPACE", "NAME", "AGE"] and rows[1][:2] == ["here", "pod-0"]


def test_watching_prints_changes(server: FakeApiServer, capsys: Capture) -> None:
    def change(request: Any) -> None:
        server.create(pod("new"))
        server.patch("pods", "new", {"status": {"phase": "Failed"}}, "here")
        server.delete("pods", "new", "here")

    def follow() -> None:
        change(server.wait_for_request(lambda request: request.verb == "watch"))

    thread = threading.Thread(target=follow)
    thread.start()
    lines = shown(capsys, "pods", "-n", "here", "-w", "--seconds", "4")
    thread.join()
    assert lines[0] == ["EVENT", "NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert [line[:2] for line in lines if "pod-4" in line] == [["ADDED", "pod-4"]]
    # Of what comes and goes at once, not every state need be told.
    assert all(line[0] in ("ADDED", "MODIFIED", "DELETED") for line in lines[1:])
    assert len(lines) >= 21


def test_rows_of_later_events_stand_in_the_same_columns(capsys: Capture) -> None:
    rows = _lines.Rows([Column("Name", lambda obj: obj["name"])], ["NAME"])
    rows.show("ADDED", {"name": "pod-0"})
    rows.all_listed()
    for event in ("MODIFIED", "DELETED"):
        rows.show(event, {"name": "pod-0"})
    assert capsys.readouterr().out.splitlines() == [
        "EVENT      NAME", "ADDED      pod-0", "MODIFIED   pod-0", "DELETED    pod-0"]
