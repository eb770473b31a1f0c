"""References to objects: which kind, which namespace, which name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["ApiResource", "ObjectRef", "read_field"]

_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")


def _check_text(what: str, value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a str, not {type(value).__name__}")
    if not value:
        raise ValueError(f"{what} must not be empty")


@dataclass(frozen=True, slots=True)
class ApiResource:
    """A kind of object as the API server serves it.

    It is immutable and hashable; any thread may use it.

    :param group: the API group, ``""`` for the core group.
    :param version: the version within the group, such as ``v1``.
    :param kind: the kind in CamelCase, such as ``Pod``.
    :param plural: the name in URL paths, such as ``pods``; None where it is not known.
    :param namespaced: whether objects of the kind live in namespaces; None where it is not known.
    :raises TypeError: if one of them has the wrong type.
    :raises ValueError: if version, kind or plural is empty, or group or version holds a slash.
    """

    group: str
    version: str
    kind: str
    plural: str | None = None
    namespaced: bool | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.group, str):
            raise TypeError(f"group must be a str, not {type(self.group).__name__}")
        _check_text("version", self.version)
        _check_text("kind", self.kind)
        if self.plural is not None:
            _check_text("plural", self.plural)
        if self.namespaced is not None and not isinstance(self.namespaced, bool):
            raise TypeError(f"namespaced must be a bool or None, "
                            f"not {type(self.namespaced).__name__}")
        if "/" in self.group or "/" in self.version:
            raise ValueError(f"group and version must not hold a slash: {self.group!r}, "
                             f"{self.version!r} (from_api_version takes them joined)")

    @classmethod
    def from_api_version(cls, api_version: str, kind: str, plural: str | None = None,
                         namespaced: bool | None = None) -> ApiResource:
        """Make one from an ``apiVersion`` as it stands in manifests.

        :param api_version: ``v1`` for the core group, else ``group/version``. The others are as
            of the class, and so is what is raised.
        :raises ValueError: also if ``api_version`` is neither of the two forms.
        """
        _check_text("api_version", api_version)
        group, slash, version = api_version.rpartition("/")
        if "/" in group or (slash and not group) or not version:
            raise ValueError(f"api_version must be 'version' or 'group/version', "
                             f"not {api_version!r}")
        return cls(group, version, kind, plural, namespaced)

    @property
    def api_version(self) -> str:
        """The ``apiVersion`` as it stands in manifests: ``v1``, ``apps/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version


