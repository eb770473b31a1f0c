"""The kinds that the contract tests use, and plain objects of each."""

from __future__ import annotations

from typing import Any

from kube_reflect import ApiResource

CONFIG_MAPS = ApiResource("", "v1", "ConfigMap", "configmaps", True)
SECRETS = ApiResource("", "v1", "Secret", "secrets", True)
PODS = ApiResource("", "v1", "Pod", "pods", True)
DEPLOYMENTS = ApiResource("apps", "v1", "Deployment", "deployments", True)
RBAC = "rbac.authorization.k8s.io"
CLUSTER_ROLES = ApiResource(RBAC, "v1", "ClusterRole", "clusterroles", False)
ROLES = ApiResource(RBAC, "v1", "Role", "roles", True)
ROLE_BINDINGS = ApiResource(RBAC, "v1", "RoleBinding", "rolebindings", True)
DEFINITIONS = ApiResource(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False)
BUILT_IN = (CONFIG_MAPS, SECRETS, PODS, DEPLOYMENTS, CLUSTER_ROLES, ROLES, ROLE_BINDINGS,
            DEFINITIONS)

#: The label of what a test watches, in a cluster that others use too.
OURS = {"ours": ""}

_CONTAINERS = [{"name": "main", "image": "registry.example/web:1",
                "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}]


def thing(resource: ApiResource, name: str, namespace: str | None = None,
          labels: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    """Make an object with the given top-level fields."""
    metadata: dict[str, Any] = {"name": name}
    if namespace is not None:
        metadata["namespace"] = namespace
    if labels is not None:
        metadata["labels"] = labels
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata,
            **fields}


def config_map(name: str, namespace: str, value: str = "",
               labels: dict[str, str] | None = None) -> dict[str, Any]:
    return thing(CONFIG_MAPS, name, namespace, labels, data={"value": value})


def pod(name: str, namespace: str, labels: dict[str, str] | None = None) -> dict[str, Any]:
    """A pod that no scheduler takes care of, so that it stays as it is."""
    spec = {"containers": _CONTAINERS, "schedulerName": "nobody", "restartPolicy": "Always"}
    return thing(PODS, name, namespace, labels, spec=spec)


def deployment(name: str, namespace: str) -> dict[str, Any]:
    labels = {"app": name}
    return thing(DEPLOYMENTS, name, namespace, labels, spec={
        "replicas": 0, "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": _CONTAINERS}}})


def definition(resource: ApiResource) -> dict[str, Any]:
    """The CustomResourceDefinition that makes a server serve a resource."""
    return thing(DEFINITIONS, f"{resource.plural}.{resource.group}", spec={
        "group": resource.group,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "names": {"plural": resource.plural, "kind": resource.kind},
        "versions": [{
            "name": resource.version, "served": True, "storage": True,
            "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}],
    })
