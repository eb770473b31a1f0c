"""What metadata alone costs, on the wire and at rest, against the whole pods.

``python -m tests.bench --metadata``: 1,000 recorded pods, served by the fake API server.
"""

from __future__ import annotations

import gzip
import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any, NamedTuple

from kubernetes import client

from kube_reflect import Config, InitialListStrategy, Reflector, drop_managed_fields
from kube_reflect.testing import FakeApiServer

from tests.bench._pods import DATA
from tests.bench._report import table

_PATH = "/api/v1/pods"
_STREAM = "?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=1"
_AS = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"
_END = b"k8s.io/initial-events-end"


class Figures(NamedTuple):
    """Bytes an object, and seconds of CPU for all of them.

    :param listed: on the wire, in a LIST.
    :param zipped: the same, compressed.
    :param streamed: on the wire, as a line of a streaming list or of a change.
    :param kept: at rest.
    :param slim: at rest, without managed fields.
    :param cpu: to list them, in this process, where the server runs too.
    """

    listed: float
    zipped: float
    streamed: float
    kept: float
    slim: float
    cpu: float


def _pods(count: int | None) -> list[dict[str, Any]]:
    with gzip.open(DATA) as lines:
        return [json.loads(line) for line, _ in zip(lines, range(count or 10**9))]


def _fetch(server: FakeApiServer, query: str, accept: str, *encoding: str) -> Any:
    headers = {"Accept": accept, **({"Accept-Encoding": encoding[0]} if encoding else {})}
    return urllib.request.urlopen(urllib.request.Request(
        server.url + _PATH + query, headers=headers))


def _wire(server: FakeApiServer, metadata_only: bool) -> tuple[int, int, int]:
    accept = [_AS.format(part) if metadata_only else "application/json" for part in ("List", "")]
    with _fetch(server, "", accept[0]) as answer:
        listed = len(answer.read())
    with _fetch(server, "", accept[0], "gzip") as answer:
        zipped = len(answer.read())
    streamed = 0
    with _fetch(server, _STREAM, accept[1]) as answer:
        while _END not in (line := answer.readline()):
            streamed += len(line)
    return listed, zipped, streamed


def _kept(server: FakeApiServer, **options: Any) -> tuple[int, float]:
    config = Config(initial_list_strategy=InitialListStrategy.LIST_WATCH)
    with server.api_client() as api_client:
        began = time.process_time()
        with Reflector(client.CoreV1Api(api_client).list_pod_for_all_namespaces, config=config,
                       **options) as pods:
            pods.store.wait_until_ready(60)
            took = time.process_time() - began
            return pods.store.memory().bytes_at_rest, took


def measure(count: int | None = None) -> tuple[Figures, Figures]:
    """Measure whole pods, and their metadata.

    :param count: of the recorded pods; None takes all.
    """
    figures = []
    with FakeApiServer() as server:
        pods = _pods(count)
        for pod in pods:
            server.create(pod)
        for metadata_only in (False, True):
            wire = _wire(server, metadata_only)
            kept, cpu = _kept(server, metadata_only=metadata_only)
            slim, _ = _kept(server, metadata_only=metadata_only, transform=drop_managed_fields)
            figures.append(Figures(
                *(size / len(pods) for size in (*wire, kept, slim)), cpu))
    return figures[0], figures[1]


_ROWS: dict[str, Callable[[Figures], float]] = {
    "in a LIST": lambda one: one.listed,
    "in a LIST, gzip": lambda one: one.zipped,
    "as an event": lambda one: one.streamed,
    "at rest": lambda one: one.kept,
    "at rest, no managed fields": lambda one: one.slim,
}


def text(whole: Figures, metadata: Figures) -> str:
    """The figures as a table."""
    rows = [[name, f"{read(whole):,.0f}", f"{read(metadata):,.0f}",
             f"{read(metadata) / read(whole):.0%}"] for name, read in _ROWS.items()]
    rows.append(["CPU to list all, ms", f"{whole.cpu * 1000:,.0f}",
                 f"{metadata.cpu * 1000:,.0f}", f"{metadata.cpu / whole.cpu:.0%}"])
    return table(["bytes a pod", "whole", "metadata", "share"], rows)
