"""How objects become bytes: with the key order of the real server, and each part once."""

from __future__ import annotations

import json
import marshal
from typing import Any

from kube_reflect.object_ref import ApiResource

# The order in which Go writes ObjectMeta; the rest follows in the order given.
_METADATA_ORDER = (
    "name", "generateName", "namespace", "uid", "resourceVersion", "generation",
    "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "labels",
    "annotations", "ownerReferences", "finalizers",
)
# These can only stand within strings, so that replacing them keeps the JSON.
_ESCAPES = tuple((chr(code), f"\\u{code:04x}") for code in (0x3C, 0x3E, 0x26, 0x2028, 0x2029))
_PARTIAL = b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":'


def dumps(value: Any) -> bytes:
    """Compact JSON in UTF-8, with the escapes that Go makes."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for character, escape in _ESCAPES:
        if character in text:
            text = text.replace(character, escape)
    # A lone surrogate cannot be encoded; Go, too, puts the replacement character there.
    return text.encode("utf-8", "replace")


def _sorted_deep(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted_deep(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted_deep(item) for item in value]
    return value


def arrange(obj: dict[str, Any], resource: ApiResource, custom: bool) -> dict[str, Any]:
    """Return an object in the key order that the server would give it.

    :param obj: an object with a metadata mapping; not changed.
    :param custom: whether its kind is a custom resource, whose keys are sorted.
    """
    if custom:
        arranged: dict[str, Any] = _sorted_deep(
            {**obj, "apiVersion": resource.api_version, "kind": resource.kind})
        return arranged
    given = obj["metadata"]
    metadata = {key: given[key] for key in _METADATA_ORDER if key in given}
    metadata.update(given)
    rest = {key: value for key, value in obj.items()
            if key not in ("kind", "apiVersion", "metadata")}
    return {"kind": resource.kind, "apiVersion": resource.api_version,
            "metadata": metadata, **rest}


class Entry:
    """One state of one object, never changed, with its encodings made at most once.

    The object is kept packed, so that a large store costs the program under test no garbage
    collection.
    """

    __slots__ = ("custom", "name", "namespace", "labels", "uid", "version",
                 "_packed", "_item", "_full", "_partial")

    def __init__(self, obj: dict[str, Any], custom: bool) -> None:
        metadata = obj["metadata"]
        self.custom = custom
        self.name: str = metadata["name"]
        self.namespace: str | None = metadata.get("namespace")
        self.labels: dict[str, str] = dict(metadata.get("labels") or {})
        self.uid: str = metadata.get("uid") or ""
        self.version = int(metadata["resourceVersion"])
        self._packed = marshal.dumps(obj)
        self._item: bytes | None = None
        self._full: bytes | None = None
        self._partial: bytes | None = None

    @property
    def obj(self) -> dict[str, Any]:
        """The object, as a new copy each time."""
        obj: dict[str, Any] = marshal.loads(self._packed)
        return obj

    def with_version(self, version: int) -> Entry:
        """The same content under another resource version."""
        obj = self.obj
        obj["metadata"]["resourceVersion"] = str(version)
        return Entry(obj, self.custom)

    def item(self) -> bytes:
        """As an item of a LIST: built-in kinds lose kind and apiVersion there."""
        if self.custom:
            return self.full()
        if self._item is None:
            self._item = dumps({key: value for key, value in self.obj.items()
                                if key not in ("kind", "apiVersion")})
        return self._item

    def full(self) -> bytes:
        """As the body of a GET and in a watch event."""
        if self._full is None:
            self._full = dumps(self.obj)
        return self._full

    def partial(self) -> bytes:
        """As PartialObjectMetadata."""
        if self._partial is None:
            self._partial = _PARTIAL + dumps(self.obj["metadata"]) + b"}"
        return self._partial


def list_head(
    resource: ApiResource, custom: bool, partial: bool, metadata: dict[str, Any]
) -> tuple[bytes, bytes]:
    """What stands before and after the items of a LIST."""
    if custom and not partial:
        head = b'{"apiVersion":' + dumps(resource.api_version) + b',"items":['
        metadata = dict(sorted({"continue": "", **metadata}.items()))
        tail = (b'],"kind":' + dumps(f"{resource.kind}List") + b',"metadata":'
                + dumps(metadata) + b"}\n")
        return head, tail
    kind = "PartialObjectMetadataList" if partial else f"{resource.kind}List"
    api_version = "meta.k8s.io/v1" if partial else resource.api_version
    envelope = dumps({"kind": kind, "apiVersion": api_version, "metadata": metadata})
    return envelope[:-1] + b',"items":[', b"]}\n"


def bookmark(
    resource: ApiResource, custom: bool, partial: bool, version: int, initial_end: bool = False
) -> bytes:
    """A BOOKMARK event's line.

    A Pod's carries the empty fields that Go cannot leave out, and so is no valid Pod.
    """
    metadata: dict[str, Any] = {"resourceVersion": str(version)}
    if initial_end:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    kind = "PartialObjectMetadata" if partial else resource.kind
    api_version = "meta.k8s.io/v1" if partial else resource.api_version
    obj: dict[str, Any] = {"kind": kind, "apiVersion": api_version, "metadata": metadata}
    if custom and not partial:
        obj = _sorted_deep(obj)
    elif not partial:
        obj.update(_EMPTY_FIELDS.get(resource.kind, {}))
    return b'{"type":"BOOKMARK","object":' + dumps(obj) + b"}\n"


_WORKLOAD: dict[str, Any] = {
    "selector": None,
    "template": {"metadata": {}, "spec": {"containers": None}},
}
_EMPTY_FIELDS: dict[str, dict[str, Any]] = {
    "Pod": {"spec": {"containers": None}, "status": {}},
    "Node": {"spec": {}, "status": {
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
        "nodeInfo": {key: "" for key in (
            "machineID", "systemUUID", "bootID", "kernelVersion", "osImage",
            "containerRuntimeVersion", "kubeletVersion", "kubeProxyVersion",
            "operatingSystem", "architecture")}}},
    "Namespace": {"spec": {}, "status": {}},
    "Service": {"spec": {}, "status": {"loadBalancer": {}}},
    "Deployment": {"spec": {**_WORKLOAD, "strategy": {}}, "status": {}},
    "ReplicaSet": {"spec": {"selector": None, "template": {"metadata": {}, "spec": {
        "containers": None}}}, "status": {"replicas": 0}},
    "StatefulSet": {"spec": {**_WORKLOAD, "serviceName": "", "updateStrategy": {}},
                    "status": {"replicas": 0}},
    "DaemonSet": {"spec": {**_WORKLOAD, "updateStrategy": {}}, "status": {
        "currentNumberScheduled": 0, "numberMisscheduled": 0,
        "desiredNumberScheduled": 0, "numberReady": 0}},
    "Job": {"spec": {"template": {"metadata": {}, "spec": {"containers": None}}}, "status": {}},
}
