"""kube_reflect.conditions"""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes import client

from kube_reflect import Apply, conditions
from kube_reflect.conditions import Condition
from kube_reflect.errors import ConditionFailed
from tests.support.cache_helpers import feed, listed
from tests.support.models import eager_maker
from tests.support.objects import pod
from tests.support.waiting import DEADLINE


def typed(mapping: dict[str, Any], model: str) -> Any:
    """Make a model of a mapping, as the official client does."""
    return eager_maker(getattr(client, model))(mapping)


def with_condition(kind: str, status: str, **more: str) -> dict[str, Any]:
    other = {"type": "Other", "status": "True"}
    return {"status": {"conditions": [other, {"type": kind, "status": status, **more}]}}


def service(kind: str | None, **status: Any) -> dict[str, Any]:
    return {"spec": {"type": kind} if kind else {}, "status": status}


def points(*ingress: dict[str, str]) -> dict[str, Any]:
    return {"loadBalancer": {"ingress": list(ingress)}}


ADDRESS, NAME, NOTHING = {"ip": "10.0.0.1"}, {"hostname": "lb.example.com"}, {}
CRD = {"spec": {"group": "g", "names": {"kind": "K", "plural": "ks"}, "scope": "Cluster",
                "versions": []}}
TEMPLATE: dict[str, Any] = {"selector": {}, "template": {}}
DEPLOYMENT = DAEMON_SET = {"spec": TEMPLATE}
STATEFUL_SET = {"spec": TEMPLATE | {"serviceName": "s"}}

CASES = [
    ("is_pod_running", "V1Pod", {"status": {"phase": "Running"}}, True),
    ("is_pod_running", "V1Pod", {"status": {"phase": "Pending"}}, False),
    ("is_pod_running", "V1Pod", {"status": {}}, False),
    ("is_pod_running", "V1Pod", {}, False),
    ("is_job_completed", "V1Job", with_condition("Complete", "True"), True),
    ("is_job_completed", "V1Job", with_condition("Complete", "False"), False),
    ("is_job_completed", "V1Job", with_condition("Failed", "False"), False),
    ("is_job_completed", "V1Job", {"status": {}}, False),
    ("is_job_completed", "V1Job", {}, False),
    ("is_deployment_completed", "V1Deployment", DEPLOYMENT, False),
    ("is_statefulset_completed", "V1StatefulSet", STATEFUL_SET, False),
    ("is_daemonset_completed", "V1DaemonSet", DAEMON_SET, False),
    ("is_crd_established", "V1CustomResourceDefinition",
     CRD | with_condition("Established", "True"), True),
    ("is_crd_established", "V1CustomResourceDefinition",
     CRD | with_condition("Established", "False"), False),
    ("is_crd_established", "V1CustomResourceDefinition", CRD, False),
    ("is_service_loadbalancer_provisioned", "V1Service",
     service("LoadBalancer", **points(ADDRESS)), True),
    ("is_service_loadbalancer_provisioned", "V1Service",
     service("LoadBalancer", **points(ADDRESS, NAME)), True),
    ("is_service_loadbalancer_provisioned", "V1Service",
     service("LoadBalancer", **points(ADDRESS, NOTHING)), False),
    ("is_service_loadbalancer_provisioned", "V1Service",
     service("LoadBalancer", **points()), False),
    ("is_service_loadbalancer_provisioned", "V1Service",
     service("LoadBalancer", loadBalancer={}), False),
    ("is_service_loadbalancer_provisioned", "V1Service", service("LoadBalancer"), False),
    ("is_service_loadbalancer_provisioned", "V1Service", service("ClusterIP"), True),
    ("is_service_loadbalancer_provisioned", "V1Service", service(None), True),
    ("is_service_loadbalancer_provisioned", "V1Service", {}, False),
    ("is_ingress_provisioned", "V1Ingress", {"status": points(NAME)}, True),
    ("is_ingress_provisioned", "V1Ingress", {"status": points(NAME, ADDRESS)}, True),
    ("is_ingress_provisioned", "V1Ingress", {"status": points(NOTHING)}, False),
    ("is_ingress_provisioned", "V1Ingress", {"status": {"loadBalancer": {}}}, False),
    ("is_ingress_provisioned", "V1Ingress", {}, False),
    ("is_created", "V1Pod", {}, True),
]


@pytest.mark.parametrize("typed_model", [False, True], ids=["mapping", "model"])
@pytest.mark.parametrize(("name", "model", "mapping", "holds"), CASES)
def test_conditions(name: str, model: str, mapping: dict[str, Any], holds: bool,
                    typed_model: bool) -> None:
    condition = getattr(conditions, name)
    assert condition(typed(mapping, model) if typed_model else mapping) is holds


