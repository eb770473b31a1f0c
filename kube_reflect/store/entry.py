"""From an object that comes in to its entry, small and at rest: all user code on the way in."""

from __future__ import annotations

import marshal
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

from kube_reflect.ground.foreign import fails_again
from kube_reflect.ground.json_parser import loads
from kube_reflect.ground.objects import BadObject, Key, Object
from kube_reflect.indexers import IndexFunction
from kube_reflect.object_ref import ApiResource, ObjectRef
from kube_reflect.store.compression import Compressor
from kube_reflect.store.options import StoreOptions
from kube_reflect.store.user_code import BadObjects, FunctionFailed, attempt

__all__ = ["Entry", "EntryMaker", "IndexValues"]

#: For each index, in the order of the indexers: the values under which the object is found.
IndexValues = tuple[tuple[Any, ...], ...]

#: Namespaces and sets of labels that are shared, at most; then it begins anew.
_SHARED = 4096
#: Objects that came as their metadata alone do not say of which kind they are.
_PARTIAL = ("meta.k8s.io/v1", "PartialObjectMetadata")


class Entry:
    """One state of one object; it never changes, but for `decoded`. (It is a view's `JsonSource`.)

    Some 100 bytes, and those of `packed`: what a thousand pods have in common is stored once, in
    the compressor's dictionary.
    """

    __slots__ = ("_maker", "decoded", "index_values", "key", "labels", "packed")

    def __init__(self, key: Key, packed: bytes, labels: Mapping[str, str],
                 index_values: IndexValues, maker: EntryMaker) -> None:
        #: The namespace (None: it has none) and the name.
        self.key = key
        #: Resource version, NUL, uid, NUL, and the compressed JSON.
        self.packed = packed
        #: Shared with other entries.
        self.labels = labels
        #: Under which each index has it.
        self.index_values = index_values
        #: What readers share of it, once one has read it; `Decoder` alone sets it.
        self.decoded: Any = None
        self._maker = maker

    @property
    def resource_version(self) -> str | None:
        """The resource version, or None; below 1 us."""
        return self.packed.split(b"\0", 1)[0].decode("utf-8", "surrogatepass") or None

    @property
    def uid(self) -> str | None:
        """The uid, or None; below 1 us."""
        return self.packed.split(b"\0", 2)[1].decode("utf-8", "surrogatepass") or None

    @property
    def dictionary(self) -> int:
        """The number of the dictionary that it was compressed with; 0 and 1: with none."""
        return self.packed.split(b"\0", 2)[2][0]

    def json(self) -> bytes:
        """Return the object as JSON; some 4 us for a pod with [fast]."""
        return self._maker.compressor.decompress(self.packed.split(b"\0", 2)[2])

    def mapping(self) -> Any:
        """Return the object as on the wire, parsed anew.

        :raises ValueError: and RecursionError, for what Python cannot parse.
        """
        return loads(self.json())

    def ref(self) -> ObjectRef:
        """Return the public name of the object."""
        return ObjectRef(self.key[1], self.key[0], resource=self._maker.resource,
                         resource_version=self.resource_version, uid=self.uid)

    def with_values(self, values: IndexValues) -> Entry:
        """Return the same state with other index values."""
        return Entry(self.key, self.packed, self.labels, values, self._maker)

    def is_of(self, other: Entry) -> bool:
        """Return whether both are states of one object: not one that was deleted and made anew."""
        return self.packed.split(b"\0", 2)[1] == other.packed.split(b"\0", 2)[1]

    def __repr__(self) -> str:
        return f"<Entry {'/'.join(filter(None, self.key))} at {self.resource_version}>"


