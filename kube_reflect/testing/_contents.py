"""What is in a fake API server: its resources and objects, as a test arranges them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kube_reflect.object_ref import ApiResource
from kube_reflect.testing._loading import Source, definitions, objects_in
from kube_reflect.testing._objects import Objects, checked_copy
from kube_reflect.testing._resources import Registry
from kube_reflect.testing._status import ApiStatusError
from kube_reflect.testing._storage import Storage

_FIRST_VERSION = 1000


class Contents:
    """Resources and objects; any thread may call any method.

    :param history: how many changes of each resource are kept.
    """

    def __init__(self, history: int) -> None:
        self._registry = Registry()
        self._storage = Storage(_FIRST_VERSION, history)
        self._objects = Objects(self._registry, self._storage)

    @property
    def resource_version(self) -> str:
        """The current resource version of the whole server."""
        with self._storage.lock:
            return str(self._storage.version)

    def register(self, resource: ApiResource, *,
                 verbs: Iterable[str] | None = None,
                 short_names: Iterable[str] = ()) -> ApiResource:
        """Serve another resource, as a CustomResourceDefinition makes a real server do.

        :param resource: without a plural, it is the kind in small letters and an ``s``; it is
            namespaced unless it says no.
        :param verbs: what can be done with it; anything else is a 405. All by default, and
            ``("get", "list")`` for what cannot be watched, such as the metrics of pods.
        :param short_names: for discovery, as ``po`` is one of pods.
        :return: the resource in full.
        """
        return self._registry.add(resource, verbs, short_names)

    def unregister(self, resource: ApiResource | str) -> None:
        """Delete all objects of a resource, end its watches cleanly, and serve 404 for it.

        :raises ValueError: there is no such resource.
        """
        self._objects.unregister(self._registry.find(resource))

    def create(self, obj: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object, and return it as stored.

        :param obj: with apiVersion, kind and metadata.name or metadata.generateName; a namespaced
            one without metadata.namespace goes to ``default``.
        :raises ApiStatusError: 409 where it exists, 422 without a name.
        :raises ValueError: its kind is not registered.
        """
        resource, namespace, obj = self._place(obj)
        return self._objects.create(resource, namespace, obj).obj

    def load(self, *sources: Source) -> list[dict[str, Any]]:
        """Create objects from manifests, or replace those that exist; return them as stored.

        A CustomResourceDefinition among them registers its kind, wherever it stands. The uid and
        resource version that an object has from another server are not kept.

        :param sources: paths of YAML or JSON files with any number of documents, or of folders of
            such files; objects, as mappings or models of the official client; or several. The
            items of a ``kind: List`` are taken one by one.
        :raises OSError: a file cannot be read.
        :raises ValueError: what it holds is no object, or of a kind that is not registered; then
            nothing has been created.
        :raises ApiStatusError: an object is refused.
        """
        found = [one for source in sources for one in objects_in(source)]
        for one in found:
            for resource, short_names in definitions(one):
                self.register(resource, short_names=short_names)
        for one in found:
            self._registry.of_object(one["apiVersion"], one["kind"])
        return [self._apply(one) for one in found]

    def _apply(self, obj: Mapping[str, Any]) -> dict[str, Any]:
        metadata = {key: value for key, value in (obj.get("metadata") or {}).items()
                    if key not in ("uid", "resourceVersion")}
        obj = {**obj, "metadata": metadata}
        try:
            return self.create(obj)
        except ApiStatusError as error:
            if error.code != 409:
                raise
        return self.update(obj)

    def update(self, obj: Mapping[str, Any]) -> dict[str, Any]:
        """Replace an object, and return it as stored; without a difference nothing happens.

        :param obj: if it has a metadata.resourceVersion, it must be the current one.
        :raises ApiStatusError: 404, or 409 for an old resourceVersion.
        :raises ValueError: its kind is not registered.
        """
        resource, namespace, obj = self._place(obj)
        return self._objects.update(resource, namespace, obj).obj

    def patch(self, resource: ApiResource | str, name: str, patch: Mapping[str, Any],
              namespace: str | None = None) -> dict[str, Any]:
        """Apply a JSON merge patch to an object, and return it as stored.

        :param resource: an ApiResource, a kind or a plural; likewise below.
        :param namespace: ``default`` if it is left out for a namespaced resource.
        :raises ApiStatusError: 404, 409.
        """
        found, namespace = self._find(resource, namespace)
        patch = checked_copy(patch)
        return self._objects.patch(found, namespace, name, patch).obj

    def delete(self, obj_or_resource: Mapping[str, Any] | ApiResource | str,
               name: str | None = None, namespace: str | None = None) -> dict[str, Any]:
        """Delete an object, given as such or by resource and name; return its last state.

        An object with finalizers is only marked, until an update takes the last of them away.

        :raises ApiStatusError: 404.
        :raises ValueError: its kind is not registered, or there is no name.
        """
        if isinstance(obj_or_resource, Mapping):
            found, namespace, obj = self._place(obj_or_resource)
            name = obj["metadata"].get("name")
        else:
            found, namespace = self._find(obj_or_resource, namespace)
        if not name:
            raise ValueError("delete needs the name of the object")
        return self._objects.delete(found, namespace, name).obj

    def get(self, resource: ApiResource | str, name: str,
            namespace: str | None = None) -> dict[str, Any]:
        """A copy of an object.

        :raises ApiStatusError: 404.
        """
        found, namespace = self._find(resource, namespace)
        return self._objects.get(found, namespace, name).obj

    def objects(self, resource: ApiResource | str,
                namespace: str | None = None) -> list[dict[str, Any]]:
        """Copies of all objects of a resource, or of those in one namespace, in LIST's order."""
        found = self._registry.find(resource)
        prefix = f"{namespace}/" if namespace else ""
        with self._storage.lock:
            collection = self._objects.collection(found)
            entries = collection.page(self._storage.version, prefix, "")
        return [entry.obj for entry in entries]

    def _place(
        self, obj: Mapping[str, Any]
    ) -> tuple[ApiResource, str | None, dict[str, Any]]:
        copied = checked_copy(obj)
        if not isinstance(copied.get("metadata"), dict):
            raise ValueError("an object needs apiVersion, kind and metadata")
        resource = self._registry.of_object(copied.get("apiVersion", ""), copied.get("kind", ""))
        return resource, self._objects.namespace_of(resource, copied), copied

    def _find(
        self, resource: ApiResource | str, namespace: str | None
    ) -> tuple[ApiResource, str | None]:
        found = self._registry.find(resource)
        return found, (namespace or "default") if found.namespaced else None
