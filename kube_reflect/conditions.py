"""Conditions that an object comes to meet, for `Store.wait_for`.

A condition is a function of an object, or of None where there is none, that tells whether it
holds. Those in here know objects as mappings, as models of the official client, and as objects of
its dynamic client. Whatever they read of a status, they first ask whether it is about the object as
it is now (``status.observedGeneration``), and not about what it was before it was changed. Where it
says that what is waited for will not come, they raise `ConditionFailed`.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

from kube_reflect.errors import ConditionFailed
from kube_reflect.object_ref import ApiResource, ObjectRef, read_field as _field

__all__ = ["Condition", "is_created", "is_crd_established", "is_daemonset_completed", "is_deleted",
           "is_deployment_completed", "is_ingress_provisioned", "is_job_completed",
           "is_pod_running", "is_service_loadbalancer_provisioned", "is_statefulset_completed"]


class Condition:
    """A condition with a name, to be combined with others by ``&``, ``|`` and ``~``.

    Any function of an object or None will do as the other one. It is called by the thread that
    waits, without a lock. One that raises `ConditionFailed` says that it will not hold, which is
    a failure of both of ``&``, of neither of ``|`` unless both fail, and what ``~`` asks for.

    It can be copied; and pickled, if its function can: one that a module has by its name.

    :param function: tells whether it holds of an object, or of None where there is none.
    :param name: what errors call it; the function's own name unless given.
    :raises TypeError: for what cannot be called.
    """

    def __init__(self, function: Callable[[Any], object], name: str | None = None) -> None:
        if not callable(function):
            raise TypeError(f"a condition must be callable: {function!r}")
        self._function = function
        found = name if name is not None else getattr(function, "__name__", None)
        self._name = found if isinstance(found, str) else repr(function)

    def __call__(self, obj: Any) -> bool:
        return bool(self._function(obj))

    def __and__(self, other: Callable[[Any], object]) -> Condition:
        return _joined(_both, self, "&", other)

    def __rand__(self, other: Any) -> Condition:
        return as_condition(other) & self if callable(other) else NotImplemented

    def __or__(self, other: Callable[[Any], object]) -> Condition:
        return _joined(_either, self, "|", other)

    def __ror__(self, other: Any) -> Condition:
        return as_condition(other) | self if callable(other) else NotImplemented

    def __invert__(self) -> Condition:
        return Condition(partial(_not, self), f"~{self._operand()}")

    def _operand(self) -> str:
        return f"({self._name})" if isinstance(self, _Joined) else self._name

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"<Condition {self._name}>"

    def __copy__(self, memo: object = None) -> Condition:
        return self

    __deepcopy__ = __copy__

    def __reduce__(self) -> str | tuple[Any, ...]:
        name = self._name
        if globals().get(name) is self:
            # A ready-made one is pickled by its name.
            return name
        try:
            pickle.dumps(self._function)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise TypeError(f"{self!r} cannot be pickled: its function must be one that a module "
                            f"has by its name ({error})") from error
        return type(self), (self._function, self._name)


class _Joined(Condition):
    """A condition made of two; its name needs brackets within that of another."""


def as_condition(function: Callable[[Any], object]) -> Condition:
    """Return a condition of a function, or the condition that it is."""
    return function if isinstance(function, Condition) else Condition(function)


def _joined(join: Callable[[Condition, Condition, Any], bool], one: Condition, sign: str,
            other: Any) -> Condition:
    if not callable(other):
        # So an operator says it: Python asks the other side, and then raises a TypeError.
        return NotImplemented  # type: ignore[no-any-return]
    two = as_condition(other)
    return _Joined(partial(join, one, two), f"{one._operand()} {sign} {two._operand()}")


def _both(one: Condition, two: Condition, obj: Any) -> bool:
    return one(obj) and two(obj)


def _either(one: Condition, two: Condition, obj: Any) -> bool:
    try:
        if one(obj):
            return True
    except ConditionFailed:
        # The other one may still hold; if it raises too, neither ever will.
        return two(obj)
    try:
        return two(obj)
    except ConditionFailed:
        return False


def _not(one: Condition, obj: Any) -> bool:
    try:
        return not one(obj)
    except ConditionFailed:
        return True


def _number(obj: Any, *path: str) -> int:
    """Read a number; 0 where there is none, because the API server leaves out zeros."""
    value = _field(obj, *path)
    return value if isinstance(value, int) else 0


def _is_current(obj: Any, part: Any = None) -> bool:
    """Return whether the status, or this part, is about the object as it is now, if it says so."""
    observed = _field(_field(obj, "status") if part is None else part, "observedGeneration")
    return observed is None or _number(obj, "metadata", "generation") <= observed


def _condition(obj: Any, kind: str) -> Any:
    """Return one of the conditions in the status, if it is about the object as it is now."""
    if not _is_current(obj):
        return None
    return next((one for one in _field(obj, "status", "conditions") or ()
                 if _field(one, "type") == kind and _is_current(obj, one)), None)


def _has_condition(obj: Any, kind: str) -> bool:
    return bool(_field(_condition(obj, kind), "status") == "True")


def _failed(obj: Any, resource: ApiResource, condition: Any, what: str) -> ConditionFailed:
    ref = ObjectRef.from_object(obj, resource) if _field(obj, "metadata", "name") else None
    reason, why = str(_field(condition, "reason") or ""), _field(condition, "message")
    said = ": ".join(str(part) for part in (reason, why) if part)
    return ConditionFailed(f"{ref or resource.kind} {what}{said and f' ({said})'}",
                           ref=ref, reason=reason)


def _has_addresses(obj: Any) -> bool:
    points = _field(obj, "status", "loadBalancer", "ingress")
    return bool(points) and _is_current(obj) and all(
        _field(point, "ip") is not None or _field(point, "hostname") is not None
        for point in points)


def _is_another(uid: str, obj: Any) -> bool:
    return obj is None or bool(_field(obj, "metadata", "uid") != uid)


def is_deleted(uid: str) -> Condition:
    """Make a condition that holds once an object is gone, or another one has its name.

    :param uid: of the object (``metadata.uid``).
    :raises TypeError: for what is no uid; None would be met by any object.
    """
    if not isinstance(uid, str):
        raise TypeError(f"the uid of an object is needed, not {uid!r}")
    return Condition(partial(_is_another, uid), f"is_deleted({uid!r})")


def _is_provisioned(obj: Any) -> bool:
    spec = _field(obj, "spec")
    return spec is not None and (
        _field(spec, "type") != "LoadBalancer" or _has_addresses(obj))


def _is_observed(obj: Any) -> bool:
    """Return whether its controller has seen the object as it is now; for those that always say."""
    return _field(obj, "status", "observedGeneration") is not None and _is_current(obj)


def _wanted(obj: Any) -> int:
    """Return how many replicas are asked for; the API server fills in 1."""
    replicas = _field(obj, "spec", "replicas")
    return replicas if isinstance(replicas, int) else 1


def _is_rolled_out(obj: Any) -> bool:
    if not _is_observed(obj):
        return False
    progress = _condition(obj, "Progressing")
    if _field(progress, "reason") == "ProgressDeadlineExceeded":
        raise _failed(obj, _DEPLOYMENT, progress, "has exceeded its progress deadline")
    updated = _number(obj, "status", "updatedReplicas")
    # Enough pods are new, none are old, and all the new ones are available.
    return (updated >= _wanted(obj) and _number(obj, "status", "replicas") <= updated
            and _number(obj, "status", "availableReplicas") >= updated)


def _is_set_rolled_out(obj: Any) -> bool:
    wanted, updated = _wanted(obj), _number(obj, "status", "updatedReplicas")
    if not _is_observed(obj) or _number(obj, "status", "readyReplicas") < wanted:
        return False
    strategy = _field(obj, "spec", "updateStrategy")
    if _field(strategy, "type") == "OnDelete":
        return updated >= wanted
    if _field(strategy, "rollingUpdate", "partition") is not None:
        return updated >= wanted - _number(strategy, "rollingUpdate", "partition")
    status = _field(obj, "status")
    return bool(_field(status, "updateRevision") == _field(status, "currentRevision"))


def _is_on_every_node(obj: Any) -> bool:
    wanted = _number(obj, "status", "desiredNumberScheduled")
    return (_is_observed(obj) and _number(obj, "status", "updatedNumberScheduled") >= wanted
            and _number(obj, "status", "numberAvailable") >= wanted)


def _is_job_done(obj: Any) -> bool:
    if _has_condition(obj, "Failed"):
        raise _failed(obj, _JOB, _condition(obj, "Failed"), "has failed")
    return _has_condition(obj, "Complete")


_DEPLOYMENT = ApiResource("apps", "v1", "Deployment")
_JOB = ApiResource("batch", "v1", "Job")

#: The object is there.
is_created = Condition(lambda obj: obj is not None, "is_created")
#: A Pod is running (its phase says so; whether it is ready is another matter). One that has ended
#: is not; that is no failure, since another one may come by its name.
is_pod_running = Condition(
    lambda obj: _is_current(obj) and _field(obj, "status", "phase") == "Running", "is_pod_running")
#: A Job has completed. One that failed never will: ConditionFailed.
is_job_completed = Condition(_is_job_done, "is_job_completed")
#: The latest rollout of a Deployment is complete, as ``kubectl rollout status`` tells it: its pods
#: are all of the latest template, and available. ConditionFailed if it exceeds its deadline.
is_deployment_completed = Condition(_is_rolled_out, "is_deployment_completed")
#: The latest rollout of a StatefulSet is complete: its pods are ready, and of the latest template,
#: or with a partition those that should be. With OnDelete it is when somebody has deleted the old.
is_statefulset_completed = Condition(_is_set_rolled_out, "is_statefulset_completed")
#: The latest rollout of a DaemonSet is complete: on each node that should have one there is a pod
#: of the latest template, and available. With OnDelete, when somebody has deleted the old.
is_daemonset_completed = Condition(_is_on_every_node, "is_daemonset_completed")
#: A CustomResourceDefinition is accepted and served; discovery may still take a moment.
is_crd_established = Condition(lambda obj: _has_condition(obj, "Established"),
                               "is_crd_established")
#: A Service of type LoadBalancer has addresses; one of another type needs none.
is_service_loadbalancer_provisioned = Condition(_is_provisioned,
                                                "is_service_loadbalancer_provisioned")
#: An Ingress has addresses.
is_ingress_provisioned = Condition(_has_addresses, "is_ingress_provisioned")
