"""kube_reflect.transforms"""

from __future__ import annotations

import random
import copy
from typing import Any

import pytest

from kube_reflect import Apply, drop_last_applied, drop_managed_fields, keep
from kube_reflect.streams import modify

from tests.support.cache_helpers import feed, listed
from tests.support.objects import pod

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def rich(**metadata: Any) -> dict[str, Any]:
    """A pod with a bit of everything."""
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "a", "namespace": "ns", "uid": "u", "resourceVersion": "1",
            "labels": {"app": "web"}, "managedFields": [{"manager": "kubectl"}],
            "annotations": {LAST_APPLIED: "{}", "example.com/owner": "me"},
            "generation": 3, **metadata},
        "spec": {"nodeName": "n1", "containers": [
            {"name": "main", "image": "nginx", "ports": [{"containerPort": 80}, {"name": "x"}]},
            {"name": "side", "image": "envoy"}]},
        "status": {"phase": "Running", "podIP": "10.0.0.1"},
    }


IDENTITY = {"apiVersion": "v1", "kind": "Pod", "metadata": {
    "name": "a", "namespace": "ns", "uid": "u", "resourceVersion": "1", "labels": {"app": "web"}}}


def check_unchanged(transform: Any, obj: dict[str, Any]) -> dict[str, Any]:
    """Check that a transform leaves what it is given as it is; return what it makes."""
    before = copy.deepcopy(obj)
    found = transform(obj)
    assert obj == before and type(found) is dict
    return found  # type: ignore[no-any-return]


def test_managed_fields_are_dropped_and_nothing_else() -> None:
    expected = rich()
    del expected["metadata"]["managedFields"]
    assert check_unchanged(drop_managed_fields, rich()) == expected
    assert check_unchanged(drop_managed_fields, expected) == expected


def test_the_last_applied_configuration_is_dropped_and_nothing_else() -> None:
    expected = rich(annotations={"example.com/owner": "me"})
    assert check_unchanged(drop_last_applied, rich()) == expected
    assert check_unchanged(drop_last_applied, expected) == expected


def test_annotations_go_with_the_last_of_them() -> None:
    found = check_unchanged(drop_last_applied, rich(annotations={LAST_APPLIED: "{}"}))
    assert "annotations" not in found["metadata"]
    assert found["metadata"]["generation"] == 3


@pytest.mark.parametrize("obj", [
    {}, {"metadata": None}, {"metadata": {}}, {"metadata": []},
    {"metadata": {"annotations": None}}, {"metadata": {"annotations": [LAST_APPLIED]}}])
@pytest.mark.parametrize("transform", [drop_managed_fields, drop_last_applied])
def test_what_has_nothing_to_drop_stays_as_it_is(transform: Any, obj: dict[str, Any]) -> None:
    assert check_unchanged(transform, obj) == obj


def test_one_can_be_put_after_the_other() -> None:
    found = drop_last_applied(drop_managed_fields(rich()))
    assert found["metadata"]["annotations"] == {"example.com/owner": "me"}
    assert "managedFields" not in found["metadata"]


def test_a_projection_always_keeps_what_the_store_needs() -> None:
    assert check_unchanged(keep(), rich()) == IDENTITY


def test_a_projection_keeps_what_is_named() -> None:
    found = check_unchanged(keep("spec.nodeName", "status.phase"), rich())
    assert found == {**IDENTITY, "spec": {"nodeName": "n1"}, "status": {"phase": "Running"}}