@pytest.mark.parametrize("name", sorted({case[0] for case in CASES}))
def test_none_of_them_holds_of_nothing(name: str) -> None:
    assert getattr(conditions, name)(None) is False
    assert str(getattr(conditions, name)) == name


def test_is_deleted() -> None:
    condition = conditions.is_deleted("u1")
    same, other = {"metadata": {"uid": "u1"}}, {"metadata": {"uid": "u2"}}
    assert [condition(obj) for obj in (None, other, same)] == [True, True, False]
    assert [condition(typed(obj, "V1Pod")) for obj in (other, same)] == [True, False]
    assert str(condition) == "is_deleted('u1')"


def test_is_deleted_needs_a_uid() -> None:
    with pytest.raises(TypeError, match="uid"):
        conditions.is_deleted(None)  # type: ignore[arg-type]


def test_objects_of_the_dynamic_client() -> None:
    from kubernetes.dynamic.resource import ResourceField

    ingress = ResourceField({"status": points(ADDRESS)})
    assert conditions.is_ingress_provisioned(ingress)
    assert not conditions.is_ingress_provisioned(ResourceField({"status": {"phase": "x"}}))


FAILED = {"metadata": {"name": "j", "namespace": "ns"}} | with_condition(
    "Failed", "True", reason="BackoffLimitExceeded", message="too many")


def failing(obj: Any) -> bool:
    raise ConditionFailed("never")


def is_red(obj: Any) -> bool:
    return bool(obj and obj["color"] == "red")


def test_combined() -> None:
    red, created = Condition(is_red), conditions.is_created
    both, either, not_red = created & red, red | ~created, ~red
    assert [both({"color": color}) for color in ("red", "blue")] == [True, False]
    assert [either(obj) for obj in ({"color": "blue"}, None)] == [False, True]
    assert not_red(None) is True and (~not_red)(None) is False


def test_plain_functions_join_in() -> None:
    created = conditions.is_created
    for both in (created & is_red, is_red & created):
        assert both({"color": "red"}) is True and both({"color": "blue"}) is False
    for either in (created | is_red, is_red | created):
        assert either({"color": "blue"}) is True and either(None) is False


def test_the_second_is_asked_only_if_need_be() -> None:
    def never(obj: Any) -> bool:
        raise AssertionError

    assert (Condition(is_red) & never)(None) is False
    assert (conditions.is_created | never)({}) is True


def test_they_say_what_they_are() -> None:
    created, running = conditions.is_created, conditions.is_pod_running
    assert str(created & ~running) == "is_created & ~is_pod_running"
    assert str(~(created | is_red) & running) == "~(is_created | is_red) & is_pod_running"
    assert str((created & running) | is_red) == "(is_created & is_pod_running) | is_red"
    assert repr(created) == "<Condition is_created>"
    assert str(Condition(lambda obj: True, "always")) == "always"


def test_what_never_will_be_combines_as_what_is_not() -> None:
    done = conditions.is_job_completed
    assert (done | conditions.is_created)(FAILED) is True
    assert (conditions.is_created | done)(FAILED) is True
    assert (~done)(FAILED) is True and (~done & ~conditions.is_deleted("u"))({}) is False
    # The other one may hold yet.
    assert (done | ~conditions.is_created)(FAILED) is False
    assert (~conditions.is_created | done)(FAILED) is False
    assert (done & is_red)({}) is False
    for both in (done & conditions.is_created, conditions.is_created & done, done | failing,
                 Condition(failing) | done):
        with pytest.raises(ConditionFailed):
            both(FAILED)


def test_other_errors_of_a_condition_are_nothing_s_answer() -> None:
    def broken(obj: Any) -> bool:
        raise KeyError("x")

    for one in (Condition(broken) | conditions.is_created, ~Condition(broken)):
        with pytest.raises(KeyError):
            one({})


def test_a_waiter_is_told() -> None:
    writer, store = listed(pod("j"))
    feed(writer, Apply(pod("j", version="2") | with_condition("Failed", "True", reason="Evil")))
    with pytest.raises(ConditionFailed, match="has failed .Evil."):
        store.wait_for("j", conditions.is_job_completed, DEADLINE, namespace="ns")


@pytest.mark.parametrize("other", [None, "is_created", 1])
def test_what_cannot_be_called_is_no_condition(other: Any) -> None:
    with pytest.raises(TypeError, match="callable"):
        Condition(other)
    for join in (lambda: conditions.is_created & other, lambda: other | conditions.is_created):
        with pytest.raises(TypeError, match="unsupported operand"):
            join()
