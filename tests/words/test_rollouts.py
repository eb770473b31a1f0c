"""kube_reflect.conditions: whether a rollout is complete, or that it never will be"""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes import client
from kubernetes.dynamic.resource import ResourceField

from kube_reflect import conditions
from kube_reflect.errors import ConditionFailed, KubeReflectError
from kube_reflect.object_ref import ApiResource, ObjectRef

from tests.support.models import eager_maker

MODELS = {"deployment": client.V1Deployment, "statefulset": client.V1StatefulSet,
          "daemonset": client.V1DaemonSet, "job": client.V1Job}


def made(kind: str, generation: int, spec: dict[str, Any], status: dict[str, Any]
         ) -> dict[str, Any]:
    needed = {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"name": "t"}},
              **({"serviceName": "s"} if kind == "statefulset" else {})}
    return {"metadata": {"name": "web", "namespace": "ns", "uid": "u", "generation": generation},
            "spec": needed | spec, "status": status}


FORMS = {
    "mapping": lambda kind, obj: obj,
    "model": lambda kind, obj: eager_maker(MODELS[kind])(obj),
    "dynamic": lambda kind, obj: ResourceField(obj),
}

DEPLOYED = {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3,
            "readyReplicas": 3, "conditions": [
                {"type": "Available", "status": "True"},
                {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]}
SET = {"observedGeneration": 2, "replicas": 3, "readyReplicas": 3, "updatedReplicas": 3,
       "currentRevision": "b", "updateRevision": "b"}
ROLLING = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}}
PARTITION = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}}
ON_DELETE = {"updateStrategy": {"type": "OnDelete"}}
DAEMONS = {"observedGeneration": 2, "currentNumberScheduled": 4, "numberMisscheduled": 0,
           "numberReady": 4, "desiredNumberScheduled": 4, "updatedNumberScheduled": 4,
           "numberAvailable": 4}
THREE = {"replicas": 3}

# Kind, generation, spec, status, whether it is complete.
CASES: list[tuple[str, int, dict[str, Any], dict[str, Any], bool]] = [
    ("deployment", 2, THREE, DEPLOYED, True),
    ("deployment", 1, THREE, DEPLOYED, True),
    # The status is of the rollout before.
    ("deployment", 3, THREE, DEPLOYED, False),
    ("deployment", 2, THREE, DEPLOYED | {"updatedReplicas": 1}, False),
    ("deployment", 2, {"replicas": 5}, DEPLOYED, False),
    # The old ones are still ending; or the new ones not yet available.
    ("deployment", 2, THREE, DEPLOYED | {"replicas": 4}, False),
    ("deployment", 2, THREE, DEPLOYED | {"availableReplicas": 2}, False),
    ("deployment", 2, {"replicas": 0}, {"observedGeneration": 2}, True),
    ("deployment", 2, {"replicas": 0}, {"observedGeneration": 2, "replicas": 1}, False),
    ("deployment", 2, {"replicas": 1}, {"observedGeneration": 2}, False),
    ("deployment", 2, {}, {"observedGeneration": 2}, False),
    ("deployment", 2, {"replicas": 0}, {}, False),
    ("statefulset", 2, THREE | ROLLING, SET, True),
    ("statefulset", 2, THREE, SET, True),
    ("statefulset", 3, THREE | ROLLING, SET, False),
    ("statefulset", 2, THREE | ROLLING, SET | {"updatedReplicas": 2}, False),
    ("statefulset", 2, THREE | ROLLING, SET | {"readyReplicas": 2}, False),
    ("statefulset", 2, THREE, SET | {"updateRevision": "c"}, False),
    ("statefulset", 2, THREE | PARTITION, SET | {"updatedReplicas": 1, "updateRevision": "c"},
     True),
    ("statefulset", 2, THREE | PARTITION, SET | {"updatedReplicas": 0, "updateRevision": "c"},
     False),
    ("statefulset", 2, {"replicas": 1} | PARTITION, SET | {"updatedReplicas": 0}, True),
    ("statefulset", 2, THREE | ON_DELETE, SET, True),
    # As long as nobody has deleted the last one.
    ("statefulset", 2, THREE | ON_DELETE, SET | {"updatedReplicas": 2}, False),
    ("statefulset", 2, {"replicas": 0}, {"observedGeneration": 2, "replicas": 0}, True),
    ("daemonset", 2, {}, DAEMONS, True),
    ("daemonset", 2, ON_DELETE, DAEMONS, True),
    ("daemonset", 3, {}, DAEMONS, False),
    ("daemonset", 2, {}, DAEMONS | {"updatedNumberScheduled": 3}, False),
    ("daemonset", 2, ON_DELETE, DAEMONS | {"updatedNumberScheduled": 3}, False),
    ("daemonset", 2, {}, DAEMONS | {"numberAvailable": 3}, False),
    ("daemonset", 2, {}, DAEMONS | {"desiredNumberScheduled": 5}, False),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("kind", "generation", "spec", "status", "complete"), CASES)
