"""The one who writes: events in, objects packed and swapped in."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kube_reflect._core import Core, IndexFunction
from kube_reflect._entries import BadObject, Head, IndexValues, Key, head_of, key_of, pack
from kube_reflect._table import Table
from kube_reflect.errors import WatcherError
from kube_reflect.events import (
    Apply, Bookmark, Delete, Event, Init, InitApply, InitDone, Object,
)
from kube_reflect.object_ref import ApiResource

if TYPE_CHECKING:
    from kube_reflect.store import Store

__all__ = ["Writer"]

logger = logging.getLogger("kube_reflect")

_NO_VALUES: IndexValues = ()


class Writer:
    """Applies a watcher's events to a cache, of which it hands out readers.

    A list is buffered from Init to InitDone, and swapped in whole; changes are applied one by
    one. It feeds from one stream, in one thread; its readers may be in any.

    :param resource: the kind of object; else the first object tells.
    :param model: makes a K of a mapping; None leaves it a mapping. What it refuses is handed out
        as a mapping, counted and logged.
    :param transform: changes each mapping, in place if it likes, and returns what is to be
        stored. Where it raises, the object is left out, counted and logged.
    :param indexers: by the name of the index, functions of the mapping that give the values
        under which to find the object. Where one raises, the object has no values in that index.
    :param copies: give each read a K of its own, which may be changed.
    :raises TypeError: for a model, transform or index function that cannot be called.
    """

    def __init__(
        self,
        resource: ApiResource | None = None,
        *,
        model: Callable[[dict[str, Any]], Any] | None = None,
        transform: Callable[[dict[str, Any]], Mapping[str, Any]] | None = None,
        indexers: Mapping[str, IndexFunction] | None = None,
        copies: bool = False,
    ) -> None:
        if resource is not None and not isinstance(resource, ApiResource):
            raise TypeError(f"resource must be an ApiResource: {resource!r}")
        indexers = dict(indexers or {})
        functions = {"model": model, "transform": transform,
                     **{f"index function {name!r}": one for name, one in indexers.items()}}
        for name, function in functions.items():
            if not callable(function) and not (name in ("model", "transform")
                                               and function is None):
                raise TypeError(f"{name} must be callable: {function!r}")
        self._transform = transform
        # A dict is what is stored, so there is nothing to make of it.
        self._core = Core(resource, None if model is dict else model, indexers, copies)
        #: The list under way, between Init and InitDone.
        self._buffer: Table | None = None
        self._claimed = False
        # Readers hear of it when their writer is simply forgotten.
        self._end = weakref.finalize(self, _end, self._core)
        self._end.atexit = False

    def as_reader(self) -> Store[Any]:
        """Give a handle for readers; any number of times, from any thread."""
        from kube_reflect.store import Store
        return Store(self._core)

    def apply_watcher_event(self, event: Event) -> None:
        """Apply one event; from the writer's thread.

        Costs some 30 us for an object the size of a pod, most of it for packing.

        :raises TypeError: for what is no event.
        """
        match event:
            case Apply(obj):
                self._apply(obj)
            case Delete(obj):
                self._delete(obj)
            case InitApply(obj):
                self._buffer_one(obj)
            case Bookmark(version):
                with self._changing() as core:
                    core.resource_version = version
                    core.events += 1
            case Init():
                self._buffer = Table(self._core.indexers)
            case InitDone(version):
                self._swap(version)
            case _:
                raise TypeError(f"not an event of a watcher: {event!r}")

    def close(self) -> None:
        """End the writer; its readers keep the last state. From any thread, any number of times."""
        self._end()

    def _claim(self) -> None:
        """Be the only stream that feeds this writer.

        :raises ValueError: if there is another.
        """
        if self._claimed:
            raise ValueError("this Writer feeds a reflector already; make another Writer")
        self._claimed = True

    def _reopen(self) -> None:
        """Go on after a close, with the same readers."""
        self._core.gate.reopen()
        self._buffer = None
        self._end = weakref.finalize(self, _end, self._core)
        self._end.atexit = False

    def _note_error(self, error: WatcherError) -> None:
        """Remember why the store is not ready, for those who wait for it."""
        self._core.gate.last_error = error

    @contextmanager
    def _changing(self) -> Iterator[Core]:
        core = self._core
        with core.lock.gen_wlock():
            core.changing = True
            try:
                yield core
            finally:
                core.changing = False

    def _entry(self, obj: Object) -> tuple[Key, bytes, IndexValues]:
        """Make an entry of an object; all user code, parsing and packing is in here.

        :raises BadObject: for what cannot be stored.
        """
        key = key_of(obj)
        if self._transform is not None:
            try:
                obj = self._transform(dict(obj))
                changed = key_of(obj)
            except Exception as error:
                raise BadObject(
                    f"the transform failed ({type(error).__name__}: {error})") from error
            if changed != key:
                raise BadObject("the transform changed its name or namespace")
        values = self._values(key, obj)
        return key, pack(obj, values), values

    def _values(self, key: Key, obj: Object) -> IndexValues:
        core = self._core
        if not core.indexers:
            return _NO_VALUES
        values = []
        for name, function in core.indexers.items():
            try:
                found = function(obj)
                if isinstance(found, str):
                    raise TypeError("it gave a string where a list of values is needed")
                values.append(tuple(dict.fromkeys(found)))
            except Exception as error:
                core.poison(str(core.ref(key)),
                            f"index function {name!r} failed ({type(error).__name__}: {error})",
                            "left out of this index")
                values.append(())
        return tuple(values)

    def _learn(self, obj: Object) -> None:
        core = self._core
        if core.resource is None:
            version, kind = obj.get("apiVersion"), obj.get("kind")
            if isinstance(version, str) and version and isinstance(kind, str) and kind:
                core.resource = ApiResource.from_api_version(version, kind)

    def _bad(self, obj: Any, error: BadObject) -> Key | None:
        """Count an object that cannot be stored; give its key, if it has one."""
        try:
            key = key_of(obj)
        except BadObject:
            self._core.poison("an object", str(error), "left out")
            return None
        self._core.poison(str(self._core.ref(key)), str(error), "left out")
        return key

    def _apply(self, obj: Object) -> None:
        try:
            key, packed, values = self._entry(obj)
        except BadObject as error:
            # What was there is not what is there now, so it goes too.
            self._drop(self._bad(obj, error), obj)
            return
        if self._core.resource is None:
            self._learn(obj)
        # Only this thread changes the table, so it may be read without the lock.
        old = self._core.table.packed.get(key)
        old_values = head_of(old).values if old is not None and values else _NO_VALUES
        with self._changing() as core:
            core.table.put(key, packed, values, old_values)
            core.resource_version = _version(obj) or core.resource_version
            core.events += 1
            listeners = core.listeners
        for listener in listeners:
            listener.changed(key, old, packed)

    def _delete(self, obj: Object) -> None:
        try:
            key = key_of(obj)
        except BadObject as error:
            self._drop(self._bad(obj, error), obj)
            return
        if self._buffer is not None:
            # It was shown by the list under way, and is gone before its end.
            if key in self._buffer.packed:
                self._buffer.drop(key, head_of(self._buffer.packed[key]).values)
            return
        self._drop(key, obj)

    def _drop(self, key: Key | None, obj: Any) -> None:
        table = self._core.table
        old = table.packed.get(key) if key is not None else None
        old_values = head_of(old).values if old is not None else _NO_VALUES
        with self._changing() as core:
            if key is not None and old is not None:
                core.table.drop(key, old_values)
            core.resource_version = _version(obj) or core.resource_version
            core.events += 1
            listeners = core.listeners
        if key is not None and old is not None:
            for listener in listeners:
                listener.changed(key, old, None)

    def _buffer_one(self, obj: Object) -> None:
        buffer = self._buffer
        if buffer is None:
            raise ValueError("InitApply without an Init before it")
        try:
            key = key_of(obj)
            known = self._core.table.packed.get(key)
            if known is not None and _same(head_of(known), obj):
                # A relist shows mostly what is known: keep it, and what was decoded of it.
                packed, values = known, head_of(known).values
            else:
                key, packed, values = self._entry(obj)
        except BadObject as error:
            self._bad(obj, error)
            return
        if self._core.resource is None:
            self._learn(obj)
        before = buffer.packed.get(key)
        buffer.put(key, packed, values,
                   head_of(before).values if before is not None else _NO_VALUES)

    def _swap(self, version: str | None) -> None:
        core, new = self._core, self._buffer
        self._buffer = None
        if new is None:
            raise ValueError("InitDone without an Init before it")
        old = core.table
        with core.lock.gen_rlock():
            decoded = old.decoded.copy()
        new.decoded = {key: value for key, value in decoded.items()
                       if new.packed.get(key) is old.packed[key]}
        with self._changing():
            if len(old.decoded) != len(decoded):
                # Somebody read meanwhile.
                for key in old.decoded.keys() - decoded.keys():
                    if new.packed.get(key) is old.packed[key]:
                        new.decoded[key] = old.decoded[key]
            core.table = new
            core.resource_version = version or core.resource_version
            core.relists += 1
            listeners = core.listeners
        core.gate.open()
        if listeners:
            for key, before in old.packed.items():
                after = new.packed.get(key)
                if after is not before:
                    for listener in listeners:
                        listener.changed(key, before, after)
            for key, after in new.packed.items():
                if key not in old.packed:
                    for listener in listeners:
                        listener.changed(key, None, after)


def _end(core: Core) -> None:
    core.gate.drop()
    for listener in core.listeners:
        listener.ended(core.gate.reason)


def _version(obj: Any) -> str | None:
    metadata = obj.get("metadata") if isinstance(obj, Mapping) else None
    version = metadata.get("resourceVersion") if isinstance(metadata, Mapping) else None
    return version if isinstance(version, str) and version else None


def _same(head: Head, obj: Object) -> bool:
    metadata = obj["metadata"]
    version = metadata.get("resourceVersion")
    return (version is not None and version == head.resource_version
            and metadata.get("uid") == head.uid)
