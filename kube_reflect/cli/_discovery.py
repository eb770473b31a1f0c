"""Which resources a cluster has, found by the names that people use."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.resource import Resource

from kube_reflect.cli._connection import Connection
from kube_reflect.cli._failure import CommandFailed
from kube_reflect.object_ref import ApiResource

__all__ = ["Kind", "everything", "find"]

_VERSION = re.compile(r"v\d+((alpha|beta)\d+)?")


@dataclass(frozen=True)
class Kind:
    """A resource, as discovery tells of it.

    :param resource: group, version, kind, plural, and whether it has namespaces.
    :param names: in small letters, all by which it may be called.
    :param verbs: what can be done with it.
    """

    resource: ApiResource
    names: frozenset[str]
    verbs: frozenset[str]

    @property
    def qualified(self) -> str:
        """``deployments.apps``, or ``pods`` for the core group."""
        return ".".join(filter(None, (self.resource.plural, self.resource.group)))

    @property
    def prefix(self) -> str:
        """As ``-o name`` has it before the name: ``deployment.apps``, ``pod``."""
        return ".".join(filter(None, (self.resource.kind.lower(), self.resource.group)))

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """Return the path of its objects, or of one of them."""
        resource = self.resource
        path = f"/{'apis' if resource.group else 'api'}/{resource.api_version}"
        if resource.namespaced and namespace is not None:
            path += f"/namespaces/{namespace}"
        return f"{path}/{resource.plural}" + (f"/{name}" if name else "")

    def list_function(self, connection: Connection, namespace: str | None) -> Any:
        """Return what a `Reflector` or `Watcher` takes.

        :param namespace: None for all; of no account where there are none.
        """
        resource = self.resource
        found = Resource(
            prefix="apis" if resource.group else "api", group=resource.group,
            api_version=resource.version, kind=resource.kind, namespaced=resource.namespaced,
            verbs=sorted(self.verbs), name=resource.plural, client=connection.dynamic)
        if namespace is None or not resource.namespaced:
            return found
        return functools.partial(found.get, namespace=namespace)

    def check(self, *verbs: str) -> None:
        """Make sure that it can be listed, watched, or whatever.

        :raises CommandFailed: it cannot.
        """
        lacking = [verb for verb in verbs if verb not in self.verbs]
        if lacking:
            raise CommandFailed(f"{self.qualified} cannot be {_DONE[lacking[0]]}: the server "
                                f"serves only {', '.join(sorted(self.verbs))} for it")


_DONE = {"list": "listed", "watch": "watched", "get": "read"}


def find(connection: Connection, text: str) -> Kind:
    """Find a resource by what people call it.

    :param text: its plural, singular or short name or its kind, and after a dot, if need be, its
        group, or its version and its group: ``pods``, ``po``, ``deployments.apps``,
        ``deploy.v1.apps``. Where several groups have it, the first that the server names counts.
    :raises CommandFailed: there is none.
    """
    name, group, version = _taken_apart(text)
    seen = []
    for kind in _kinds(connection, group, version):
        if name in kind.names:
            return kind
        seen.append(kind)
    if version is not None:
        # What looks like a version may be the beginning of a group.
        for kind in _kinds(connection, ".".join(filter(None, (version, group))), None):
            if name in kind.names:
                return kind
    known = sorted({other for kind in seen for other in kind.names})
    close = difflib.get_close_matches(name, known, 1)
    raise CommandFailed(f"the server has no resource {text!r}"
                        + (f"; did you mean {close[0]!r}?" if close else ""))


def everything(connection: Connection) -> Iterator[Kind]:
    """Yield all that can be listed and watched, in the server's order, each in one version."""
    seen = set()
    for kind in _kinds(connection, None, None):
        key = kind.resource.group, kind.resource.plural
        if {"list", "watch"} <= kind.verbs and key not in seen:
            seen.add(key)
            yield kind


def _taken_apart(text: str) -> tuple[str, str | None, str | None]:
    name, dot, rest = text.lower().partition(".")
    if not name:
        raise CommandFailed(f"{text!r} names no resource")
    first, _, group = rest.partition(".")
    if _VERSION.fullmatch(first):
        return name, group, first
    return name, rest if dot else None, None


def _kinds(connection: Connection, group: str | None, version: str | None) -> Iterator[Kind]:
    """Yield what a group has, or all groups, asking for each only when it is its turn."""
    if not group:
        yield from _of(connection, "", version or "v1")
    if group == "":
        return
    for one in connection.get("/apis").get("groups", []):
        if group is not None and one["name"] != group:
            continue
        # The one that the server prefers comes first.
        versions = dict.fromkeys([one["preferredVersion"]["version"]] if
                                 one.get("preferredVersion") else [])
        versions |= dict.fromkeys(other["version"] for other in one["versions"])
        for served in versions:
            if version is None or served == version:
                yield from _of(connection, one["name"], served)


def _of(connection: Connection, group: str, version: str) -> Iterator[Kind]:
    path = f"/apis/{group}/{version}" if group else f"/api/{version}"
    try:
        found = connection.get(path)
    except ApiException as error:
        if error.status in (401, 403):
            raise
        # Another server may stand behind a group, and be away.
        return
    for one in found.get("resources", []):
        if "/" in one["name"]:
            continue
        resource = ApiResource(group, version, one["kind"], one["name"], one["namespaced"])
        names = {one["name"], one.get("singularName"), one["kind"].lower(),
                 *one.get("shortNames", [])}
        yield Kind(resource, frozenset(filter(None, names)), frozenset(one.get("verbs", [])))
