"""From an object that comes in to the entry that is stored: all user code on the way in."""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kube_reflect._json import loads
from kube_reflect._object import BadObject, Key, Object
from kube_reflect.object_ref import ApiResource
from kube_reflect.store.entry import Entry, Packer
from kube_reflect.store.options import IndexFunction, StoreOptions
from kube_reflect.store.user_code import BadObjects, FunctionFailed, attempt

__all__ = ["EntryMaker"]

#: Objects that came as their metadata alone do not say of which kind they are.
_PARTIAL = ("meta.k8s.io/v1", "PartialObjectMetadata")


class EntryMaker(Packer):
    """Makes the entries of a cache; calls transforms and index functions. It holds no lock.

    :param resource: the kind of object, if it is known.
    :param objects: returns how many objects are at rest, or will soon be.
    """

    def __init__(self, resource: ApiResource | None, options: StoreOptions,
                 bad_objects: BadObjects, objects: Callable[[], int]) -> None:
        super().__init__(resource, objects)
        self._transform = options.transform
        self._bad_objects = bad_objects
        #: The index functions, by name; replaced whole, since writers iterate it.
        self.indexers = dict(options.indexers)

    def make(self, obj: Object, stored: Mapping[Key, Entry] | None = None) -> Entry:
        """Return the entry of an object.

        :param stored: where the entry may be already: that one is returned if it is the same.
        :raises BadObject: for what cannot be stored, and where the transform fails, or makes
            another object of it.
        """
        # First, so that the log calls it by the same name each time.
        if self.resource is None:
            self._learn_resource(obj)
        if self._transform is not None:
            obj = self._transformed(obj, self._transform)
        known = stored.get(obj.key) if stored is not None else None
        if known is not None and _is_same(known, obj):
            return known
        if not self.indexers:
            return self.pack(obj)
        mapping = obj.mapping()
        return self.pack(obj, tuple(self._values(name, function, obj.key, mapping)
                                    for name, function in self.indexers.items()))

    def _transformed(self, obj: Object, transform: Callable[[dict[str, Any]], Any]) -> Object:
        # The first time what is there, whose metadata is still wanted; else a copy of its own.
        first = [{**obj.mapping(), "metadata": dict(obj["metadata"])}] if obj.name else []
        try:
            changed = Object.of(attempt(
                transform, lambda: first.pop() if first else loads(obj.json())))
        except FunctionFailed as error:
            raise BadObject(f"the transform failed ({error})") from error
        try:
            is_another = changed.key != obj.key
        except BadObject as error:
            raise BadObject(f"the transform made no object of it ({error})") from error
        if is_another:
            raise BadObject("the transform changed its name or namespace")
        return changed

    def _learn_resource(self, obj: Object) -> None:
        if obj.api_version and obj.kind and (obj.api_version, obj.kind) != _PARTIAL:
            try:
                self.resource = ApiResource.from_api_version(obj.api_version, obj.kind)
            except ValueError:
                # A slash too many: perhaps the next object tells.
                pass

    def restore(self, packed: bytes, longest: int) -> tuple[Entry, int]:
        """Return the entry of what was packed in an earlier process, and how long its JSON is.

        :param longest: bytes that it may become.
        :raises ValueError: for what was not.
        """
        entry, obj = self.unpack(packed, longest)
        if self.resource is None:
            self._learn_resource(obj)
        return self.extend(entry), len(obj.json())

    def extend(self, entry: Entry) -> Entry:
        """Return an entry with the values of the indexes that were added since it was made."""
        values = entry.values
        missing = list(self.indexers.items())[len(values):]
        if not missing:
            return entry
        try:
            mapping = loads(entry.json())
        except (ValueError, RecursionError):
            return entry.with_values(values + ((),) * len(missing))
        return entry.with_values(values + tuple(
            self._values(name, function, entry.key, mapping) for name, function in missing))

    def _values(self, name: str, function: IndexFunction, key: Key,
                mapping: Mapping[str, Any]) -> tuple[Any, ...]:
        try:
            return attempt(lambda obj: _checked_values(function(obj)), lambda: mapping)
        except FunctionFailed as error:
            self._bad_objects.record(
                str(self.ref(key)), f"index function {name!r} failed ({error})",
                "left out of this index",
                f"index function {name!r} failed ({type(error.__cause__).__name__})")
            return ()

    def record_bad(self, obj: Object, error: BadObject) -> Key | None:
        """Count an object that cannot be stored; return its key, if it has one."""
        why = str(error)
        cause = why.partition(" (")[0]
        try:
            key = obj.key
        except BadObject:
            self._bad_objects.record("an object", why, "left out", cause)
            return None
        self._bad_objects.record(str(self.ref(key)), why, "left out", cause)
        return key


def _checked_values(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return each of the values of an index once.

    :raises TypeError: for what cannot be looked up, or is no plain value: comparing it would call
        code of somebody's own under a lock.
    """
    if isinstance(values, str):
        raise TypeError("it gave a string where a list of values is needed")
    found = tuple(dict.fromkeys(values))
    try:
        marshal.dumps(found)
    except ValueError:
        raise TypeError("values must be plain strings, numbers, or tuples of such") from None
    return found


def _is_same(known: Entry, obj: Object) -> bool:
    """Return whether an object is what is stored, in all that it holds.

    Its version does not tell: a definition with a new default, or a server's upgrade, changes what
    an object holds, and not its version.
    """
    if known.resource_version != obj.resource_version or known.uid != obj.uid:
        return False
    stored, shown = known.json(), obj.json()
    return stored == shown or _parsed(stored) == _parsed(shown)


def _parsed(json: bytes) -> Any:
    try:
        return loads(json)
    except (ValueError, RecursionError):
        return json
