"""Stores without a server."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar, overload

from kube_reflect.client import view_maker
from kube_reflect.events import Init, InitApply, InitDone
from kube_reflect.object_ref import ApiResource
from kube_reflect.store import Store, Writer
from kube_reflect.testing._loading import Source, objects_in, plain

__all__ = ["store_of"]

K = TypeVar("K")

_FIRST_VERSION = 1000
#: A store whose writer is gone is not kept up; these are, as long as somebody has them.
_writers: weakref.WeakKeyDictionary[Store[Any], Writer] = weakref.WeakKeyDictionary()


@overload
def store_of(
    objects: Source = (), *, model: type[K], resource: ApiResource | None = None,
    indexers: Mapping[str, Callable[[Any], Iterable[Any]]] | None = None,
) -> Store[K]: ...


@overload
def store_of(
    objects: Source = (), *, model: Callable[[dict[str, Any]], K],
    resource: ApiResource | None = None,
    indexers: Mapping[str, Callable[[Any], Iterable[Any]]] | None = None,
) -> Store[K]: ...


@overload
def store_of(
    objects: Source = (), *, model: None = None, resource: ApiResource | None = None,
    indexers: Mapping[str, Callable[[Any], Iterable[Any]]] | None = None,
) -> Store[Any]: ...


def store_of(
    objects: Source = (), *, model: Callable[[dict[str, Any]], Any] | None = None,
    resource: ApiResource | None = None,
    indexers: Mapping[str, Callable[[Any], Iterable[Any]]] | None = None,
) -> Store[Any]:
    """Make a Store that holds some objects, without a server; it is ready at once.

    It is for tests of what only reads a cache. Nothing changes it.

    :param objects: objects as on the wire or as models of the official client, of one kind; or
        the path of a file, as for `FakeApiServer.load`. Where they have no uid and no resource
        version, they are given some.
    :param model: makes a K of a mapping, as for a Reflector: a class of the official client
        (``V1Pod``), or a function. By default K is the class of the objects that are given.
    :param resource: the kind; by default that of the first object.
    :param indexers: as for a Reflector.
    :raises ValueError: an object has no name.
    """
    given = _several(objects)
    if model is None and given and hasattr(given[0], "to_dict"):
        model = type(given[0])
    kept: dict[str, Any] = {"model": model}
    if isinstance(model, type) and hasattr(model, "attribute_map"):
        # A class of the official client: what a Reflector of such objects hands out.
        kept = {"view": view_maker(model)}
    writer = Writer(resource, indexers=indexers, **kept)
    version = _FIRST_VERSION
    writer.apply_watcher_event(Init())
    for version, obj in enumerate(_all(given), _FIRST_VERSION + 1):
        writer.apply_watcher_event(InitApply(_completed(obj, version)))
    writer.apply_watcher_event(InitDone(str(version)))
    store = writer.as_reader()
    _writers[store] = writer
    return store


def _several(objects: Source) -> list[Any]:
    one = isinstance(objects, (str, os.PathLike, Mapping)) or hasattr(objects, "to_dict")
    return [objects] if one else list(objects)  # type: ignore[arg-type]


def _all(given: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """Yield objects, also models that do not say of which kind they are."""
    for one in given:
        obj = None if isinstance(one, (str, os.PathLike)) else plain(one)
        if obj is None or "items" in obj:
            yield from objects_in(one)
        else:
            yield obj


def _completed(obj: dict[str, Any], version: int) -> dict[str, Any]:
    metadata = dict(obj.get("metadata") or {})
    if not metadata.get("name"):
        raise ValueError(f"an object needs a metadata.name: {obj!r:.80}")
    metadata.setdefault("uid", f"00000000-0000-4000-8000-{version:012d}")
    metadata.setdefault("resourceVersion", str(version))
    return {**obj, "metadata": metadata}
