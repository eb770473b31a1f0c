"""The columns in which a server prints objects, as ``kubectl get`` shows them.

The fake API server answers with them where a Table is asked for, and the command line prints with
them what it has in a cache, where no server does it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

from kube_reflect.testing._paths import path, text_of

__all__ = ["Column", "age", "age_of", "columns_of", "defined_columns", "dig", "path",
           "seconds_since", "text_of"]

Object = Mapping[str, Any]
_NONE = "<none>"
_UNKNOWN = "<unknown>"
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400


class Column(NamedTuple):
    """A column of a table.

    :ivar name: its heading, ``Up-to-date`` for instance.
    :ivar of: gives the cell of an object, a string or an integer.
    :ivar wide: whether it is shown only where much is asked for (``-o wide``).
    :ivar type: ``string`` or ``integer``.
    """

    name: str
    of: Callable[[Object], Any]
    wide: bool = False
    type: str = "string"

    def cell(self, obj: Object) -> Any:
        """Return the cell of an object; ``<invalid>`` where the object is not what it should be."""
        try:
            return self.of(obj)
        except (AttributeError, KeyError, TypeError, ValueError):
            return "<invalid>"


def dig(obj: Any, path: str, default: Any = None) -> Any:
    """Read a field by its dotted path; the default where it, or what leads to it, is missing."""
    for part in path.split("."):
        obj = obj.get(part) if isinstance(obj, Mapping) else None
    return default if obj is None else obj


def age(seconds: float) -> str:
    """Write a duration as kubectl does: ``45s``, ``3m20s``, ``5h10m``, ``3d``, ``2y10d``."""
    if seconds < -1:
        return "<invalid>"
    whole = max(0, int(seconds))
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    if whole < 10 * _MINUTE:
        return _two(whole, _MINUTE, "m", 1, "s")
    if whole < 3 * _HOUR:
        return f"{whole // _MINUTE}m"
    if whole < 8 * _HOUR:
        return _two(whole, _HOUR, "h", _MINUTE, "m")
    if whole < 2 * _DAY:
        return f"{whole // _HOUR}h"
    if whole < 8 * _DAY:
        return _two(whole, _DAY, "d", _HOUR, "h")
    if whole < 2 * _YEAR:
        return f"{whole // _DAY}d"
    if whole < 8 * _YEAR:
        return _two(whole, _YEAR, "y", _DAY, "d")
    return f"{whole // _YEAR}y"


def _two(whole: int, large: int, large_name: str, small: int, small_name: str) -> str:
    rest = whole % large // small
    return f"{whole // large}{large_name}" + (f"{rest}{small_name}" if rest else "")


def seconds_since(text: Any, now: float | None = None) -> float | None:
    """Return the seconds since a time as the API writes it; None for what is none."""
    if not isinstance(text, str):
        return None
    try:
        then = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=timezone.utc)
    return (time.time() if now is None else now) - then.timestamp()


def age_of(obj: Object, path: str = "metadata.creationTimestamp") -> str:
    """Write how long ago a time in an object was, its creation unless another is named."""
    seconds = seconds_since(dig(obj, path))
    return _UNKNOWN if seconds is None else age(seconds)


def columns_of(group: str, plural: str) -> tuple[Column, ...]:
    """Return the columns of a resource; of an unknown one, name and age."""
    return _COLUMNS.get((group, plural), (_NAME, _AGE))


def _text(path: str, default: str = "") -> Callable[[Object], Any]:
    return lambda obj: dig(obj, path, default)


def _count(path: str) -> Callable[[Object], int]:
    def count(obj: Object) -> int:
        value = dig(obj, path, 0)
        return value if isinstance(value, int) else len(value)

    return count


def _of(ready: str, wanted: str) -> Callable[[Object], str]:
    return lambda obj: f"{dig(obj, ready, 0)}/{dig(obj, wanted, 0)}"


def _joined(values: Sequence[Any], default: str = _NONE) -> str:
    return ",".join(str(one) for one in values) or default


def _statuses(pod: Object, which: str) -> list[Object]:
    return [one for one in dig(pod, f"status.{which}", []) if isinstance(one, Mapping)]


def _ended(state: Object) -> str:
    """Return how a container ended, from its ``terminated``."""
    if state.get("reason"):
        return str(state["reason"])
    if state.get("signal"):
        return f"Signal:{state['signal']}"
    return f"ExitCode:{state.get('exitCode', 0)}"


def _init_status(pod: Object) -> str | None:
    """Return how far the init containers are; None if they are done, or there are none."""
    containers = dig(pod, "spec.initContainers", [])
    for number, one in enumerate(_statuses(pod, "initContainerStatuses")):
        ended, reason = dig(one, "state.terminated"), dig(one, "state.waiting.reason", "")
        if ended is not None and not ended.get("exitCode"):
            continue
        if ended is not None:
            return f"Init:{_ended(ended)}"
        if reason and reason != "PodInitializing":
            return f"Init:{reason}"
        if not one.get("started"):
            return f"Init:{number}/{len(containers)}"
    return None


def _pod_status(pod: Object) -> str:
    told = str(dig(pod, "status.reason") or dig(pod, "status.phase", "Unknown"))
    status = _init_status(pod)
    if status is None:
        status, running = told, False
        for one in reversed(_statuses(pod, "containerStatuses")):
            if dig(one, "state.waiting.reason"):
                status = dig(one, "state.waiting.reason")
            elif dig(one, "state.terminated") is not None:
                status = _ended(dig(one, "state.terminated"))
            elif one.get("ready") and dig(one, "state.running") is not None:
                running = True
        if status == "Completed" and running:
            ready = {one.get("type"): one.get("status") for one in _statuses(pod, "conditions")}
            status = "Running" if ready.get("Ready") == "True" else "NotReady"
    if dig(pod, "metadata.deletionTimestamp"):
        return "Unknown" if told == "NodeLost" else "Terminating"
    return str(status)


def _pod_ready(pod: Object) -> str:
    ready = sum(bool(one.get("ready")) for one in _statuses(pod, "containerStatuses"))
    return f"{ready}/{len(dig(pod, 'spec.containers', []))}"


def _pod_restarts(pod: Object) -> str:
    return str(sum(one.get("restartCount", 0) for one in _statuses(pod, "containerStatuses")))


def _node_status(node: Object) -> str:
    ready = {one.get("status") for one in dig(node, "status.conditions", [])
             if one.get("type") == "Ready"}
    status = "Ready" if "True" in ready else "NotReady" if ready else "Unknown"
    return status + (",SchedulingDisabled" if dig(node, "spec.unschedulable") else "")


def _node_roles(node: Object) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = dig(node, "metadata.labels", {})
    return _joined(sorted(key[len(prefix):] for key in labels if key.startswith(prefix)))


def _node_address(kind: str) -> Callable[[Object], str]:
    return lambda node: next((str(one.get("address")) for one in
                              dig(node, "status.addresses", []) if one.get("type") == kind), _NONE)


def _containers(field: str) -> Callable[[Object], str]:
    return lambda obj: _joined([one.get(field, "") for one in
                                dig(obj, "spec.template.spec.containers", [])])


def _selector(path: str) -> Callable[[Object], str]:
    return lambda obj: _joined([f"{key}={value}" for key, value in dig(obj, path, {}).items()])


def _service_address(service: Object) -> str:
    balanced = [one.get("ip") or one.get("hostname") for one in
                dig(service, "status.loadBalancer.ingress", [])]
    if dig(service, "spec.type") == "LoadBalancer":
        return _joined(balanced, "<pending>")
    if dig(service, "spec.type") == "ExternalName":
        return str(dig(service, "spec.externalName", _NONE))
    return _joined(dig(service, "spec.externalIPs", []))


def _service_ports(service: Object) -> str:
    return _joined([f"{one.get('port')}" + (f":{one['nodePort']}" if one.get("nodePort") else "")
                    + f"/{one.get('protocol', 'TCP')}" for one in dig(service, "spec.ports", [])])


def _job_status(job: Object) -> str:
    for one in dig(job, "status.conditions", []):
        if one.get("status") == "True" and one.get("type") in ("Complete", "Failed", "Suspended"):
            return str(one["type"])
    return "Terminating" if dig(job, "metadata.deletionTimestamp") else "Running"


def _job_completions(job: Object) -> str:
    return f"{dig(job, 'status.succeeded', 0)}/{dig(job, 'spec.completions', 1)}"


def _job_duration(job: Object) -> str:
    now = time.time()
    began = seconds_since(dig(job, "status.startTime"), now)
    ended = seconds_since(dig(job, "status.completionTime"), now)
    return "" if began is None else age(round(began - (ended or 0)))


def _event_object(event: Object) -> str:
    what = event.get("involvedObject") or event.get("regarding") or {}
    return f"{str(what.get('kind', '')).lower()}/{what.get('name', '')}"


def _event_seen(event: Object) -> str:
    for where in ("series.lastObservedTime", "lastTimestamp", "eventTime", "firstTimestamp"):
        if dig(event, where):
            return age_of(event, where)
    return age_of(event)


_NAME = Column("Name", _text("metadata.name"))
_AGE = Column("Age", age_of)
_IMAGES = (Column("Containers", _containers("name"), wide=True),
           Column("Images", _containers("image"), wide=True))
_SELECTOR = Column("Selector", _selector("spec.selector.matchLabels"), wide=True)
_MODES = Column("Access Modes", lambda obj: _joined(
    [{"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX",
      "ReadWriteOncePod": "RWOP"}.get(one, one) for one in dig(obj, "spec.accessModes", [])], ""))


def _number(name: str, path: str) -> Column:
    return Column(name, _count(path), type="integer")


def _named(*columns: Column) -> tuple[Column, ...]:
    return _NAME, *columns


_COLUMNS: dict[tuple[str, str], tuple[Column, ...]] = {
    ("", "pods"): _named(
        Column("Ready", _pod_ready), Column("Status", _pod_status),
        Column("Restarts", _pod_restarts), _AGE,
        Column("IP", _text("status.podIP", _NONE), wide=True),
        Column("Node", _text("spec.nodeName", _NONE), wide=True)),
    ("", "nodes"): _named(
        Column("Status", _node_status), Column("Roles", _node_roles), _AGE,
        Column("Version", _text("status.nodeInfo.kubeletVersion")),
        Column("Internal-IP", _node_address("InternalIP"), wide=True),
        Column("External-IP", _node_address("ExternalIP"), wide=True),
        Column("OS-Image", _text("status.nodeInfo.osImage", _UNKNOWN), wide=True)),
    ("", "namespaces"): _named(Column("Status", _text("status.phase", "Active")), _AGE),
    ("", "services"): _named(
        Column("Type", _text("spec.type", "ClusterIP")),
        Column("Cluster-IP", _text("spec.clusterIP", _NONE)),
        Column("External-IP", _service_address), Column("Port(s)", _service_ports), _AGE,
        Column("Selector", _selector("spec.selector"), wide=True)),
    ("", "configmaps"): _named(Column("Data", lambda obj: str(
        len(obj.get("data") or {}) + len(obj.get("binaryData") or {}))), _AGE),
    ("", "secrets"): _named(Column("Type", _text("type", "Opaque")), _number("Data", "data"), _AGE),
    ("", "persistentvolumeclaims"): _named(
        Column("Status", _text("status.phase")), Column("Volume", _text("spec.volumeName")),
        Column("Capacity", _text("status.capacity.storage")), _MODES,
        Column("StorageClass", _text("spec.storageClassName")), _AGE),
    ("", "persistentvolumes"): _named(
        Column("Capacity", _text("spec.capacity.storage")), _MODES,
        Column("Reclaim Policy", _text("spec.persistentVolumeReclaimPolicy")),
        Column("Status", _text("status.phase")),
        Column("Claim", lambda obj: "/".join(dig(obj, f"spec.claimRef.{key}", "") for key in
                                             ("namespace", "name")).strip("/")), _AGE),
    ("", "events"): (
        Column("Last Seen", _event_seen), Column("Type", _text("type")),
        Column("Reason", _text("reason")), Column("Object", _event_object),
        Column("Message", lambda event: str(event.get("message") or event.get("note") or "")
               .strip()), Column("Name", _text("metadata.name"), wide=True)),
    ("apps", "deployments"): _named(
        Column("Ready", _of("status.readyReplicas", "spec.replicas")),
        _number("Up-to-date", "status.updatedReplicas"),
        _number("Available", "status.availableReplicas"), _AGE, *_IMAGES, _SELECTOR),
    ("apps", "replicasets"): _named(
        _number("Desired", "spec.replicas"), _number("Current", "status.replicas"),
        _number("Ready", "status.readyReplicas"), _AGE, *_IMAGES, _SELECTOR),
    ("apps", "statefulsets"): _named(
        Column("Ready", _of("status.readyReplicas", "spec.replicas")), _AGE, *_IMAGES),
    ("apps", "daemonsets"): _named(
        _number("Desired", "status.desiredNumberScheduled"),
        _number("Current", "status.currentNumberScheduled"),
        _number("Ready", "status.numberReady"),
        _number("Up-to-date", "status.updatedNumberScheduled"),
        _number("Available", "status.numberAvailable"), _AGE, *_IMAGES, _SELECTOR),
    ("batch", "jobs"): _named(
        Column("Status", _job_status), Column("Completions", _job_completions),
        Column("Duration", _job_duration), _AGE, *_IMAGES),
    ("batch", "cronjobs"): _named(
        Column("Schedule", _text("spec.schedule")),
        Column("Suspend", lambda obj: str(bool(dig(obj, "spec.suspend")))),
        _number("Active", "status.active"),
        Column("Last Schedule", lambda obj: age_of(obj, "status.lastScheduleTime") if
               dig(obj, "status.lastScheduleTime") else _NONE), _AGE),
    ("networking.k8s.io", "ingresses"): _named(
        Column("Class", _text("spec.ingressClassName", _NONE)),
        Column("Hosts", lambda obj: _joined([one.get("host", "*") for one in
                                             dig(obj, "spec.rules", [])], "*")), _AGE),
    ("coordination.k8s.io", "leases"): _named(Column("Holder", _text("spec.holderIdentity")), _AGE),
    ("apiextensions.k8s.io", "customresourcedefinitions"): _named(
        Column("Created At", _text("metadata.creationTimestamp"))),
}
_COLUMNS["events.k8s.io", "events"] = _COLUMNS["", "events"]


def defined_columns(definition: Object, version: str) -> tuple[Column, ...]:
    """Return the columns that a CustomResourceDefinition names for a version; none if it does not.

    :param definition: the definition, as a mapping.
    """
    for one in dig(definition, "spec.versions", []):
        if dig(one, "name") == version:
            told = dig(one, "additionalPrinterColumns", [])
            return (*_named(), *map(_column, told)) if told else ()
    return ()


def _column(told: Object) -> Column:
    try:
        find = path(str(told.get("jsonPath", "")))
    except ValueError:
        return Column(str(told.get("name")), lambda obj: "<invalid>")
    wide = bool(told.get("priority"))
    if told.get("type") == "date":
        return Column(str(told.get("name")), lambda obj: "".join(
            age_of({"at": value}, "at") for value in find(obj)[:1]), wide)
    return Column(str(told.get("name")), lambda obj: "".join(map(text_of, find(obj)[:1])), wide)
