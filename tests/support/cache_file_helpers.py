"""What the tests of caches in files share."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import Any

from kube_reflect.events import Init, InitApply, InitDone
from kube_reflect.reflector.cache_file import DIGEST, Saved, read
from kube_reflect.store import Cache, NamespaceWriter, StoreOptions

from tests.support.objects import pod

OF = {"server": "https://here", "transform": "None"}
LABELS = {"app": "web"}
#: What all objects have, and no object twice.
COMMON = "".join(hashlib.sha256(b"%d" % number).hexdigest() for number in range(20))


def new_cache(**options: Any) -> Cache:
    return Cache(None, StoreOptions(**options))


def filled(objects: int = 100, *, namespaces: tuple[str | None, ...] = (None,),
           **options: Any) -> Cache:
    """Return a cache that has listed so many pods, of each namespace."""
    cache = new_cache(**options)
    for at, namespace in enumerate(namespaces):
        writer = NamespaceWriter(cache, namespace)
        writer.apply(Init())
        for number in range(objects):
            one = pod(f"pod-{number}", namespace or "ns", str(number + 1), labels=LABELS,
                      text=f"{number} {COMMON}")
            writer.apply(InitApply(one))
        writer.apply(InitDone(str(1000 + at)))
    return cache


def sealed(content: bytes) -> bytes:
    """Return a file's content with the digest that belongs to it."""
    return content + hashlib.blake2b(content, digest_size=DIGEST).digest()


def read_back(content: bytes, cache: Cache | None = None,
              of: Mapping[str, str] = OF) -> Saved | None:
    return read(io.BytesIO(content), len(content), cache or new_cache(), of)


def contents(cache: Cache) -> dict[Any, Any]:
    """Return all that is known of each object."""
    return {key: (entry.json(), entry.resource_version, entry.uid, dict(entry.labels),
                  entry.index_values) for key, entry in cache.table.entries.items()}