@pytest.mark.parametrize(("paths", "expected"), [
    (["spec"], {"spec": rich()["spec"]}),
    (["spec", "spec.nodeName"], {"spec": rich()["spec"]}),
    (["spec.nodeName", "spec"], {"spec": rich()["spec"]}),
    (["spec.containers"], {"spec": {"containers": rich()["spec"]["containers"]}}),
    (["spec.containers[]"], {"spec": {"containers": rich()["spec"]["containers"]}}),
    (["spec.containers[].image"],
     {"spec": {"containers": [{"image": "nginx"}, {"image": "envoy"}]}}),
    (["spec.containers[].image", "spec.containers[].name"],
     {"spec": {"containers": [{"image": "nginx", "name": "main"},
                              {"image": "envoy", "name": "side"}]}}),
    (["spec.containers[].ports[].containerPort"],
     {"spec": {"containers": [{"ports": [{"containerPort": 80}, {}]}, {}]}}),
    (["spec.containers", "spec.containers[].name"],
     {"spec": {"containers": rich()["spec"]["containers"]}}),
    (["spec.missing", "status.missing.deeper", "missing"], {"spec": {}, "status": {}}),
    (["spec.nodeName.deeper", "spec.nodeName[].deeper"], {"spec": {}}),
    (["spec.containers.image"], {"spec": {}}),
])
def test_paths(paths: list[str], expected: dict[str, Any]) -> None:
    if paths[0] == "spec.nodeName.deeper":
        paths = paths[:1]
    assert check_unchanged(keep(*paths), rich()) == {**IDENTITY, **expected}


def test_more_of_the_metadata_can_be_kept() -> None:
    found = keep("metadata.annotations", "metadata.generation")(rich())
    assert found["metadata"] == {**IDENTITY["metadata"],  # type: ignore[dict-item]
                                 "annotations": rich()["metadata"]["annotations"],
                                 "generation": 3}
    assert keep("metadata")(rich())["metadata"] == rich()["metadata"]


def test_a_dot_in_a_key_has_a_backslash_before_it() -> None:
    found = keep(r"metadata.annotations.example\.com/owner")(rich())
    assert found["metadata"]["annotations"] == {"example.com/owner": "me"}


def test_elements_that_are_no_mappings_have_no_fields() -> None:
    obj = {**IDENTITY, "spec": {"list": [1, {"a": 2, "b": 3}, None], "none": None}}
    found = keep("spec.list[].a", "spec.none.a", "spec.none")(obj)
    assert found["spec"] == {"list": [{"a": 2}], "none": None}


def test_what_has_no_metadata_is_projected_too() -> None:
    assert keep("a.b")({"a": {"b": 1, "c": 2}, "d": 3}) == {"a": {"b": 1}}


@pytest.mark.parametrize("path", [
    "", ".", ".spec", "spec.", "spec..nodeName", "[]", "spec.[].image", "spec[0].a", "spec[",
    "spec]", "spec[]image", "spec[][]", "spec\\", "spec.containers[*].image"])
def test_malformed_paths_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        keep("spec.nodeName", path)


def test_paths_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="'containers' is a list"):
        keep("spec.containers[].name", "spec.containers.image")


@pytest.mark.parametrize("path", [None, 7, b"spec", ["spec"]])
def test_paths_that_are_no_strings_are_refused(path: Any) -> None:
    with pytest.raises(TypeError, match="path"):
        keep(path)


@pytest.mark.parametrize("transform", [
    drop_managed_fields, drop_last_applied, keep("spec.nodeName"),
    lambda obj: drop_last_applied(drop_managed_fields(obj))])
def test_they_fit_a_writer_and_a_stream(transform: Any) -> None:
    writer, store = listed(rich(), transform=transform)
    assert store.get("a", "ns") == transform(rich()) != rich()
    assert store.state(labels="app=web") and store.keys()[0].uid is None
    [event] = modify([Apply(rich())], transform)
    feed(writer, event)
    assert store.get("a", "ns") == transform(rich())


def test_a_small_object_is_smaller_at_rest() -> None:
    # Such as compression makes nothing of.
    managed = [{"fieldsV1": random.Random(1).randbytes(1000).hex()}]
    _, whole = listed(rich(managedFields=managed))
    _, slim = listed(rich(managedFields=managed), transform=drop_managed_fields)
    assert slim.memory().bytes_at_rest < whole.memory().bytes_at_rest - 1000
    assert pod("a") == drop_managed_fields(pod("a"))
