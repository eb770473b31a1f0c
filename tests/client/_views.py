"""What the tests of views share: sources, and what the client itself makes of an object."""

from __future__ import annotations

import functools
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kubernetes import client

from kube_reflect.client.views import view_maker

DATA = Path(__file__).parents[1] / "data"
#: Generated classes up to client 36; pydantic's from 37 on.
PYDANTIC = hasattr(client.V1Pod, "model_validate")


class Source:
    """An object at rest."""

    def __init__(self, data: Any, name: str = "Pod.v1./one.default") -> None:
        self.data = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.name = name
        self.opened = 0

    def json(self) -> bytes:
        self.opened += 1
        return self.data

    def ref(self) -> str:
        return self.name


class _Response:
    def __init__(self, data: bytes) -> None:
        self.data = data


def eager(model: Any, data: Any) -> Any:
    """What the client itself makes of an object."""
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    if PYDANTIC:
        return model.from_dict(json.loads(text))
    # The configuration is read as each model is made, and is slow to make; it is the same.
    return client.ApiClient().deserialize(_Response(text), model.__name__)


def view(model: Any, data: Any) -> Any:
    return view_maker(model)(Source(data))


@functools.cache
def pods() -> list[bytes]:
    with gzip.open(DATA / "pods-v1.36.jsonl.gz") as lines:
        return [line.strip() for line in lines]


def recorded_pods() -> Iterator[Any]:
    """The pods of all lists and watches that were recorded of real API servers."""
    for path in sorted((DATA / "wire").glob("*/*.json")):
        body = "".join(json.loads(path.read_text("utf-8"))["response"].get("chunks", []))
        for line in body.splitlines():
            try:
                found = json.loads(line)
            except ValueError:
                continue
            items = found.get("items") or [found.get("object")]
            # Some were made as custom objects are: without what every pod has.
            yield from (one for one in items if one and "status" in one
                        and one.get("spec", {}).get("containers"))


def models() -> list[Any]:
    """All models of the client that is installed."""
    # By dir: 37 imports them when they are asked for.
    found = {value for value in (getattr(client, name) for name in dir(client))
             if isinstance(value, type) and getattr(value, "openapi_types", None)}
    return sorted(found, key=lambda model: str(model.__name__))


def assert_same(found: Any, expected: Any, where: str = "") -> None:
    """Compare what is read, attribute by attribute."""
    if hasattr(expected, "attribute_map"):
        assert isinstance(found, type(expected)), where
        assert type(found).__name__ == type(expected).__name__
        for name in expected.attribute_map:
            assert_same(getattr(found, name), getattr(expected, name), f"{where}.{name}")
        return
    assert type(found) is type(expected), where
    if isinstance(expected, list):
        assert len(found) == len(expected), where
        for at, one in enumerate(expected):
            assert_same(found[at], one, f"{where}[{at}]")
    elif isinstance(expected, dict):
        assert list(found) == list(expected), where
        for key, one in expected.items():
            assert_same(found[key], one, f"{where}[{key}]")
    else:
        assert found == expected, where
        assert type(getattr(found, "tzinfo", None)) is type(getattr(expected, "tzinfo", None))
