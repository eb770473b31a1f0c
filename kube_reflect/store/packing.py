"""From an object that comes in to the entry that is stored: all user code on the way in."""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Mapping
from typing import Any

from kube_reflect._json import loads
from kube_reflect._object import BadObject, Key, Object
from kube_reflect.store.cache import Cache
from kube_reflect.store.entry import Entry, IndexValues
from kube_reflect.store.options import IndexFunction
from kube_reflect.store.user_code import FunctionFailed, attempt

__all__ = ["EntryMaker"]


class EntryMaker:
    """Makes the entries of a cache; calls transforms and index functions. It holds no lock."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._transform = cache.options.transform

    def transformed(self, obj: Object) -> Object:
        """Return the object that is to be stored.

        :raises BadObject: if the transform fails, or makes another object of it.
        """
        if self._transform is None:
            return obj
        # The first time what is there, whose metadata is still wanted; else a copy of its own.
        first = [{**obj.mapping(), "metadata": dict(obj["metadata"])}] if obj.name else []
        try:
            changed = Object.of(attempt(
                self._transform, lambda: first.pop() if first else loads(obj.json())))
        except FunctionFailed as error:
            raise BadObject(f"the transform failed ({error})") from error
        try:
            is_another = changed.key != obj.key
        except BadObject as error:
            raise BadObject(f"the transform made no object of it ({error})") from error
        if is_another:
            raise BadObject("the transform changed its name or namespace")
        return changed

    def make(self, obj: Object) -> Entry:
        """Return the entry of an object that `transformed` has given.

        :raises BadObject: for what cannot be stored.
        """
        indexers = self._cache.indexers
        values: IndexValues = ()
        if indexers:
            mapping = obj.mapping()
            values = tuple(self._found(name, function, obj.key, mapping)
                           for name, function in indexers.items())
        return self._cache.packer.pack(obj, values)

    def extend(self, entry: Entry) -> Entry:
        """Return an entry with the values of the indexes that were added since it was made."""
        values = entry.values
        missing = list(self._cache.indexers.items())[len(values):]
        if not missing:
            return entry
        try:
            mapping = loads(entry.json())
        except (ValueError, RecursionError):
            return entry.with_values(values + ((),) * len(missing))
        return entry.with_values(values + tuple(
            self._found(name, function, entry.key, mapping) for name, function in missing))

    def _found(self, name: str, function: IndexFunction, key: Key,
               mapping: Mapping[str, Any]) -> tuple[Any, ...]:
        try:
            return attempt(lambda obj: _checked_values(function(obj)), lambda: mapping)
        except FunctionFailed as error:
            self._cache.bad_objects.record(
                str(self._cache.ref(key)), f"index function {name!r} failed ({error})",
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
            self._cache.bad_objects.record("an object", why, "left out", cause)
            return None
        self._cache.bad_objects.record(str(self._cache.ref(key)), why, "left out", cause)
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