@dataclass(frozen=True, slots=True, eq=False)
class ObjectRef:
    """A reference to one object, whether or not that object exists.

    Two refs are equal, and hash alike, if group, version, kind, namespace and name are;
    ``resource_version`` and ``uid`` say which moment and which incarnation of the object the ref
    was made from, and do not count. A ref without a resource is erased: it equals only refs
    that have none either.

    It is immutable; any thread may use it. A comparison costs one comparison of tuples.

    :param name: ``metadata.name``.
    :param namespace: ``metadata.namespace``; None, or ``""``, where the object has none. It is
        dropped if the resource is known not to be namespaced.
    :param resource: the kind of object.
    :param resource_version: ``metadata.resourceVersion``.
    :param uid: ``metadata.uid``.
    :raises TypeError: if one of them has the wrong type.
    :raises ValueError: if the name is empty.
    """

    name: str
    namespace: str | None = None
    resource: ApiResource | None = field(default=None, kw_only=True)
    resource_version: str | None = field(default=None, kw_only=True)
    uid: str | None = field(default=None, kw_only=True)
    # Made once, since a ref is hashed and compared far more often than it is made.
    _key: tuple[str | None, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        _check_text("name", self.name)
        namespace, resource = self.namespace, self.resource
        if resource is not None and not isinstance(resource, ApiResource):
            raise TypeError(f"resource must be an ApiResource or None, "
                            f"not {type(resource).__name__}")
        for what in ("namespace", "resource_version", "uid"):
            value = getattr(self, what)
            if value is not None and not isinstance(value, str):
                raise TypeError(f"{what} must be a str or None, not {type(value).__name__}")
        if not namespace or (resource is not None and resource.namespaced is False):
            namespace = None
        object.__setattr__(self, "namespace", namespace)
        kind = ((None, None, None) if resource is None
                else (resource.group, resource.version, resource.kind))
        object.__setattr__(self, "_key", (*kind, namespace, self.name))

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, ObjectRef) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)

    def __str__(self) -> str:
        name = f"{self.name}.{self.namespace}" if self.namespace else self.name
        resource = self.resource
        if resource is None:
            return name
        return f"{resource.kind}.{resource.version}.{resource.group}/{name}"

    @classmethod
    def from_object(cls, obj: Any, resource: ApiResource | None = None) -> ObjectRef:
        """Make a ref to an object at hand, with its uid and resource version.

        :param obj: a mapping with the keys of the wire (camelCase), a model of the official
            client, or an object of its dynamic client.
        :param resource: the kind of object. It wins over what the object says of itself. Without
            it the object's apiVersion and kind count, and where they are missing, as in the items
            of a list, or are those of PartialObjectMetadata, the ref is erased.
        :raises TypeError: if a field that counts has the wrong type.
        :raises ValueError: if the object has no ``metadata.name``.
        """
        metadata = read_field(obj, "metadata")
        name = read_field(metadata, "name")
        if not name:
            raise ValueError(f"an object without metadata.name has no ref "
                             f"(a {type(obj).__name__})")
        if resource is None:
            resource = _resource_of(obj)
            if resource is not None and resource.kind == "PartialObjectMetadata":
                # That is the kind of the answer; of which kind the object is, it does not say.
                resource = None
        return cls(name, read_field(metadata, "namespace"), resource=resource,
                   resource_version=read_field(metadata, "resourceVersion"),
                   uid=read_field(metadata, "uid"))

    @classmethod
    def from_owner_reference(cls, owner: Any, namespace: str | None = None,
                             resource: ApiResource | None = None) -> ObjectRef | None:
        """Make a ref to an owner, as an object's ``metadata.ownerReferences`` names it.

        Group and kind decide whether an owner is of the resource asked for. The version does not:
        an owner reference keeps the version it was written with, and names the same object in
        every version that the server serves. The ref then has the version of ``resource``.

        :param owner: an item of ``ownerReferences``, as a mapping or as a ``V1OwnerReference``.
        :param namespace: the namespace of the object that is owned; owners that have a namespace
            live in the same. Give None, or a resource that is known not to be namespaced, if
            the owner has none.
        :param resource: the kind of owner looked for; None takes any.
        :returns: the ref, with the owner's uid, or None if the owner is of another kind.
        :raises TypeError: if a field that counts has the wrong type.
        :raises ValueError: if the owner lacks apiVersion, kind or name.
        """
        found = _resource_of(owner)
        name = read_field(owner, "name")
        if found is None or not name:
            raise ValueError("an owner reference needs apiVersion, kind and name")
        if resource is None:
            resource = found
        elif (found.group, found.kind) != (resource.group, resource.kind):
            return None
        return cls(name, namespace, resource=resource, uid=read_field(owner, "uid"))

    def within(self, namespace: str | None) -> ObjectRef:
        """Return a copy of the ref in a namespace.

        :param namespace: the namespace; None or ``""`` for none.
        :raises TypeError: if it is not a str.
        """
        return replace(self, namespace=namespace)

    def erased(self) -> ObjectRef:
        """Return a copy of name and namespace alone, without resource, resource version and uid."""
        return ObjectRef(self.name, self.namespace)

    def to_object_reference(self) -> dict[str, str]:
        """Return the ref in the shape of the API's ObjectReference, as events and statuses hold it.

        :returns: a new dict with camelCase keys; what the ref does not know is left out.
        """
        resource = self.resource
        reference = {
            "apiVersion": resource and resource.api_version,
            "kind": resource and resource.kind,
            "name": self.name,
            "namespace": self.namespace,
            "resourceVersion": self.resource_version,
            "uid": self.uid,
        }
        return {key: value for key, value in reference.items() if value}


def read_field(obj: Any, *path: str) -> Any:
    """Read a field of a mapping (camelCase) or of a model (snake_case); None where it is not."""
    for key in path:
        if obj is None:
            return None
        if isinstance(obj, Mapping):
            obj = obj.get(key)
        else:
            value = getattr(obj, _CAPITAL.sub(r"_\1", key).lower(), None)
            # Objects of the dynamic client have the keys as on the wire.
            obj = value if value is not None else getattr(obj, key, None)
    return obj


def _resource_of(obj: Any) -> ApiResource | None:
    api_version, kind = read_field(obj, "apiVersion"), read_field(obj, "kind")
    return ApiResource.from_api_version(api_version, kind) if api_version and kind else None
