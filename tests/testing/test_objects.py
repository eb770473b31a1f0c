"""Creating, changing and deleting objects from Python and over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from kube_reflect.object_ref import ApiResource
from kube_reflect.testing import ApiStatusError, FakeApiServer

from ._raw import ask, names, pod

MERGE = {"Content-Type": "application/merge-patch+json"}
FOO = ApiResource("example.com", "v1", "Foo")
PODS = "/api/v1/namespaces/default/pods"


def refused(code: int, reason: str, call: Any, *args: Any) -> None:
    with pytest.raises(ApiStatusError) as caught:
        call(*args)
    assert (caught.value.code, caught.value.reason) == (code, reason)
    assert caught.value.status["code"] == code


def test_create_fills_in_what_the_server_fills_in(server: FakeApiServer) -> None:
    metadata = server.create(pod("web"))["metadata"]
    assert metadata["resourceVersion"] == server.resource_version
    assert metadata["uid"] and metadata["creationTimestamp"] and metadata["generation"] == 1


@pytest.mark.parametrize(("kind", "phase"), [
    ("Pod", "Pending"), ("Namespace", "Active"), ("PersistentVolumeClaim", "Pending")])
def test_what_has_no_phase_is_in_its_first_one(
    server: FakeApiServer, kind: str, phase: str,
) -> None:
    """As the API server has it; what comes after is told by others, such as the kubelet."""
    bare = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}}
    assert server.create(bare)["status"] == {"phase": phase}
    version = server.resource_version
    server.load(bare)
    assert server.resource_version == version, "nothing has changed"
    server.load({**bare, "status": {"phase": "Lost", "reason": "said"}})
    assert server.get(kind, "x")["status"] == {"phase": "Lost", "reason": "said"}
    server.load({**bare, "status": {"reason": "said"}})
    assert server.get(kind, "x")["status"]["phase"] == phase


def test_what_else_has_no_phase_gets_none(server: FakeApiServer) -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "x"}}
    assert "status" not in server.create(node)


def test_what_is_returned_is_a_copy(server: FakeApiServer) -> None:
    given = pod("web")
    server.create(given)["metadata"]["name"] = "other"
    given["spec"]["containers"].clear()
    server.objects("pods")[0]["metadata"]["labels"]["x"] = "y"
    assert server.get("pods", "web")["spec"]["containers"]
    assert "x" not in server.get("pods", "web")["metadata"]["labels"]


def test_generate_name(server: FakeApiServer) -> None:
    obj = pod("")
    obj["metadata"] = {"generateName": "web-"}
    made = {server.create(obj)["metadata"]["name"] for _ in range(5)}
    assert len(made) == 5 and all(name.startswith("web-") for name in made)


def test_create_twice_is_a_conflict(server: FakeApiServer) -> None:
    server.create(pod("web"))
    refused(409, "AlreadyExists", server.create, pod("web"))
    server.create(pod("web", "other"))
    assert ask(server.url, PODS, "POST", body=pod("web")).json()["reason"] == "AlreadyExists"


def test_update_of_an_old_version_is_a_conflict(server: FakeApiServer) -> None:
    old = server.create(pod("web"))
    server.update(pod("web", app="a"))
    refused(409, "Conflict", server.update, old)
    answer = ask(server.url, f"{PODS}/web", "PUT", body=old)
    assert (answer.status, answer.json()["reason"]) == (409, "Conflict")


def test_update_without_a_difference_is_none(server: FakeApiServer) -> None:
    before = server.create(pod("web"))
    assert server.update(pod("web")) == before
    assert server.resource_version == before["metadata"]["resourceVersion"]


def test_generation_grows_with_the_spec_only(server: FakeApiServer) -> None:
    server.register(FOO)
    foo: dict[str, Any] = {"apiVersion": "example.com/v1", "kind": "Foo",
                           "metadata": {"name": "a"}, "spec": {"n": 1}}
    server.create(foo)
    foo["status"] = {"ok": True}
    foo["metadata"]["labels"] = {"x": "y"}
    assert server.update(foo)["metadata"]["generation"] == 1
    foo["spec"] = {"n": 2}
    assert server.update(foo)["metadata"]["generation"] == 2


def test_merge_patch(server: FakeApiServer) -> None:
    server.create(pod("web", app="a", tier="b"))
    changed = server.patch("Pod", "web", {"metadata": {"labels": {"app": None, "x": "y"}}})
    assert changed["metadata"]["labels"] == {"tier": "b", "x": "y"}
    answer = ask(server.url, f"{PODS}/web", "PATCH", MERGE, {"spec": {"nodeName": "n"}})
    assert answer.json()["spec"]["nodeName"] == "n"
    assert ask(server.url, f"{PODS}/no", "PATCH", MERGE, {}).status == 404
    assert ask(server.url, f"{PODS}/web", "PATCH", {"Content-Type": "text/x"}, {}).status == 415


def test_status_is_written_by_itself(server: FakeApiServer) -> None:
    server.create(pod("web"))
    changed = {**pod("web", app="ignored"), "status": {"phase": "Running"}}
    answer = ask(server.url, f"{PODS}/web/status", "PUT", body=changed).json()
    assert answer["status"] == {"phase": "Running"}
    assert not answer["metadata"].get("labels")


def test_delete(server: FakeApiServer) -> None:
    server.create(pod("a"))
    server.create(pod("b"))
    gone = server.delete("pods", "a")
    assert gone["metadata"]["resourceVersion"] == server.resource_version
    server.delete(pod("b"))
    assert server.objects("pods") == []
    refused(404, "NotFound", server.delete, "pods", "a")
    refused(404, "NotFound", server.get, "pods", "a")


def test_delete_answers_with_a_status_or_the_object(server: FakeApiServer) -> None:
    server.create(pod("a"))
    server.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})
    assert ask(server.url, f"{PODS}/a", "DELETE").json()["kind"] == "Pod"
    answer = ask(server.url, "/api/v1/namespaces/default/configmaps/a", "DELETE").json()
    assert (answer["kind"], answer["status"]) == ("Status", "Success")


def test_delete_with_preconditions(server: FakeApiServer) -> None:
    server.create(pod("a"))
    options = {"preconditions": {"uid": "another"}}
    assert ask(server.url, f"{PODS}/a", "DELETE", body=options).status == 409
    assert names(server.objects("pods")) == ["a"]


def test_delete_collection(server: FakeApiServer) -> None:
    for name, app in (("a", "x"), ("b", "y"), ("c", "x")):
        server.create(pod(name, app=app))
    answer = ask(server.url, f"{PODS}?labelSelector=app%3Dx", "DELETE").json()
    assert names(answer["items"]) == ["a", "c"]
    assert names(server.objects("pods")) == ["b"]


def test_finalizers_hold_an_object(server: FakeApiServer) -> None:
    held = pod("a")
    held["metadata"]["finalizers"] = ["example.com/x"]
    server.create(held)
    assert server.delete(held)["metadata"]["deletionTimestamp"]
    assert names(server.objects("pods")) == ["a"]
    server.patch("pods", "a", {"metadata": {"finalizers": []}})
    assert server.objects("pods") == []


def test_cluster_scoped_objects_have_no_namespace(server: FakeApiServer) -> None:
    node = server.create({"apiVersion": "v1", "kind": "Node",
                          "metadata": {"name": "n", "namespace": "ignored"}})
    assert "namespace" not in node["metadata"]
    assert server.get("nodes", "n", "ignored") == node
    assert ask(server.url, "/api/v1/nodes/n").json() == node
    assert ask(server.url, "/api/v1/namespaces/x/nodes").status == 404


def test_objects_of_a_namespace_come_in_order(server: FakeApiServer) -> None:
    for namespace, name in (("b", "2"), ("a", "2"), ("a-b", "1"), ("a", "1")):
        server.create(pod(name, namespace))
    listed = [(one["metadata"]["namespace"], one["metadata"]["name"])
              for one in server.objects("pods")]
    # As etcd orders its keys: "a-b/1" comes before "a/1".
    assert listed == [("a-b", "1"), ("a", "1"), ("a", "2"), ("b", "2")]
    assert names(server.objects("pods", "a")) == ["1", "2"]


def test_unknown_kinds_are_a_mistake_of_the_caller(server: FakeApiServer) -> None:
    with pytest.raises(ValueError, match="register"):
        server.create({"apiVersion": "example.com/v1", "kind": "Foo", "metadata": {"name": "a"}})
    with pytest.raises(ValueError, match="register"):
        server.objects("foos")
    with pytest.raises(TypeError, match="mapping"):
        server.create("pod")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="metadata"):
        server.create({"apiVersion": "v1", "kind": "Pod"})
    with pytest.raises(TypeError, match="ApiResource"):
        server.register("foos")  # type: ignore[arg-type]


def test_a_name_in_several_groups_needs_the_resource(server: FakeApiServer) -> None:
    server.register(ApiResource("a.example.com", "v1", "Foo"))
    server.register(ApiResource("b.example.com", "v1", "Foo"))
    with pytest.raises(ValueError, match="may be"):
        server.objects("foos")
    assert server.objects("foos.a.example.com") == []
    assert server.objects(ApiResource("b.example.com", "v1", "Foo")) == []


def test_bodies_that_make_no_sense_are_refused(server: FakeApiServer) -> None:
    server.create(pod("web"))
    wrong: list[tuple[str, str, Any, int]] = [
        ("POST", PODS, [], 400),
        ("POST", PODS, {"metadata": {}}, 422),
        ("POST", PODS, pod("a", "other"), 400),
        ("POST", PODS, {**pod("a"), "kind": "Node"}, 400),
        ("POST", PODS, {"metadata": {"name": "a", "labels": {"n": 1}}}, 400),
        ("PUT", f"{PODS}/web", pod("other"), 400),
        ("PUT", PODS, pod("web"), 405),
        ("POST", "/api/v1/pods", pod("a"), 405),
        ("FOO", PODS, None, 405),
    ]
    assert [ask(server.url, path, method, body=body).status
            for method, path, body, _ in wrong] == [code for *_, code in wrong]
    bad = ask(server.url, PODS, "POST", {"Content-Type": "text/plain"}, {})
    assert bad.status == 415
