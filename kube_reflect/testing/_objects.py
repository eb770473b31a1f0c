"""Create, update, patch and delete, with what the real server fills in and refuses."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from kube_reflect.object_ref import ApiResource
from kube_reflect.testing import _status as status
from kube_reflect.testing._encoding import Entry, arrange
from kube_reflect.testing._resources import Registry
from kube_reflect.testing._storage import Collection, Storage, object_key

# The system's: what a test has seeded is not moved on by a server's thread.
_random = random.SystemRandom()
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
_OURS = ("uid", "creationTimestamp", "generation", "deletionTimestamp",
         "deletionGracePeriodSeconds")
#: The phase that the real server gives what comes without one, by the plural.
_FIRST_PHASES = {"pods": "Pending", "namespaces": "Active", "persistentvolumes": "Pending",
                 "persistentvolumeclaims": "Pending"}


def now() -> str:
    """The time as the API server writes it."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def checked_copy(obj: Mapping[str, Any]) -> dict[str, Any]:
    """A deep copy of an object from outside, checked to be JSON.

    :raises TypeError: it is no mapping, or holds what JSON has not.
    """
    if not isinstance(obj, Mapping):
        raise TypeError(f"an object is a mapping, not {type(obj).__name__}")
    copied: dict[str, Any] = json.loads(json.dumps(dict(obj)))
    return copied


def merged(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7386); nothing given is changed."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


