"""Objects from files: manifests of one or several documents, and lists of objects."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Union

from kube_reflect.object_ref import ApiResource

__all__ = ["Source", "definitions", "objects_in", "plain"]

#: Where objects may come from: a file or a folder, one object or several.
Source = Union[str, "os.PathLike[str]", Mapping[str, Any], Iterable[Any]]

_SUFFIXES = (".json", ".yaml", ".yml")


def objects_in(source: Source) -> Iterator[dict[str, Any]]:
    """Yield the objects of a source; those of a ``kind: List`` one by one.

    :param source: the path of a YAML or JSON file with any number of documents, or of a folder of
        such files; an object, as a mapping or a model of the official client; or several.
    :raises OSError: a file cannot be read.
    :raises ValueError: what it holds are no objects; says where.
    """
    if isinstance(source, (str, os.PathLike)):
        for path in _files(Path(source)):
            for document in _documents(path):
                yield from _objects(document, str(path))
    elif isinstance(source, Mapping) or hasattr(source, "to_dict"):
        yield from _objects(plain(source), "what was given")
    elif isinstance(source, Iterable):
        for one in source:
            yield from objects_in(one)
    else:
        raise TypeError(f"a path or objects are needed, not {type(source).__name__}")


def plain(obj: Any) -> dict[str, Any]:
    """Return an object as on the wire, if it is a model of the official client."""
    if isinstance(obj, Mapping):
        return dict(obj)
    from kubernetes.client import ApiClient

    found: Any = ApiClient().sanitize_for_serialization(obj)
    if not isinstance(found, dict):
        raise TypeError(f"an object is a mapping or a model, not {type(obj).__name__}")
    return found


def definitions(obj: Mapping[str, Any]) -> Iterator[tuple[ApiResource, list[str]]]:
    """Yield the resources that a CustomResourceDefinition defines, with their short names."""
    if obj.get("kind") != "CustomResourceDefinition":
        return
    spec = obj.get("spec") or {}
    names = spec.get("names") or {}
    versions = spec.get("versions") or [{"name": spec.get("version")}]
    for version in versions:
        if version.get("served", True):
            resource = ApiResource(spec["group"], version["name"], names["kind"],
                                   names["plural"], spec.get("scope") != "Cluster")
            yield resource, list(names.get("shortNames") or [])


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(one for one in path.iterdir() if one.suffix in _SUFFIXES)


def _documents(path: Path) -> Iterator[Any]:
    text = path.read_text("utf-8")
    if path.suffix == ".json":
        try:
            yield json.loads(text)
        except ValueError as error:
            raise ValueError(f"{path} is no JSON: {error}") from error
        return
    # Comes with the official client; it has no types.
    yaml = importlib.import_module("yaml")
    try:
        yield from yaml.load_all(text, _loader(yaml))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML: {' '.join(str(error).split())}") from error


def _loader(yaml: Any) -> Any:
    """A loader that leaves times the strings that they are on the wire."""
    resolvers = {first: [(tag, pattern) for tag, pattern in some
                         if tag != "tag:yaml.org,2002:timestamp"]
                 for first, some in yaml.SafeLoader.yaml_implicit_resolvers.items()}
    return type("Loader", (yaml.SafeLoader,), {"yaml_implicit_resolvers": resolvers})


def _objects(document: Any, where: str) -> Iterator[dict[str, Any]]:
    if document is None:
        # Between two separators, or after the last.
        return
    kind = document.get("kind") if isinstance(document, Mapping) else None
    if not isinstance(kind, str) or not isinstance(document.get("apiVersion"), str):
        raise ValueError(f"{where}: an object needs apiVersion and kind, "
                         f"not {json.dumps(document, default=repr)[:80]}")
    if not (kind.endswith("List") and isinstance(document.get("items"), list)):
        yield dict(document)
        return
    for item in document["items"]:
        inherited = {} if kind == "List" else {"apiVersion": document["apiVersion"],
                                               "kind": kind.removesuffix("List")}
        yield from _objects({**inherited, **item}, where)
