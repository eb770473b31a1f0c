"""Which resources the fake server has."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from kube_reflect.object_ref import ApiResource

#: What can be done with a resource that does not say otherwise.
ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_CORE = (
    "Pod pods", "Service services", "ConfigMap configmaps", "Secret secrets", "Event events",
    "Endpoints endpoints", "ServiceAccount serviceaccounts", "LimitRange limitranges",
    "ResourceQuota resourcequotas", "ReplicationController replicationcontrollers",
    "PersistentVolumeClaim persistentvolumeclaims", "PodTemplate podtemplates",
)
_CORE_CLUSTER = ("Node nodes", "Namespace namespaces", "PersistentVolume persistentvolumes")
_NAMESPACED = {
    "apps/v1": ("Deployment deployments", "ReplicaSet replicasets", "StatefulSet statefulsets",
                "DaemonSet daemonsets", "ControllerRevision controllerrevisions"),
    "batch/v1": ("Job jobs", "CronJob cronjobs"),
    "autoscaling/v2": ("HorizontalPodAutoscaler horizontalpodautoscalers",),
    "policy/v1": ("PodDisruptionBudget poddisruptionbudgets",),
    "networking.k8s.io/v1": ("Ingress ingresses", "NetworkPolicy networkpolicies"),
    "coordination.k8s.io/v1": ("Lease leases",),
    "discovery.k8s.io/v1": ("EndpointSlice endpointslices",),
    "events.k8s.io/v1": ("Event events",),
    "rbac.authorization.k8s.io/v1": ("Role roles", "RoleBinding rolebindings"),
}
_CLUSTER = {
    "networking.k8s.io/v1": ("IngressClass ingressclasses",),
    "storage.k8s.io/v1": ("StorageClass storageclasses", "CSINode csinodes",
                          "VolumeAttachment volumeattachments"),
    "scheduling.k8s.io/v1": ("PriorityClass priorityclasses",),
    "rbac.authorization.k8s.io/v1": ("ClusterRole clusterroles",
                                     "ClusterRoleBinding clusterrolebindings"),
    "apiextensions.k8s.io/v1": ("CustomResourceDefinition customresourcedefinitions",),
    "admissionregistration.k8s.io/v1": (
        "MutatingWebhookConfiguration mutatingwebhookconfigurations",
        "ValidatingWebhookConfiguration validatingwebhookconfigurations"),
}
_SHORT_NAMES = {
    "pods": ("po",), "services": ("svc",), "configmaps": ("cm",), "namespaces": ("ns",),
    "nodes": ("no",), "events": ("ev",), "deployments": ("deploy",), "replicasets": ("rs",),
    "statefulsets": ("sts",), "daemonsets": ("ds",), "cronjobs": ("cj",), "endpoints": ("ep",),
    "horizontalpodautoscalers": ("hpa",), "ingresses": ("ing",), "limitranges": ("limits",),
    "networkpolicies": ("netpol",), "persistentvolumeclaims": ("pvc",),
    "persistentvolumes": ("pv",), "poddisruptionbudgets": ("pdb",), "priorityclasses": ("pc",),
    "replicationcontrollers": ("rc",), "resourcequotas": ("quota",), "serviceaccounts": ("sa",),
    "storageclasses": ("sc",), "customresourcedefinitions": ("crd", "crds"),
}

_FIRST = "load its CustomResourceDefinition, or register() its ApiResource, first"


def _resource(api_version: str, names: str, namespaced: bool) -> ApiResource:
    group, _, version = api_version.rpartition("/")
    kind, plural = names.split()
    return ApiResource(group, version, kind, plural, namespaced)


def builtin_resources() -> list[ApiResource]:
    """The kinds that every FakeApiServer knows from the start."""
    found = [_resource("v1", names, True) for names in _CORE]
    found += [_resource("v1", names, False) for names in _CORE_CLUSTER]
    for table, namespaced in ((_NAMESPACED, True), (_CLUSTER, False)):
        for api_version, kinds in table.items():
            found += [_resource(api_version, names, namespaced) for names in kinds]
    return found


def complete(resource: ApiResource) -> ApiResource:
    """Fill in what an ApiResource may leave open: a plain plural, and that it is namespaced."""
    if not isinstance(resource, ApiResource):
        raise TypeError(f"an ApiResource is needed, not {type(resource).__name__}")
    plural = resource.plural or f"{resource.kind.lower()}s"
    namespaced = True if resource.namespaced is None else resource.namespaced
    return ApiResource(resource.group, resource.version, resource.kind, plural, namespaced)


class Registry:
    """The resources of one server, found by path, by kind or by name; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._builtin = {self._key(resource): resource for resource in builtin_resources()}
        self._by_path = dict(self._builtin)
        self._verbs: dict[tuple[str, str, str], tuple[str, ...]] = {}
        self._short_names: dict[tuple[str, str, str], tuple[str, ...]] = {}

    @staticmethod
    def _key(resource: ApiResource) -> tuple[str, str, str]:
        return resource.group, resource.version, str(resource.plural)

    def add(self, resource: ApiResource, verbs: Iterable[str] | None = None,
            short_names: Iterable[str] = ()) -> ApiResource:
        """Add a resource and return it in full; again, with other verbs or short names."""
        resource = complete(resource)
        if isinstance(verbs, str):
            raise TypeError(f"verbs must be several strings, not {verbs!r}")
        with self._lock:
            if verbs is not None:
                self._verbs[self._key(resource)] = tuple(verbs)
            if short_names:
                self._short_names[self._key(resource)] = tuple(short_names)
            return self._by_path.setdefault(self._key(resource), resource)

    def verbs(self, resource: ApiResource) -> tuple[str, ...]:
        """What can be done with a resource."""
        return self._verbs.get(self._key(resource), ALL_VERBS)

    def short_names(self, resource: ApiResource) -> tuple[str, ...]:
        """What a resource is called for short."""
        return self._short_names.get(self._key(resource), _SHORT_NAMES.get(
            str(resource.plural), ()) if self._key(resource) in self._builtin else ())

    def remove(self, resource: ApiResource) -> None:
        """Remove a resource."""
        with self._lock:
            self._by_path.pop(self._key(resource), None)
            self._verbs.pop(self._key(resource), None)
            self._short_names.pop(self._key(resource), None)

    def is_custom(self, resource: ApiResource) -> bool:
        """Whether a resource is a custom one, as those of a CustomResourceDefinition."""
        return "." in resource.group and self._key(resource) not in self._builtin

    def has_builtin(self, group: str, version: str) -> bool:
        """Whether a group and version are the server's own."""
        return any(key[:2] == (group, version) for key in self._builtin)

    def all(self) -> list[ApiResource]:
        """Every resource, in the order of registration."""
        with self._lock:
            return list(self._by_path.values())

    def at(self, group: str, version: str, plural: str) -> ApiResource | None:
        """The resource of a path, or None."""
        with self._lock:
            return self._by_path.get((group, version, plural))

    def of_object(self, api_version: str, kind: str) -> ApiResource:
        """The resource of an object's apiVersion and kind.

        :raises ValueError: no such resource is registered.
        """
        for resource in self.all():
            if resource.api_version == api_version and resource.kind == kind:
                return resource
        raise ValueError(
            f"the fake API server has no {kind} of {api_version}; {_FIRST}")

    def find(self, resource: ApiResource | str) -> ApiResource:
        """The resource meant by an ApiResource, a kind, a plural, or ``plural.group``.

        :raises ValueError: none is registered, or several would fit.
        """
        if isinstance(resource, ApiResource):
            return self.of_object(resource.api_version, resource.kind)
        if not isinstance(resource, str):
            raise TypeError(
                f"an ApiResource, a kind or a plural is needed, not {type(resource).__name__}")
        name, _, group = resource.partition(".")
        found = [one for one in self.all()
                 if name in (one.plural, one.kind) and (not group or one.group == group)]
        core = [one for one in found if not one.group]
        if len(found) > 1 and len(core) == 1:
            return core[0]
        if len(found) == 1:
            return found[0]
        if not found:
            raise ValueError(f"the fake API server has no resource {resource!r}; {_FIRST}")
        names = ", ".join(f"{one.plural} of {one.api_version}" for one in found)
        raise ValueError(f"{resource!r} may be {names}; pass the ApiResource")