class EntryMaker:
    """Makes the entries of a cache; calls transforms and index functions. It holds no lock.

    :param resource: the kind of object, if it is known.
    :param objects: returns how many objects are at rest, or will soon be.
    """

    def __init__(self, resource: ApiResource | None, options: StoreOptions,
                 bad_objects: BadObjects, objects: Callable[[], int]) -> None:
        self._objects = objects
        self.compressor = Compressor(objects)
        #: The kind of object; set once, when the first object tells.
        self.resource = resource
        #: Objects of the list under way, which are at rest already, and in no table yet.
        self.listing = 0
        self._transform = options.transform
        self._bad_objects = bad_objects
        #: The index functions, by name; replaced whole, since writers iterate it.
        self.indexers = dict(options.indexers)
        # Namespaces, and labels by what they hold: pods of one owner mostly have the same. Two
        # threads may both add the same, and then one of them is let go.
        self._shared: dict[Any, Any] = {}

    def make(self, obj: Object, stored: Mapping[Key, Entry] | None = None) -> Entry:
        """Return the entry of an object; some 10 us for a pod with [fast].

        :param stored: where the entry may be already: that one is returned if it is the same.
        :raises BadObject: for what cannot be stored, and where the transform fails, or makes
            another object of it.
        """
        # First, so that the log calls it by the same name each time.
        if self.resource is None:
            self._learn_resource(obj)
        if self._transform is not None:
            obj = self._transformed(obj, self._transform)
        if obj.problem is not None or obj.name is None:
            raise obj.problem or BadObject("it has no metadata.name")
        key = (self._shared.setdefault(obj.namespace, obj.namespace), obj.name)
        if stored is not None and (known := stored.get(key)) is not None and _is_same(known, obj):
            return known
        values: IndexValues = ()
        if self.indexers:
            mapping = obj.mapping()
            values = tuple(self._values(name, function, key, mapping)
                           for name, function in self.indexers.items())
        head = f"{obj.resource_version or ''}\0{obj.uid or ''}\0"
        if head.count("\0") != 2:
            raise BadObject("its uid or resourceVersion holds a NUL character")
        compressed = self.compressor.compress(obj.data or obj.json())
        return Entry(key, head.encode("utf-8", "surrogatepass") + compressed,
                     self._shared_labels(obj.labels), values, self)

    def _shared_labels(self, labels: Mapping[str, str]) -> Mapping[str, str]:
        shared = self._shared
        if len(shared) >= _SHARED:
            shared.clear()
        return shared.setdefault(tuple(labels.items()), labels)  # type: ignore[no-any-return]

    @property
    def compression(self) -> str:
        """What compresses: another process may have something else."""
        return self.compressor.backend_name

    def dictionaries(self, used: Container[int]) -> dict[int, bytes]:
        """Return the contents of the dictionaries that are used, by their numbers."""
        return {number: content for number, content in self.compressor.dictionaries().items()
                if number in used}

    def begin(self, dictionaries: Mapping[int, bytes]) -> None:
        """Begin anew with another compressor's dictionaries; while nothing packed is kept.

        :raises ValueError: for such as none has made.
        """
        compressor = Compressor(self._objects)
        compressor.take(dictionaries)
        self.compressor = compressor

    def restore(self, packed: bytes, longest: int) -> tuple[Entry, int]:
        """Return the entry of what was packed in an earlier process, and how long its JSON is.

        Some 15 us for a pod; it is unpacked and read as one that comes.

        :param longest: bytes that the JSON may have.
        :raises ValueError: for what was not packed.
        """
        *heads, compressed = packed.split(b"\0", 2)
        json = self.compressor.decompress(compressed, longest)
        obj = Object.parse(json)
        if obj.problem is not None:
            raise obj.problem
        head = [one.encode("utf-8", "surrogatepass")
                for one in (obj.resource_version or "", obj.uid or "")]
        if heads != head:
            raise BadObject("it is at another version than its JSON")
        if self.resource is None:
            self._learn_resource(obj)
        namespace, name = obj.key
        entry = Entry((self._shared.setdefault(namespace, namespace), name), packed,
                      self._shared_labels(obj.labels), (), self)
        return self.extend(entry), len(json)

    def ref(self, key: Key) -> ObjectRef:
        """Return the public name of an object."""
        return ObjectRef(key[1], key[0], resource=self.resource)

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

    def extend(self, entry: Entry) -> Entry:
        """Return an entry with the values of the indexes that were added since it was made."""
        values = entry.index_values
        missing = list(self.indexers.items())[len(values):]
        if not missing:
            return entry
        try:
            mapping = entry.mapping()
        except (ValueError, RecursionError) as error:
            fails_again(error, entry.mapping)
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
    except ValueError as error:
        fails_again(error, marshal.dumps, found)
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
    except (ValueError, RecursionError) as error:
        fails_again(error, loads, json)
        return json
