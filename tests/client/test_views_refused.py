"""Views of what the client would refuse, of what cannot be parsed, and reads that are cut short."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import sys
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import client

from kube_reflect import FieldError
from kube_reflect.client.views import documents, view_maker

from ._views import PYDANTIC, Source, eager

NODE = {"metadata": {"name": "node-1", "labels": {"a": "b"}}, "spec": {"drivers": None}}
DEEP = b"[" * 2500 + b"1" + b"]" * 2500


def csi_node(data: Any = NODE) -> Any:
    return view_maker(client.V1CSINode)(Source(data, "CSINode.v1.storage.k8s.io/node-1"))


def pod(data: Any) -> Any:
    return view_maker(client.V1Pod)(Source(data))


def test_a_field_is_refused_where_it_is_read_and_the_rest_is_read() -> None:
    node = csi_node()
    assert node.metadata.name == "node-1" and isinstance(node.spec, client.V1CSINodeSpec)
    for _ in range(2):
        with pytest.raises(FieldError) as raised:
            node.spec.drivers
        assert str(raised.value) == ("CSINode.v1.storage.k8s.io/node-1: "
                                     "spec.drivers: should be a list, is null")
        assert raised.value.field == "spec.drivers"
    for hiding in (lambda: hasattr(node.spec, "drivers"), lambda: getattr(node.spec, "drivers", 1)):
        with pytest.raises(FieldError):
            hiding()


CONTAINER = {"name": "a", "image": "b"}
REASONS = [
    ({"spec": {}}, lambda pod: pod.spec.containers,
     "spec.containers: should be a list, is missing"),
    ({"spec": []}, lambda pod: pod.spec, "spec: should be an object, is a list"),
    ({"spec": {"containers": "x"}}, lambda pod: pod.spec.containers,
     "spec.containers: should be a list, is a string"),
    ({"spec": {"containers": [CONTAINER, 1]}}, lambda pod: pod.spec.containers,
     "spec.containers[1]: should be an object, is a number"),
    ({"spec": {"containers": [CONTAINER, {"image": "x"}]}},
     lambda pod: pod.spec.containers[1].name,
     "spec.containers[1].name: should be a string, is missing"),
    ({"spec": {"priority": "high"}}, lambda pod: pod.spec.priority,
     "spec.priority: should be an integer, is a string"),
]


@pytest.mark.parametrize(("data", "read", "reason"), REASONS)
def test_the_reason_is_one_line(data: Any, read: Callable[[Any], Any], reason: str) -> None:
    with pytest.raises(FieldError) as raised:
        read(pod(data))
    assert str(raised.value) == f"Pod.v1./one.default: {reason}"
    assert raised.value.__cause__ is not None


@pytest.mark.skipif(not PYDANTIC, reason="up to 36 the client takes these")
@pytest.mark.parametrize(("data", "read", "reason"), [
    ({"metadata": {"labels": {"x": 1}}}, lambda pod: pod.metadata.labels,
     "metadata.labels.x: should be a valid string"),
    ({"metadata": {"labels": {"a.b/c\n": 1}}}, lambda pod: pod.metadata.labels,
     "metadata.labels['a.b/c\\n']: should be a valid string"),
    ({"spec": {"dnsConfig": {"nameservers": ["a", None]}}},
     lambda pod: pod.spec.dns_config.nameservers,
     "spec.dnsConfig.nameservers[1]: should be a valid string"),
    ({"metadata": {"name": 5}}, lambda pod: pod.metadata.name,
     "metadata.name: should be a string, is a number"),
    ({"spec": {"containers": [None]}}, lambda pod: pod.spec.containers,
     "spec.containers[0]: should be an object, is null"),
])
def test_the_reason_names_what_is_within(
        data: Any, read: Callable[[Any], Any], reason: str) -> None:
    with pytest.raises(FieldError) as raised:
        read(pod(data))
    assert str(raised.value) == f"Pod.v1./one.default: {reason}"


def test_a_time_that_is_none_is_refused_by_itself() -> None:
    found = pod({"metadata": {"name": "x", "creationTimestamp": "yesterday noon"}})
    with pytest.raises(FieldError, match="metadata.creationTimestamp: .") as raised:
        found.metadata.creation_timestamp
    assert "\n" not in str(raised.value) and found.metadata.name == "x"


def test_a_message_never_shows_a_secret() -> None:
    for data in ({"password": ["hunter2"]}, "hunter2", ["hunter2"], {"password": {"x": "hunter2"}}):
        secret = view_maker(client.V1Secret)(Source({"data": data}, "Secret.v1./x.y"))
        try:
            secret.data
        except FieldError as error:
            assert "hunter2" not in str(error)
        else:
            assert not PYDANTIC


def test_the_whole_is_what_it_is_without_validation() -> None:
    for read in (lambda node: None, lambda node: node.spec.to_dict(), lambda node: node.metadata):
        node = csi_node()
        read(node)
        assert node.to_dict()["spec"] == {"drivers": None}
        assert node.to_dict()["metadata"]["name"] == "node-1"
        assert "drivers" in repr(node) and "node-1" in str(node)
        assert node == csi_node() and csi_node() == node
        assert node != csi_node({"metadata": {"name": "node-2"}, "spec": {"drivers": None}})
        for copied in (copy.copy(node), copy.deepcopy(node), pickle.loads(pickle.dumps(node))):
            assert copied == node and copied.metadata.labels == {"a": "b"}
            assert copied.spec.to_dict() == {"drivers": None}
        # None of which makes the field readable.
        with pytest.raises(FieldError):
            node.spec.drivers


def test_what_is_refused_is_not_sent() -> None:
    with pytest.raises(FieldError, match="spec.drivers: should be a list, is null"):
        client.ApiClient().sanitize_for_serialization(csi_node())


def test_a_refused_field_can_be_set() -> None:
    node = csi_node()
    node.spec.drivers = []
    expected = eager(client.V1CSINode, {**NODE, "spec": {"drivers": []}})
    assert node.spec.drivers == [] and node == expected
    send = client.ApiClient().sanitize_for_serialization
    assert send(node) == send(expected)


@pytest.mark.parametrize("value", [DEEP, b"1" + b"0" * 5000], ids=["deep", "digits"])
def test_what_no_parser_reads_is_an_error_of_its_field_only(value: bytes) -> None:
    text = (b'{"metadata": {"name": "x", "labels": {"a": "b"}, "managedFields": [{"fieldsV1": '
            b'{"f": %s}, "manager": "m"}]}, "spec": {"containers": [], "priority": 3}}' % value)
    found = pod(text)
    assert found.metadata.name == "x" and found.metadata.labels == {"a": "b"}
    assert found.spec.containers == [] and found.spec.priority == 3
    entry = found.metadata.managed_fields[0]
    assert entry.manager == "m"
    for read in (lambda: entry.fields_v1, lambda: found.to_dict(), lambda: found == pod(text)):
        try:
            read()
        except FieldError as error:
            assert str(error).startswith(
                "Pod.v1./one.default: metadata.managedFields[0].fieldsV1: ")
            assert "\n" not in str(error) and len(str(error)) < 300
        except RecursionError:
            # Newer parsers read it; then it is the client itself that goes too deep.
            assert sys.version_info >= (3, 12)


def test_whoever_has_no_stack_left_is_told_so() -> None:
    data, found = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [CONTAINER]}}, None

    def read_at_the_bottom(left: int) -> Any:
        return read_at_the_bottom(left - 1) if left else found.metadata.labels

    reached = failed = 0
    depth = sys.getrecursionlimit() - 150
    for left in range(depth, depth + 150, 3):
        documents._recent.clear()
        found = pod(data)
        try:
            assert read_at_the_bottom(left) == {"a": "b"}
            reached += 1
        except RecursionError:
            failed += 1
        assert found.metadata.labels == {"a": "b"}
        assert found == eager(client.V1Pod, data)
    assert reached and failed


class Cut(Exception):
    """Comes from outside."""


class CutAsValue(ValueError):
    """Comes from outside, and looks like what a parser raises."""


def in_inspect(frame: Any) -> bool:
    """Whether client 36 looks at a signature: that takes any error for its own."""
    while frame is not None and frame.f_code.co_filename != inspect.__file__:
        frame = frame.f_back
    return frame is not None


def cut_short(at: int, what: type[BaseException], read: Callable[[], Any]) -> bool:
    """Raise at the at-th call or return; return whether it came so far."""
    count = 0

    def profile(frame: Any, event: str, _: Any) -> None:
        nonlocal count
        if event in ("call", "c_return") and not in_inspect(frame):
            count += 1
            if count == at:
                raise what("from outside")

    # Callbacks of the garbage collector, such as hypothesis has, swallow everything.
    gc.disable()
    try:
        # (On 3.15 it may see its own setting return.)
        sys.setprofile(profile)
        read()
    except what as cut:
        assert str(cut) == "from outside"
        return True
    finally:
        sys.setprofile(None)
        gc.enable()
    assert count < at, "it was swallowed"
    return False


@pytest.mark.parametrize("what", [Cut, CutAsValue, KeyboardInterrupt, RecursionError, TypeError])
@pytest.mark.parametrize("read", [
    lambda pod: (pod.metadata.name, pod.spec.containers[0].image, pod.metadata.labels),
    lambda pod: pod.to_dict(),
    lambda pod: (pod.metadata.name, pod.status.conditions, vars(pod)),
], ids=["fields", "whole", "both"])
@pytest.mark.parametrize(("first", "step"), [
    (60, 17), pytest.param(150, 7, marks=pytest.mark.slow)])
def test_a_read_that_is_cut_short_leaves_nothing_wrong(
        first: int, step: int, what: type[BaseException], read: Callable[[Any], Any]) -> None:
    data = {"metadata": {"name": "x", "labels": {"a": "b"}}, "status": {"conditions": [
        {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-22T08:17:04Z"}]},
        "spec": {"containers": [CONTAINER]}}
    expected = eager(client.V1Pod, data)
    read(pod(data))
    at = 1
    while True:
        documents._recent.clear()
        found = pod(data)
        if not cut_short(at, what, lambda: read(found)):
            break
        assert found.metadata.name == "x" and found.spec.containers[0].image == "b"
        assert found == expected and list(vars(found)) == list(vars(expected))
        at += 1 if at < first else step
    assert at > 20


@pytest.mark.parametrize("what", [Cut, CutAsValue, KeyboardInterrupt, TypeError])
def test_a_refused_field_that_is_cut_short_is_refused_later(what: type[BaseException]) -> None:
    def read(node: Any) -> None:
        try:
            node.spec.drivers
        except FieldError:
            return
        raise AssertionError("it was not refused")

    at, cut = 1, True
    while cut:
        documents._recent.clear()
        node = csi_node()
        cut = cut_short(at, what, lambda: read(node))
        assert node.metadata.name == "node-1"
        read(node)
        at += 1
    assert at > 20