def test_rollouts(kind: str, generation: int, spec: dict[str, Any], status: dict[str, Any],
                  complete: bool, form: str) -> None:
    obj = FORMS[form](kind, made(kind, generation, spec, status))
    assert getattr(conditions, f"is_{kind}_completed")(obj) is complete


def stuck(generation: int, observed: int) -> dict[str, Any]:
    return made("deployment", generation, THREE, DEPLOYED | {
        "observedGeneration": observed, "updatedReplicas": 1, "conditions": [
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
             "message": "ReplicaSet \"web-1\" has timed out progressing."}]})


@pytest.mark.parametrize("form", FORMS)
def test_a_rollout_past_its_deadline_is_an_error_that_says_why(form: str) -> None:
    with pytest.raises(ConditionFailed) as caught:
        conditions.is_deployment_completed(FORMS[form]("deployment", stuck(2, 2)))
    error = caught.value
    assert isinstance(error, KubeReflectError)
    assert error.ref == ObjectRef("web", "ns", resource=ApiResource("apps", "v1", "Deployment"))
    assert error.ref.uid == "u" and error.reason == "ProgressDeadlineExceeded"
    assert str(error) == (
        "Deployment.v1.apps/web.ns has exceeded its progress deadline (ProgressDeadlineExceeded: "
        "ReplicaSet \"web-1\" has timed out progressing.)")
    # The deadline of the rollout before says nothing of this one.
    assert conditions.is_deployment_completed(stuck(3, 2)) is False


@pytest.mark.parametrize("form", FORMS)
def test_a_failed_job_is_an_error_that_says_why(form: str) -> None:
    obj = made("job", 1, {}, {"conditions": [
        {"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded"},
        {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded",
         "message": "Job has reached the specified backoff limit"}]})
    with pytest.raises(ConditionFailed, match=r"^Job.v1.batch/web.ns has failed \(BackoffLimit.*: "
                                              r"Job has reached the specified backoff limit\)$"):
        conditions.is_job_completed(FORMS[form]("job", obj))


def test_of_a_failure_without_a_word_the_kind_is_said() -> None:
    with pytest.raises(ConditionFailed, match="^Job has failed$") as caught:
        conditions.is_job_completed({"status": {"conditions": [{"type": "Failed",
                                                                "status": "True"}]}})
    assert caught.value.ref is None and caught.value.reason == ""


ADDRESSES = {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}
OLD = {"observedGeneration": 1}


@pytest.mark.parametrize(("name", "status"), [
    ("is_pod_running", {"phase": "Running"}),
    ("is_job_completed", {"conditions": [{"type": "Complete", "status": "True"}]}),
    ("is_crd_established", {"conditions": [{"type": "Established", "status": "True"}]}),
    ("is_service_loadbalancer_provisioned", ADDRESSES),
    ("is_ingress_provisioned", ADDRESSES),
])
def test_a_status_of_an_earlier_generation_is_none(name: str, status: dict[str, Any]) -> None:
    condition = getattr(conditions, name)
    obj = {"metadata": {"generation": 2}, "spec": {"type": "LoadBalancer"}, "status": status}
    assert condition(obj) is True
    assert condition({**obj, "status": status | OLD}) is False
    assert condition({**obj, "status": status | {"observedGeneration": 2}}) is True
    if "conditions" in status:
        late = [one | OLD for one in status["conditions"]]
        assert condition({**obj, "status": {"conditions": late}}) is False
