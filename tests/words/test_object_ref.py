"""kube_reflect.object_ref"""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest
from kubernetes import client
from kubernetes.dynamic.resource import ResourceField, ResourceInstance

from kube_reflect.object_ref import ApiResource, ObjectRef

POD = ApiResource("", "v1", "Pod", "pods", True)
NODE = ApiResource("", "v1", "Node", "nodes", False)
DEPLOYMENT = ApiResource("apps", "v1", "Deployment", "deployments", True)


@pytest.mark.parametrize(("resource", "api_version"), [
    (POD, "v1"),
    (DEPLOYMENT, "apps/v1"),
    (ApiResource("a.b.example", "v1beta1", "Thing"), "a.b.example/v1beta1"),
])
def test_api_version_goes_both_ways(resource: ApiResource, api_version: str) -> None:
    assert resource.api_version == api_version
    assert ApiResource.from_api_version(api_version, resource.kind, resource.plural,
                                        resource.namespaced) == resource


@pytest.mark.parametrize(("arguments", "error"), [
    (("", "", "Pod"), ValueError),
    (("", "v1", ""), ValueError),
    (("apps/v1", "v1", "Pod"), ValueError),
    (("", "apps/v1", "Pod"), ValueError),
    (("", "v1", "Pod", ""), ValueError),
    ((None, "v1", "Pod"), TypeError),
    (("", None, "Pod"), TypeError),
    (("", "v1", b"Pod"), TypeError),
    (("", "v1", "Pod", 1), TypeError),
    (("", "v1", "Pod", "pods", "yes"), TypeError),
])
def test_bad_api_resource(arguments: tuple[Any, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        ApiResource(*arguments)


@pytest.mark.parametrize("api_version", ["", "/v1", "apps/", "/", "a/b/c"])
def test_bad_api_version(api_version: str) -> None:
    with pytest.raises(ValueError, match="api_version"):
        ApiResource.from_api_version(api_version, "Pod")


def test_api_version_must_be_a_str() -> None:
    with pytest.raises(TypeError, match="api_version must be a str, not NoneType"):
        ApiResource.from_api_version(None, "Pod")  # type: ignore[arg-type]


@pytest.mark.parametrize(("ref", "text"), [
    (ObjectRef("my-pod", "my-namespace", resource=POD), "Pod.v1./my-pod.my-namespace"),
    (ObjectRef("my-deploy", "my-namespace", resource=DEPLOYMENT),
     "Deployment.v1.apps/my-deploy.my-namespace"),
    (ObjectRef("my-node", resource=NODE), "Node.v1./my-node"),
    (ObjectRef("my-pod", "my-namespace"), "my-pod.my-namespace"),
    (ObjectRef("my-node"), "my-node"),
])
def test_str(ref: ObjectRef, text: str) -> None:
    assert str(ref) == text


def test_equality_leaves_out_version_and_uid() -> None:
    ref = ObjectRef("a", "ns", resource=POD, resource_version="1", uid="x")
    same = ObjectRef("a", "ns", resource=ApiResource("", "v1", "Pod"), resource_version="2")
    assert ref == same
    assert hash(ref) == hash(same)
    assert {ref: 1}[same] == 1


@pytest.mark.parametrize("other", [
    ObjectRef("b", "ns", resource=POD),
    ObjectRef("a", "other", resource=POD),
    ObjectRef("a", resource=POD),
    ObjectRef("a", "ns", resource=ApiResource("", "v2", "Pod")),
    ObjectRef("a", "ns", resource=ApiResource("x", "v1", "Pod")),
    ObjectRef("a", "ns", resource=ApiResource("", "v1", "Service")),
    ObjectRef("a", "ns"),
    ("", "v1", "Pod", "ns", "a"),
    "Pod.v1./a.ns",
    None,
])
def test_inequality(other: object) -> None:
    assert ObjectRef("a", "ns", resource=POD) != other


def test_erased_matches_erased_only() -> None:
    ref = ObjectRef("a", "ns", resource=POD, resource_version="1", uid="x")
    erased = ref.erased()
    assert erased == ObjectRef("a", "ns") == ObjectRef("a", "ns", resource=NODE).within(
        "ns").erased().within("ns")
    assert erased != ref
    assert (erased.resource, erased.resource_version, erased.uid) == (None, None, None)


def test_is_frozen() -> None:
    ref = ObjectRef("a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        ref.name = "b"  # type: ignore[misc]
    assert not hasattr(ref, "__dict__")


def test_match_takes_it_apart() -> None:
    match ObjectRef("a", "ns"):
        case ObjectRef(name, namespace):
            assert (name, namespace) == ("a", "ns")


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy,
                                    lambda ref: pickle.loads(pickle.dumps(ref))])
def test_copies(copied: Any) -> None:
    ref = ObjectRef("a", "ns", resource=POD, resource_version="1", uid="x")
    assert copied(ref) == ref
    assert repr(copied(ref)) == repr(ref)


def test_within() -> None:
    ref = ObjectRef("a", resource=POD, resource_version="1", uid="x")
    there = ref.within("ns")
    assert there == ObjectRef("a", "ns", resource=POD)
    assert (there.resource_version, there.uid) == ("1", "x")
    assert ref.namespace is None
    assert there.within(None) == there.within("") == ref


def test_empty_namespace_is_none() -> None:
    assert ObjectRef("a", "").namespace is None
    assert ObjectRef("a", "") == ObjectRef("a")


def test_a_kind_without_namespaces_has_none() -> None:
    assert ObjectRef("n", "default", resource=NODE) == ObjectRef("n", resource=NODE)
    assert ObjectRef("n", resource=NODE).within("default").namespace is None


@pytest.mark.parametrize(("name", "keywords", "error"), [
    ("", {}, ValueError),
    (None, {}, TypeError),
    (7, {}, TypeError),
    ("a", {"namespace": 7}, TypeError),
    ("a", {"resource": "Pod"}, TypeError),
    ("a", {"resource_version": 7}, TypeError),
    ("a", {"uid": 7}, TypeError),
])
def test_bad_ref(name: Any, keywords: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        ObjectRef(name, **keywords)


WIRE_POD = {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "a", "namespace": "ns", "uid": "x", "resourceVersion": "7"}}
MODEL_POD = client.V1Pod(api_version="v1", kind="Pod", metadata=client.V1ObjectMeta(
    name="a", namespace="ns", uid="x", resource_version="7"))
FIELD_POD = ResourceField(WIRE_POD)
INSTANCE_POD = ResourceInstance(None, WIRE_POD)


@pytest.mark.parametrize("obj", [WIRE_POD, MODEL_POD, FIELD_POD, INSTANCE_POD],
                         ids=["mapping", "model", "field", "instance"])
def test_from_object(obj: Any) -> None:
    ref = ObjectRef.from_object(obj)
    assert ref == ObjectRef("a", "ns", resource=POD)
    assert (ref.uid, ref.resource_version) == ("x", "7")


@pytest.mark.parametrize("obj", [
    {"metadata": {"name": "a", "namespace": "ns"}},
    {"apiVersion": "", "kind": None, "metadata": {"name": "a", "namespace": "ns"}},
    client.V1Pod(metadata=client.V1ObjectMeta(name="a", namespace="ns")),
], ids=["mapping", "nulls", "model"])
def test_from_an_item_of_a_list(obj: Any) -> None:
    assert ObjectRef.from_object(obj) == ObjectRef("a", "ns")
    assert ObjectRef.from_object(obj, POD) == ObjectRef("a", "ns", resource=POD)


def test_from_metadata_alone() -> None:
    obj = {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
           "metadata": {"name": "a", "namespace": "ns", "uid": "u"}}
    ref = ObjectRef.from_object(obj)
    assert (ref.resource, ref.uid) == (None, "u")
    assert ObjectRef.from_object(obj, POD) == ObjectRef("a", "ns", resource=POD)


def test_the_resource_given_wins() -> None:
    assert ObjectRef.from_object(WIRE_POD, DEPLOYMENT).resource is DEPLOYMENT


@pytest.mark.parametrize("obj", [
    {}, {"metadata": None}, {"metadata": {}}, {"metadata": {"name": ""}},
    {"metadata": {"generateName": "a-"}}, client.V1Pod(), None, "pod",
    client.V1Pod(metadata=client.V1ObjectMeta())], ids=repr)
def test_from_object_without_a_name(obj: Any) -> None:
    with pytest.raises(ValueError, match=r"metadata\.name"):
        ObjectRef.from_object(obj)


OWNER = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d", "uid": "u",
         "controller": True}
