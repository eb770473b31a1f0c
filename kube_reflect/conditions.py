"""Conditions that an object comes to meet, for `Store.wait_for`.

A condition is a function of an object, or of None where there is none, that tells whether it
holds. Those in here know objects as mappings and as models of the official client.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

__all__ = [
    "Condition",
    "is_created",
    "is_crd_established",
    "is_deleted",
    "is_deployment_completed",
    "is_ingress_provisioned",
    "is_job_completed",
    "is_pod_running",
    "is_service_loadbalancer_provisioned",
]

_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")


class Condition:
    """A condition with a name, to be combined with others by ``&``, ``|`` and ``~``.

    Any function of an object or None will do as the other one. It is called by the thread that
    waits, without a lock.

    :param function: tells whether it holds of an object, or of None where there is none.
    :param name: what errors call it; the function's own name unless given.
    :raises TypeError: for what cannot be called.
    """

    def __init__(self, function: Callable[[Any], object], name: str | None = None) -> None:
        if not callable(function):
            raise TypeError(f"a condition must be callable: {function!r}")
        self._function = function
        self._name = name if name is not None else _name_of(function)

    def __call__(self, obj: Any) -> bool:
        return bool(self._function(obj))

    def __and__(self, other: Callable[[Any], object]) -> Condition:
        return _joined(self, other, "&", lambda one, two: lambda obj: one(obj) and two(obj))

    def __rand__(self, other: Any) -> Condition:
        return as_condition(other) & self if callable(other) else NotImplemented

    def __or__(self, other: Callable[[Any], object]) -> Condition:
        return _joined(self, other, "|", lambda one, two: lambda obj: one(obj) or two(obj))

    def __ror__(self, other: Any) -> Condition:
        return as_condition(other) | self if callable(other) else NotImplemented

    def __invert__(self) -> Condition:
        return Condition(lambda obj: not self(obj), f"~{self._operand()}")

    def _operand(self) -> str:
        return f"({self._name})" if isinstance(self, _Joined) else self._name

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"<Condition {self._name}>"


class _Joined(Condition):
    """Of two; its name needs brackets within another."""


def as_condition(function: Callable[[Any], object]) -> Condition:
    """Give a condition of a function, or the condition that it is."""
    return function if isinstance(function, Condition) else Condition(function)


def _joined(one: Condition, other: Any, sign: str,
            join: Callable[[Condition, Condition], Callable[[Any], object]]) -> Condition:
    if not callable(other):
        # As of an operator: Python then asks the other side, and raises the TypeError.
        return NotImplemented  # type: ignore[no-any-return]
    two = as_condition(other)
    return _Joined(join(one, two), f"{one._operand()} {sign} {two._operand()}")


def _name_of(function: Callable[[Any], object]) -> str:
    name = getattr(function, "__name__", None)
    return name if isinstance(name, str) else repr(function)


def _field(obj: Any, *path: str) -> Any:
    """Read a field of a mapping (camelCase) or of a model (snake_case); None where it is not."""
    for key in path:
        if obj is None:
            return None
        if isinstance(obj, Mapping):
            obj = obj.get(key)
        else:
            value = getattr(obj, _CAPITAL.sub(r"_\1", key).lower(), None)
            # The objects of the dynamic client keep the keys of the wire.
            obj = value if value is not None else getattr(obj, key, None)
    return obj


def _has_condition(obj: Any, kind: str, reason: str | None = None) -> bool:
    for condition in _field(obj, "status", "conditions") or ():
        if _field(condition, "type") == kind and reason in (None, _field(condition, "reason")):
            return bool(_field(condition, "status") == "True")
    return False


def _has_addresses(obj: Any) -> bool:
    points = _field(obj, "status", "loadBalancer", "ingress")
    return bool(points) and all(
        _field(point, "ip") is not None or _field(point, "hostname") is not None
        for point in points)


def is_deleted(uid: str) -> Condition:
    """Make a condition that holds once an object is gone, or another one has its name.

    :param uid: of the object (``metadata.uid``).
    :raises TypeError: for what is no uid; None would be met by any object.
    """
    if not isinstance(uid, str):
        raise TypeError(f"the uid of an object is needed, not {uid!r}")
    return Condition(lambda obj: obj is None or _field(obj, "metadata", "uid") != uid,
                     f"is_deleted({uid!r})")


def _is_provisioned(obj: Any) -> bool:
    spec = _field(obj, "spec")
    if spec is None:
        return False
    return _field(spec, "type") != "LoadBalancer" or _has_addresses(obj)


#: The object is there.
is_created = Condition(lambda obj: obj is not None, "is_created")
#: A Pod is running (its phase says so; whether it is ready is another matter).
is_pod_running = Condition(lambda obj: _field(obj, "status", "phase") == "Running",
                           "is_pod_running")
#: A Job has completed; one that failed has not.
is_job_completed = Condition(lambda obj: _has_condition(obj, "Complete"), "is_job_completed")
#: The latest rollout of a Deployment is complete.
is_deployment_completed = Condition(
    lambda obj: _has_condition(obj, "Progressing", "NewReplicaSetAvailable"),
    "is_deployment_completed")
#: A CustomResourceDefinition is accepted and served; discovery may still take a moment.
is_crd_established = Condition(lambda obj: _has_condition(obj, "Established"),
                               "is_crd_established")
#: A Service of type LoadBalancer has addresses; one of another type needs none.
is_service_loadbalancer_provisioned = Condition(_is_provisioned,
                                                "is_service_loadbalancer_provisioned")
#: An Ingress has addresses.
is_ingress_provisioned = Condition(_has_addresses, "is_ingress_provisioned")
