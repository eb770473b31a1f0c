"""One stream's way into the table: events in, objects packed and swapped in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kube_reflect.store.core import Core, Listener
from kube_reflect.store.entries import (
    BadObject, Head, IndexValues, Key, checked_values, head_of, key_of, mapping_of, pack,
    type_of, uid_of, unpack, version_of, with_values,
)
from kube_reflect.store.options import IndexFunction, Transform
from kube_reflect.store.table import Table
from kube_reflect.events import (
    Apply, Bookmark, Delete, Event, Init, InitApply, InitDone, Object,
)
from kube_reflect.object_ref import ApiResource

__all__ = ["Entries", "Feed"]

_NO_VALUES: IndexValues = ()
_PARTIAL = ("meta.k8s.io/v1", "PartialObjectMetadata")


#: A key, and what was and is there.
_Difference = tuple[Key, bytes | None, bytes | None]


class Entries:
    """Makes entries of objects; all user code, and all packing, is in here. It holds no lock."""

    def __init__(self, core: Core, transform: Transform | None) -> None:
        self._core = core
        self._transform = transform

    def make(self, obj: Object) -> tuple[Key, bytes, IndexValues]:
        """Make an entry of an object.

        :raises BadObject: for what cannot be stored.
        """
        key = key_of(obj)
        if self._transform is not None:
            try:
                # The metadata is wanted afterwards as they came.
                obj = self._transform({**obj, "metadata": dict(obj["metadata"])})
                changed = key_of(obj)
            except Exception as error:
                raise BadObject(
                    f"the transform failed ({type(error).__name__}: {error})") from error
            if changed != key:
                raise BadObject("the transform changed its name or namespace")
        values = self._values(key, obj)
        return key, pack(obj, values, self._core.deflaters), values

    def extend(self, key: Key, packed: bytes) -> tuple[bytes, IndexValues]:
        """Give an entry the values of the indexes that were added since it was made."""
        values = head_of(packed).values
        missing = list(self._core.indexers.items())[len(values):]
        if not missing:
            return packed, values
        mapping = unpack(packed, self._core.deflaters)
        values += tuple(self._found(name, function, key, mapping) for name, function in missing)
        return with_values(packed, values), values

    def _values(self, key: Key, obj: Object) -> IndexValues:
        indexers = self._core.indexers
        if not indexers:
            return _NO_VALUES
        # They have to do with a dict, as they would be given if it had been parsed.
        obj = mapping_of(obj)
        return tuple(self._found(name, function, key, obj) for name, function in indexers.items())

    def _found(self, name: str, function: IndexFunction, key: Key, obj: Object) -> tuple[Any, ...]:
        core = self._core
        try:
            found = function(obj)
            if isinstance(found, str):
                raise TypeError("it gave a string where a list of values is needed")
            return checked_values(found)
        except Exception as error:
            core.poison(str(core.ref(key)),
                        f"index function {name!r} failed ({type(error).__name__}: {error})",
                        "left out of this index")
            return ()

    def bad(self, obj: Any, error: BadObject) -> Key | None:
        """Count an object that cannot be stored; give its key, if it has one."""
        try:
            key = key_of(obj)
        except BadObject:
            self._core.poison("an object", str(error), "left out")
            return None
        self._core.poison(str(self._core.ref(key)), str(error), "left out")
        return key


class Forgotten(Exception):
    """The scope of a feed is not in the table any more, and nothing of it is to come back."""


class Feed:
    """Applies the events of one stream; several feeds may share a table, a namespace each.

    One thread applies. What it does to the table it does under the writers' mutex, which other
    feeds wait for but no reader ever does, and in the write lock within. So under the mutex it
    may read the table without the lock: nobody else changes what is packed.

    :param scope: the namespace that this feed is all of; None for everything.
    """

    def __init__(self, core: Core, entries: Entries, scope: str | None = None) -> None:
        self._core = core
        self._entries = entries
        self._scope = scope
        #: The list under way, between Init and InitDone.
        self._buffer: Table | None = None
        #: Whether its scope was forgotten; under the mutex.
        self._gone = False

    def apply(self, event: Event) -> None:
        """Apply one event.

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
                with self._core.mutex:
                    self._check()
                    with self._core.changing() as core:
                        core.advance(self._scope, version)
            case Init():
                self._buffer = Table(self._core.table.indexes)
            case InitDone(version):
                self._swap(version)
            case _:
                raise TypeError(f"not an event of a watcher: {event!r}")
        self._core.tell_waiters()

    def empty(self) -> None:
        """Take its scope, and all that is in it, out of the table; when its thread is gone."""
        self._buffer = Table(self._core.table.indexes)
        self._swap(None, forget=True)
        self._core.tell_waiters()

    def _check(self) -> None:
        """Stop a thread that goes on after the end of its scope; under the mutex.

        :raises Forgotten: if the scope is gone.
        """
        if self._gone:
            raise Forgotten

    def restart(self) -> None:
        """Forget a list that was under way."""
        self._buffer = None

    def _learn(self, obj: Object) -> None:
        core = self._core
        if core.resource is None:
            version, kind = type_of(obj)
            # Of which kind an object is that came as nothing but its metadata, it does not say.
            if (isinstance(version, str) and version and isinstance(kind, str) and kind
                    and (version, kind) != _PARTIAL):
                try:
                    core.resource = ApiResource.from_api_version(version, kind)
                except ValueError:
                    # A slash too many: perhaps the next object tells.
                    pass

    def _apply(self, obj: Object) -> None:
        # Before a transform, which may take it out.
        version = version_of(obj)
        try:
            key, packed, values = self._entries.make(obj)
        except BadObject as error:
            # What was there is not what is there now, so it goes too.
            self._drop(self._entries.bad(obj, error), obj)
            return
        self._learn(obj)
        while not self._put(key, packed, values, version):
            packed, values = self._entries.extend(key, packed)

    def _put(self, key: Key, packed: bytes, values: IndexValues, version: str | None) -> bool:
        """Put an entry into the table, unless an index was added since it was made."""
        with self._core.mutex:
            self._check()
            if len(values) < len(self._core.table.indexes):
                return False
            old = self._core.table.packed.get(key)
            old_values = head_of(old).values if old is not None and values else _NO_VALUES
            with self._core.changing() as core:
                gone = core.table.put(key, packed, values, old_values)
                core.advance(self._scope, version)
                listeners = core.listeners
        # Not before: its end may be somebody's code.
        del gone
        self._core.tell(listeners, key, old, packed, False)
        return True

    def _delete(self, obj: Object) -> None:
        try:
            key = key_of(obj)
        except BadObject as error:
            self._drop(self._entries.bad(obj, error), obj)
            return
        buffer = self._buffer
        if buffer is None:
            self._drop(key, obj)
        elif key in buffer.packed:
            # It was shown by the list under way, and is gone before its end.
            buffer.drop(key, head_of(buffer.packed[key]).values)

    def _drop(self, key: Key | None, obj: Any) -> None:
        with self._core.mutex:
            self._check()
            old = self._core.table.packed.get(key) if key is not None else None
            old_values = head_of(old).values if old is not None else _NO_VALUES
            gone = None
            with self._core.changing() as core:
                if key is not None and old is not None:
                    gone = core.table.drop(key, old_values)
                core.advance(self._scope, version_of(obj))
                listeners = core.listeners
        # As above.
        del gone
        if key is not None and old is not None:
            self._core.tell(listeners, key, old, None, False)

    def _buffer_one(self, obj: Object) -> None:
        buffer = self._buffer
        if buffer is None:
            raise ValueError("InitApply without an Init before it")
        try:
            key = key_of(obj)
            # Of this feed's own objects, which no other feed replaces: no mutex is needed.
            known = self._core.table.packed.get(key)
            if known is not None and _same(head_of(known), obj):
                # A relist shows mostly what is known: keep it, and what was decoded of it.
                packed, values = known, head_of(known).values
            else:
                key, packed, values = self._entries.make(obj)
        except BadObject as error:
            self._entries.bad(obj, error)
            return
        self._learn(obj)
        before = buffer.packed.get(key)
        buffer.put(key, packed, values,
                   head_of(before).values if before is not None else _NO_VALUES)

    def _swap(self, version: str | None, forget: bool = False) -> None:
        new, self._buffer = self._buffer, None
        if new is None:
            raise ValueError("InitDone without an Init before it")
        while (swapped := self._try_swap(new, version, forget)) is None:
            new = self._with_all_indexes(new)
        listeners, differences = swapped
        self._core.open_gate()
        for key, before, after in differences:
            self._core.tell(listeners, key, before, after, True)

    def _try_swap(self, new: Table, version: str | None, forget: bool,
                  ) -> tuple[tuple[Listener, ...], list[_Difference]] | None:
        with self._core.mutex:
            self._check()
            old = self._core.table
            if len(new.indexes) < len(old.indexes):
                return None
            if self._scope is not None:
                self._add_other_scopes(new, old)
            new.inherit(old, lambda key: new.packed.get(key) is not old.packed[key])
            with self._core.changing() as core:
                core.table = new
                if forget:
                    self._gone = True
                    core.forget(self._scope)
                else:
                    core.listed(self._scope, version)
                listeners = core.listeners
            # Still under the mutex: other feeds will change the table at once.
            return listeners, list(_differences(old.packed, new.packed)) if listeners else []

    def _with_all_indexes(self, buffer: Table) -> Table:
        """Make a list anew, since an index was added after its beginning."""
        table = self._core.table
        new = Table(table.indexes)
        for key, packed in buffer.packed.items():
            known = table.packed.get(key)
            if known is not None and head_of(known)[:2] == head_of(packed)[:2]:
                packed, values = known, head_of(known).values
            else:
                packed, values = self._entries.extend(key, packed)
            new.put(key, packed, values, _NO_VALUES)
        return new

    def _add_other_scopes(self, new: Table, old: Table) -> None:
        for key, packed in old.packed.items():
            if key[0] != self._scope:
                new.put(key, packed, head_of(packed).values, _NO_VALUES)


def _differences(old: Mapping[Key, bytes], new: Mapping[Key, bytes]) -> Iterator[_Difference]:
    for key, before in old.items():
        after = new.get(key)
        if after is not before:
            yield key, before, after
    for key, after in new.items():
        if key not in old:
            yield key, None, after


def _same(head: Head, obj: Object) -> bool:
    version = version_of(obj)
    return (version is not None and version == head.resource_version
            and uid_of(obj) == head.uid)