class Objects:
    """The writes of one server. Each is atomic; any thread may call."""

    def __init__(self, registry: Registry, storage: Storage) -> None:
        self._registry = registry
        self._storage = storage

    def collection(self, resource: ApiResource) -> Collection:
        """The collection of a resource; hold the storage's lock."""
        return self._storage.collection(
            (resource.group, resource.version, str(resource.plural)))

    def get(self, resource: ApiResource, namespace: str | None, name: str) -> Entry:
        """The current state of an object.

        :raises ApiStatusError: 404.
        """
        with self._storage.lock:
            entry = self.collection(resource).entries.get(object_key(namespace, name))
        if entry is None:
            raise status.not_found(resource, name)
        return entry

    def namespace_of(self, resource: ApiResource, obj: Mapping[str, Any]) -> str | None:
        """The namespace an object goes to; without one, ``default``, as with kubectl."""
        if not resource.namespaced:
            return None
        return obj["metadata"].get("namespace") or "default"

    def create(self, resource: ApiResource, namespace: str | None, given: Any) -> Entry:
        """Store a new object.

        :raises ApiStatusError: 409 where it exists, 422 where it has no name.
        """
        obj = _checked(resource, namespace, given)
        metadata = obj["metadata"]
        if metadata.get("generateName") and not metadata.get("name"):
            metadata["name"] = metadata["generateName"] + "".join(_random.choices(_SUFFIX, k=5))
        name = metadata.get("name")
        if not isinstance(name, str) or not name:
            raise status.invalid(resource.group, resource.kind, "", [
                ("FieldValueRequired", "metadata.name",
                 "Required value: name or generateName is required")])
        metadata.update(uid=str(uuid.uuid4()), creationTimestamp=now())
        metadata.pop("deletionTimestamp", None)
        custom = self._registry.is_custom(resource)
        metadata.pop("generation", None)
        if custom or "spec" in obj:
            metadata["generation"] = 1
        with self._storage.lock:
            collection = self.collection(resource)
            if object_key(namespace, name) in collection.entries:
                raise status.already_exists(resource, name)
            return self._write(resource, collection, None, _with_phase(resource, obj))

    def update(
        self, resource: ApiResource, namespace: str | None, given: Any, *,
        name: str | None = None, subresource: str | None = None,
    ) -> Entry:
        """Replace an object, or with the subresource ``status`` only its status.

        :raises ApiStatusError: 404, or 409 where its resourceVersion or uid is not the current.
        """
        obj = _checked(resource, namespace, given)
        metadata = obj["metadata"]
        name = name or metadata.get("name")
        if not name or metadata.setdefault("name", name) != name:
            raise status.bad_request(
                f"the name of the object ({metadata.get('name')}) does not match the name on the "
                f"URL ({name})")
        with self._storage.lock:
            before = self.get(resource, namespace, name)
            stored = before.obj
            current = stored["metadata"]
            if metadata.get("uid") not in (None, "", current["uid"]):
                raise status.conflict(resource, name, (
                    f"Precondition failed: UID in precondition: {metadata['uid']}, "
                    f"UID in object meta: {current['uid']}"))
            if metadata.get("resourceVersion") not in (None, "", current["resourceVersion"]):
                raise status.conflict(resource, name)
            if subresource == "status":
                obj = {key: value for key, value in stored.items() if key != "status"}
                if "status" in given:
                    obj["status"] = given["status"]
            return self._replace(resource, before, obj)

    def patch(
        self, resource: ApiResource, namespace: str | None, name: str, patch: Any, *,
        subresource: str | None = None,
    ) -> Entry:
        """Apply a merge patch.

        :raises ApiStatusError: 404, 409, or 400 where the patch is no object.
        """
        if not isinstance(patch, Mapping):
            raise status.bad_request("a merge patch must be a JSON object")
        with self._storage.lock:
            before = self.get(resource, namespace, name)
            obj = merged(before.obj, patch)
            if not (patch.get("metadata") or {}).get("resourceVersion"):
                obj["metadata"]["resourceVersion"] = str(before.version)
            return self.update(resource, namespace, obj, name=name, subresource=subresource)

    def delete(
        self, resource: ApiResource, namespace: str | None, name: str,
        options: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Remove an object, or mark it where finalizers hold it.

        :raises ApiStatusError: 404, or 409 where the preconditions do not hold.
        """
        with self._storage.lock:
            before = self.get(resource, namespace, name)
            obj = before.obj
            metadata = obj["metadata"]
            for key, wanted in ((options or {}).get("preconditions") or {}).items():
                if wanted and metadata.get(key) != wanted:
                    raise status.conflict(resource, name, (
                        f"Precondition failed: {key} in precondition: {wanted}, "
                        f"{key} in object meta: {metadata.get(key)}"))
            if not metadata.get("finalizers"):
                return self._remove(resource, before, obj)
            if metadata.get("deletionTimestamp"):
                return before
            marked = {**metadata, "deletionTimestamp": now(), "deletionGracePeriodSeconds": 0}
            return self._write(resource, self.collection(resource), before,
                               {**obj, "metadata": marked})

    def unregister(self, resource: ApiResource) -> None:
        """Delete every object of a resource, then the resource itself."""
        with self._storage.lock:
            collection = self.collection(resource)
            for entry in collection.page(self._storage.version, "", ""):
                self._remove(resource, entry, entry.obj)
            self._registry.remove(resource)
            self._storage.end((resource.group, resource.version, str(resource.plural)))

    def _replace(self, resource: ApiResource, before: Entry, obj: dict[str, Any]) -> Entry:
        stored = before.obj
        current = stored["metadata"]
        metadata = {key: value for key, value in obj["metadata"].items() if key not in _OURS}
        metadata.update({key: current[key] for key in _OURS if key in current})
        metadata["resourceVersion"] = current["resourceVersion"]
        obj = arrange({**_with_phase(resource, obj), "metadata": metadata}, resource,
                      before.custom)
        if obj == stored:
            return before
        if "generation" in metadata and _spec_of(obj) != _spec_of(stored):
            obj["metadata"]["generation"] += 1
        if "deletionTimestamp" in metadata and not metadata.get("finalizers"):
            return self._remove(resource, before, obj)
        return self._write(resource, self.collection(resource), before, obj)

    def _write(self, resource: ApiResource, collection: Collection, before: Entry | None,
               obj: dict[str, Any]) -> Entry:
        version = str(self._storage.next_version())
        custom = self._registry.is_custom(resource)
        obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": version}}
        after = Entry(arrange(obj, resource, custom), custom)
        self._storage.write(collection, before, after)
        return after

    def _remove(self, resource: ApiResource, before: Entry, obj: dict[str, Any]) -> Entry:
        after = Entry(obj, before.custom).with_version(self._storage.next_version())
        self._storage.write(self.collection(resource), before, after, deleted=True)
        return after


def _with_phase(resource: ApiResource, obj: dict[str, Any]) -> dict[str, Any]:
    phase = None if resource.group else _FIRST_PHASES.get(str(resource.plural))
    state = obj.get("status") or {}
    if phase is None or not isinstance(state, Mapping) or state.get("phase"):
        return obj
    return {**obj, "status": {**state, "phase": phase}}


def _spec_of(obj: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in obj.items() if key not in ("metadata", "status")}


def _checked(resource: ApiResource, namespace: str | None, given: Any) -> dict[str, Any]:
    """An object that is meant for a resource and a namespace, its metadata free to change."""
    if not isinstance(given, Mapping) or not isinstance(given.get("metadata", {}), Mapping):
        raise status.bad_request("an object with a metadata mapping is needed")
    obj = dict(given)
    for key, wanted in (("kind", resource.kind), ("apiVersion", resource.api_version)):
        if obj.setdefault(key, wanted) != wanted:
            raise status.bad_request(
                f"the {key} of the object ({obj[key]}) does not match that of the URL ({wanted})")
    metadata = obj["metadata"] = dict(obj.get("metadata", {}))
    for field in ("labels", "annotations"):
        texts = metadata.get(field) or {}
        if not isinstance(texts, Mapping) or not all(isinstance(one, str)
                                                     for one in texts.values()):
            raise status.bad_request(f"metadata.{field} must be an object of strings")
    if namespace is None:
        metadata.pop("namespace", None)
    elif metadata.setdefault("namespace", namespace) != namespace:
        raise status.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request")
    return obj
