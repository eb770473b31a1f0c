"""One object at rest: its JSON, compressed, and what is asked for too often to open that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kube_reflect._object import BadObject, Key, Object
from kube_reflect.object_ref import ApiResource, ObjectRef
from kube_reflect.store.compression import Compressor

__all__ = ["Entry", "IndexValues", "Packer"]

#: For each index, in the order of the indexers: the values under which the object is found.
IndexValues = tuple[tuple[Any, ...], ...]

#: Sets of labels that objects share, at most; then it begins anew, for old ones pile up.
_SHARED_LABELS = 4096


class Packer:
    """Makes entries of objects; one for each cache. It holds no lock, and any thread may call it.

    :param resource: the kind of object, if it is known.
    :param objects: returns how many objects are at rest, or will soon be.
    """

    def __init__(self, resource: ApiResource | None, objects: Callable[[], int]) -> None:
        self._objects = objects
        self.compressor = Compressor(objects)
        #: The kind of object; set once, when the first object tells.
        self.resource = resource
        #: Objects of the list under way, which are at rest already, and in no table yet.
        self.listing = 0
        # Pods of one owner mostly have the same labels. Operations of a dict are atomic; two
        # threads may both add the same, and then one of them is let go.
        self._labels: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}

    def begin(self, dictionaries: Mapping[int, bytes]) -> None:
        """Begin anew with another compressor's dictionaries; while nothing packed is kept.

        :raises ValueError: for such as none has made.
        """
        compressor = Compressor(self._objects)
        compressor.take(dictionaries)
        self.compressor = compressor

    def pack(self, obj: Object, values: IndexValues = ()) -> Entry:
        """Return an entry for an object; some 12 us for a pod with [fast].

        :raises BadObject: for what cannot be stored.
        """
        obj.check()
        key = obj.key
        return Entry(key, _head(obj) + self.compressor.compress(obj.json()),
                     self._shared(obj.labels), values, self)

    def unpack(self, packed: bytes, longest: int) -> tuple[Entry, Object]:
        """Return an entry of what another cache has packed, and its object; some 15 us for a pod.

        :param longest: bytes that it may become.
        :raises ValueError: for what none has packed.
        """
        # Also where there are too few parts.
        *_, compressed = packed.split(b"\0", 2)
        obj = Object.parse(self.compressor.decompress(compressed, longest))
        obj.check()
        if packed != _head(obj) + compressed:
            raise BadObject("it is at another version than its JSON")
        return Entry(obj.key, packed, self._shared(obj.labels), (), self), obj

    def ref(self, key: Key) -> ObjectRef:
        """Return the public name of an object."""
        return ObjectRef(key[1], key[0], resource=self.resource)

    def _shared(self, labels: Mapping[str, str]) -> Mapping[str, str]:
        if len(self._labels) >= _SHARED_LABELS:
            self._labels.clear()
        return self._labels.setdefault(tuple(labels.items()), labels)


def _head(obj: Object) -> bytes:
    head = f"{obj.resource_version or ''}\0{obj.uid or ''}\0".encode("utf-8", "surrogatepass")
    if head.count(b"\0") != 2:
        raise BadObject("its uid or resourceVersion holds a NUL character")
    return head


class Entry:
    """One state of one object; it never changes, but for `value`.

    Some 100 bytes, and those of `packed`: what a thousand pods have in common is stored once, in
    the compressor's dictionary.
    """

    __slots__ = ("_packer", "key", "labels", "packed", "value", "values")

    def __init__(self, key: Key, packed: bytes, labels: Mapping[str, str], values: IndexValues,
                 packer: Packer) -> None:
        #: The namespace (None: it has none) and the name.
        self.key = key
        #: Resource version, NUL, uid, NUL, and the compressed JSON.
        self.packed = packed
        #: Shared with other entries.
        self.labels = labels
        #: Under which each index has it.
        self.values = values
        #: What readers share of it, once one has read it; `Decoder` alone sets it.
        self.value: Any = None
        self._packer = packer

    @property
    def resource_version(self) -> str | None:
        """The resource version, or None; below 1 us."""
        return self.packed.split(b"\0", 1)[0].decode("utf-8", "surrogatepass") or None

    @property
    def uid(self) -> str | None:
        """The uid, or None; below 1 us."""
        return self.packed.split(b"\0", 2)[1].decode("utf-8", "surrogatepass") or None

    def json(self) -> bytes:
        """Return the object as JSON; some 4 us for a pod with [fast]."""
        return self._packer.compressor.decompress(self.packed.split(b"\0", 2)[2])

    def ref(self) -> ObjectRef:
        """Return the public name of the object."""
        return ObjectRef(self.key[1], self.key[0], resource=self._packer.resource,
                         resource_version=self.resource_version, uid=self.uid)

    def with_values(self, values: IndexValues) -> Entry:
        """Return the same state with other index values."""
        return Entry(self.key, self.packed, self.labels, values, self._packer)

    def is_of(self, other: Entry) -> bool:
        """Return whether both are states of one object: not one that was deleted and made anew."""
        return self.uid == other.uid

    def __repr__(self) -> str:
        return f"<Entry {'/'.join(filter(None, self.key))} at {self.resource_version}>"
