"""Any number of realistic pods, made from 1,000 recorded ones under new names."""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

DATA = Path(__file__).resolve().parent.parent / "data" / "pods-v1.36.jsonl.gz"

#: The version of the collection right after it was made; events count on from here.
BASE_VERSION = 1_000_000

_KIND = b'{"kind":"Pod","apiVersion":"v1",'


class Base(NamedTuple):
    """A recorded pod without the part that identifies it."""

    name: str
    namespace: str
    uid: str
    rest: bytes  #: from ``"generation"`` to the end of the pod, that brace included


@lru_cache(maxsize=None)
def bases() -> tuple[Base, ...]:
    """The recorded pods, cut where name, namespace, uid and version end."""
    found = []
    with gzip.open(DATA) as lines:
        for line in lines:
            at = line.index(b'"generation"')
            # "kind", "Pod", "apiVersion", "v1", "metadata", then four keys with their values.
            words = line[:at].decode().split('"')
            name, namespace, uid = (words[words.index(key) + 2]
                                    for key in ("name", "namespace", "uid"))
            found.append(Base(name, namespace, uid, line[at:].rstrip(b"\n")))
    return tuple(found)


def name_of(index: int) -> tuple[str, str]:
    """Name and namespace of the pod with this index."""
    base = bases()[index % len(bases())]
    return f"{base.name}-{index // len(bases())}", base.namespace


def head(index: int, version: int, *, kind: bool) -> bytes:
    """The beginning of a pod, up to where the recorded rest goes on.

    :param kind: with kind and apiVersion, as in an event; an item of a list has none.
    """
    base = bases()[index % len(bases())]
    name, namespace = name_of(index)
    uid = f"{index:08x}{base.uid[8:]}"
    metadata = (f'"metadata":{{"name":"{name}","namespace":"{namespace}","uid":"{uid}",'
                f'"resourceVersion":"{version}",').encode()
    return (_KIND if kind else b"{") + metadata


def event_head(index: int, version: int, event: str) -> bytes:
    """The beginning of a line of a WATCH."""
    return b'{"type":"%s","object":%s' % (event.encode(), head(index, version, kind=True))


def bookmark(version: int, *, initial_events_end: bool) -> bytes:
    """A BOOKMARK, a whole line."""
    note = (b',"annotations":{"k8s.io/initial-events-end":"true"}' if initial_events_end else b"")
    return (b'{"type":"BOOKMARK","object":%s"metadata":{"resourceVersion":"%d"%s},'
            b'"spec":{"containers":null},"status":{}}}\n' % (_KIND, version, note))