MODEL_OWNER = client.V1OwnerReference(api_version="apps/v1", kind="Deployment", name="d", uid="u")


@pytest.mark.parametrize("owner", [OWNER, MODEL_OWNER], ids=["mapping", "model"])
def test_from_owner_reference(owner: Any) -> None:
    ref = ObjectRef.from_owner_reference(owner, "ns")
    assert ref == ObjectRef("d", "ns", resource=DEPLOYMENT)
    assert (ref.uid, ref.resource_version) == ("u", None)
    assert ObjectRef.from_owner_reference(owner, "ns", DEPLOYMENT) == ref


@pytest.mark.parametrize("resource", [
    POD, ApiResource("apps", "v1", "ReplicaSet"), ApiResource("extensions", "v1", "Deployment"),
], ids=lambda resource: f"{resource.api_version}.{resource.kind}")
def test_an_owner_of_another_kind_is_none(resource: ApiResource) -> None:
    assert ObjectRef.from_owner_reference(OWNER, "ns", resource) is None


def test_an_owner_of_another_version_is_the_same_object() -> None:
    old = {**OWNER, "apiVersion": "apps/v1beta2"}
    ref = ObjectRef.from_owner_reference(old, "ns", DEPLOYMENT)
    assert ref == ObjectRef("d", "ns", resource=DEPLOYMENT)


def test_an_owner_without_namespace() -> None:
    owner = {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u"}
    assert ObjectRef.from_owner_reference(owner, "ns", NODE) == ObjectRef("n", resource=NODE)


@pytest.mark.parametrize("missing", ["apiVersion", "kind", "name"])
def test_a_broken_owner_reference(missing: str) -> None:
    owner = {key: value for key, value in OWNER.items() if key != missing}
    with pytest.raises(ValueError, match="owner reference"):
        ObjectRef.from_owner_reference(owner, "ns")


def test_to_object_reference() -> None:
    ref = ObjectRef("d", "ns", resource=DEPLOYMENT, resource_version="7", uid="u")
    assert ref.to_object_reference() == {
        "apiVersion": "apps/v1", "kind": "Deployment", "name": "d", "namespace": "ns",
        "resourceVersion": "7", "uid": "u"}
    assert ObjectRef("n").to_object_reference() == {"name": "n"}


def test_object_reference_has_the_keys_of_the_api() -> None:
    ref = ObjectRef("d", "ns", resource=DEPLOYMENT, resource_version="7", uid="u")
    known = set(client.V1ObjectReference.attribute_map.values())
    assert set(ref.to_object_reference()) <= known
