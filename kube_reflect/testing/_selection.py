"""Which objects a LIST or WATCH is about: namespace, labels, fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kube_reflect import selector
from kube_reflect.object_ref import ApiResource
from kube_reflect.testing import _status as status
from kube_reflect.testing._encoding import Entry
from kube_reflect.testing._shards import ShardSelector

# What the real server can select by, apart from metadata.name and metadata.namespace, with the
# value that an absent field counts as. Of a custom resource any field may be selectable.
_FIELDS: dict[tuple[str, str], dict[str, str]] = {
    ("", "pods"): {
        "spec.nodeName": "", "spec.restartPolicy": "", "spec.schedulerName": "",
        "spec.serviceAccountName": "", "spec.hostNetwork": "false", "status.phase": "",
        "status.podIP": "", "status.nominatedNodeName": ""},
    ("", "nodes"): {"spec.unschedulable": "false"},
    ("", "namespaces"): {"status.phase": ""},
    ("", "secrets"): {"type": ""},
    ("", "services"): {"spec.clusterIP": "", "spec.type": ""},
    ("", "replicationcontrollers"): {"status.replicas": "0"},
    ("apps", "replicasets"): {"status.replicas": "0"},
    ("batch", "jobs"): {"status.successful": "0"},
    ("", "events"): {
        "involvedObject.kind": "", "involvedObject.namespace": "", "involvedObject.name": "",
        "involvedObject.uid": "", "involvedObject.apiVersion": "",
        "involvedObject.resourceVersion": "", "involvedObject.fieldPath": "", "reason": "",
        "reportingComponent": "", "source": "", "type": ""},
}
_ALWAYS = {"metadata.name": "", "metadata.namespace": ""}
# Fields whose selectable name is not where they are in the object.
_ELSEWHERE = {("batch", "jobs", "status.successful"): "status.succeeded",
              ("", "events", "source"): "source.component"}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _lookup(obj: Mapping[str, Any], path: str, default: str) -> str:
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return default if value is None or isinstance(value, (Mapping, list)) else _text(value)


def _unknown_field(resource: ApiResource, field: str) -> str:
    if (resource.group, resource.plural) in _FIELDS:
        return f"field label not supported: {field}"
    return (f'"{field}" is not a known field selector: only "metadata.name", '
            f'"metadata.namespace"')


class Selection:
    """The objects of one resource that one request asks for.

    :param namespace: a namespace, or None for all.
    :param shard: a shardSelector, or ``""``.
    :raises ApiStatusError: 400 where a selector does not parse or names an unknown field; 500
        where that is the shardSelector.
    """

    def __init__(
        self, resource: ApiResource, custom: bool, namespace: str | None, labels: str, fields: str,
        shard: str = "",
    ) -> None:
        self.namespace = namespace
        self.shard = ShardSelector(shard) if shard else None
        try:
            self._labels = selector.parse(labels)
        except ValueError as error:
            raise status.bad_request(f"unable to parse requirement: {error}") from error
        try:
            self._fields = selector.parse_field_selector(fields)
        except ValueError as error:
            raise status.bad_request(f"invalid selector: {error}") from error
        self._resource = resource
        self._custom = custom
        self._known = {**_ALWAYS, **_FIELDS.get((resource.group, str(resource.plural)), {})}
        if fields:
            self._check_fields()

    @property
    def by_selector(self) -> bool:
        """Whether there is a label or field selector, or a shard."""
        return bool(self._labels) or bool(self._fields) or self.shard is not None

    def _check_fields(self) -> None:
        """Look every field up once, in nothing, so that an unknown one is refused."""
        for requirement in self._fields.requirements:
            if not self._custom and requirement.field not in self._known:
                raise status.bad_request(_unknown_field(self._resource, requirement.field))

    def _field_of(self, obj: Mapping[str, Any]) -> Callable[[str], str]:
        group, plural = self._resource.group, str(self._resource.plural)

        def field(path: str) -> str:
            where = _ELSEWHERE.get((group, plural, path), path)
            return _lookup(obj, where, self._known.get(path, ""))

        return field

    def matches(self, entry: Entry) -> bool:
        """Whether an object is among those asked for."""
        if self.namespace is not None and entry.namespace != self.namespace:
            return False
        if self._labels and not self._labels.matches(entry.labels):
            return False
        if self.shard is not None and not self.shard.matches(entry):
            return False
        return not self._fields or self._fields.matches(self._field_of(entry.obj))
