"""What a client asks a server about itself: versions, groups, resources, health."""

from __future__ import annotations

from typing import Any

from kube_reflect.object_ref import ApiResource
from kube_reflect.testing._resources import Registry


def discover(registry: Registry, path: str, streaming_list: bool) -> dict[str, Any] | None:
    """The answer to a discovery path, or None where it is none."""
    parts = path.strip("/").split("/")
    if parts == ["version"]:
        minor = "36" if streaming_list else "20"
        return {"major": "1", "minor": minor, "gitVersion": f"v1.{minor}.0-kube-reflect-testing",
                "gitCommit": "", "gitTreeState": "", "buildDate": "1970-01-01T00:00:00Z",
                "goVersion": "", "compiler": "", "platform": ""}
    if parts == ["api"]:
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if parts[0] == "api" and len(parts) == 2:
        return _resource_list(registry, "", parts[1])
    if parts == ["apis"]:
        groups = dict.fromkeys(one.group for one in registry.all() if one.group)
        return {"kind": "APIGroupList", "apiVersion": "v1",
                "groups": [_group(registry, group) for group in groups]}
    if parts[0] == "apis" and len(parts) == 2:
        group = _group(registry, parts[1])
        return {"kind": "APIGroup", "apiVersion": "v1", **group} if group["versions"] else None
    if parts[0] == "apis" and len(parts) == 3:
        return _resource_list(registry, parts[1], parts[2])
    return None


def _group(registry: Registry, group: str) -> dict[str, Any]:
    versions = [{"groupVersion": api_version, "version": version} for api_version, version in
                dict.fromkeys((one.api_version, one.version) for one in registry.all()
                              if one.group == group)]
    return {"name": group, "versions": versions,
            "preferredVersion": versions[0] if versions else None}


def _resource_list(registry: Registry, group: str, version: str) -> dict[str, Any] | None:
    found = [one for one in registry.all() if (one.group, one.version) == (group, version)]
    if not found:
        return None
    resources = []
    for one in found:
        resources.append(_described(one, registry))
        resources.append({"name": f"{one.plural}/status", "singularName": "",
                          "namespaced": one.namespaced, "kind": one.kind,
                          "verbs": ["get", "patch", "update"]})
    return {"kind": "APIResourceList", "apiVersion": "v1",
            "groupVersion": found[0].api_version, "resources": resources}


def _described(resource: ApiResource, registry: Registry) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": resource.plural, "singularName": resource.kind.lower(),
        "namespaced": resource.namespaced, "kind": resource.kind,
        "verbs": list(registry.verbs(resource))}
    short = registry.short_names(resource)
    if short:
        described["shortNames"] = list(short)
    return described
