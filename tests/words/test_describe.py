"""kube_reflect.ground.describe"""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes import client

from kube_reflect.ground.describe import reason_of

pydantic = pytest.importorskip("pydantic", reason="older clients come without it")


class Disk(pydantic.BaseModel):
    size: int
    labels: dict[str, str] = {}


class Machine(pydantic.BaseModel):
    disks: list[Disk]
    name: str = "x"


def refused(model: Any, mapping: dict[str, Any]) -> Exception:
    make = getattr(model, "from_dict", None) or model.model_validate
    with pytest.raises(ValueError) as caught:
        make(mapping)
    return caught.value


@pytest.mark.parametrize(("mapping", "line"), [
    ({"disks": None}, "disks: should be a list, is null"),
    ({"disks": {}}, "disks: should be a list, is an object"),
    ({}, "disks: field required"),
    ({"disks": [{"size": 1}, {}]}, "disks[1].size: field required"),
    ({"disks": [{"size": []}]}, "disks[0].size: should be an integer, is a list"),
    ({"disks": [{"size": "secret"}]},
     "disks[0].size: should be an integer, unable to parse string as an integer"),
    ({"disks": [{"size": 1, "labels": {"a": 3}}], "name": 3},
     "disks[0].labels.a: should be a string, is a number (and 1 more)"),
    ({"disks": [{}] * 3}, "disks[0].size: field required (and 2 more)"),
])
def test_of_a_validation_error_it_says_field_and_reason(mapping: dict[str, Any],
                                                        line: str) -> None:
    error = refused(Machine, mapping)
    assert "\n" in str(error) and reason_of(error) == line
    assert reason_of(error, mapping) == line


@pytest.mark.skipif(not hasattr(client.V1CSINode, "from_dict"), reason="an older client")
def test_of_the_client_s_models_it_finds_the_way_from_the_root() -> None:
    node = {"metadata": {"name": "n"}, "spec": {"drivers": None}}
    error = refused(client.V1CSINode, node)
    assert reason_of(error, node) == "spec.drivers: should be a list, is null"
    # Without the mapping; or where several places fit.
    assert reason_of(error) == "drivers: should be a list, is null"
    node["status"] = {"drivers": None}
    assert reason_of(error, node) == "V1CSINodeSpec.drivers: should be a list, is null"
    driver = {"name": "d", "nodeID": "e", "topologyKeys": 5}
    node = {"metadata": {"name": "n"}, "spec": {"drivers": [{"name": "a", "nodeID": "b"}, driver]}}
    assert reason_of(refused(client.V1CSINode, node), node) == (
        "spec.drivers[1].topologyKeys: should be a list, is a number")


@pytest.mark.parametrize(("error", "line"), [
    (ValueError("one\n  two\nthree"), "ValueError: one two three"),
    (KeyError("x"), "KeyError: 'x'"),
    (RuntimeError(), "RuntimeError"),
    (ValueError("x" * 10_000), "ValueError: " + "x" * 287 + "…"),
])
def test_of_other_errors_it_says_class_and_text_in_one_line(error: Exception, line: str) -> None:
    assert reason_of(error) == line


def test_another_library_s_validation_error() -> None:
    class ValidationError(Exception):
        def errors(self) -> list[str]:
            return ["a"]

    class Other(Exception):
        errors = ["a"]

    Other.__name__ = "ValidationError"
    assert reason_of(ValidationError("a\nb")) == "ValidationError: a b"
    assert reason_of(Other("c")) == "ValidationError: c"


def test_a_mapping_of_any_depth() -> None:
    deep: dict[str, Any] = {"drivers": None}
    for _ in range(5000):
        deep = {"a": deep}
    error = refused(Machine, {"disks": None})
    assert reason_of(error, deep) == "Machine.disks: should be a list, is null"
