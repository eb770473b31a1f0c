"""Feed the readers of lines, pages and views with damaged input for a while.

Whatever it is, a reader gives objects or says what is wrong by an error of its own, and soon; and
the memory does not grow.
"""

from __future__ import annotations

import argparse
import collections
import gc
import gzip
import json
import logging
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from kubernetes import client

from kube_reflect import FieldError
from kube_reflect.client import RequestError
from kube_reflect.client.views import view_maker
from kube_reflect.ground.objects import BadObject, Object
from kube_reflect.wire.lines import WatchLines
from kube_reflect.wire.pages import Page
from kube_reflect.wire.record import ServerRecord

from ._damage import cut, damaged, misshapen

DATA = Path(__file__).resolve().parent.parent / "data"
#: Seconds of the processor for one input, and MB for all after the first tenth of the time.
_SLOW, _GROWTH = 5.0, 60.0

#: Seeds are shorter than this, in bytes, for there to be many inputs.
_LONG = 60_000

Read = Callable[[random.Random, bytes], str]


def bodies(kind: str) -> list[bytes]:
    """Return the bodies of answers that were recorded from real API servers."""
    found = []
    for path in sorted(DATA.glob(f"wire/*/{kind}-*.json")):
        body = "".join(json.loads(path.read_text("utf-8"))["response"]["chunks"]).encode()
        if 0 < len(body) < _LONG:
            found.append(body)
    return found


def pods() -> list[bytes]:
    with gzip.open(DATA / "pods-v1.36.jsonl.gz") as file:
        return [line.strip() for line, _ in zip(file, range(20))]


class _Chunks:
    """What `WatchLines` needs of a response."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks

    def chunks(self) -> Iterator[bytes]:
        yield from self._chunks

    def set_read_timeout(self, seconds: float) -> None:
        pass

    def close(self) -> None:
        pass


def _use(obj: Object) -> None:
    try:
        assert isinstance(obj.key, tuple)
        assert obj.json() and obj.mapping() is not None
    except BadObject:
        pass


def read_lines(draw: random.Random, data: bytes) -> str:
    response: Any = _Chunks(cut(draw, data))
    lines = WatchLines(response, seconds=0, idle_timeout=60, initial=draw.random() < 0.3,
                       record=ServerRecord())
    try:
        for line in lines:
            _use(line.object)
    except RequestError:
        return "refused"
    return "read"


def read_pages(draw: random.Random, data: bytes) -> str:
    page = Page(cut(draw, data))
    try:
        for item in page:
            _use(item)
    except RequestError:
        return "refused"
    return "read"


class _Source:
    """An object at rest."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def json(self) -> bytes:
        return self._data

    def ref(self) -> str:
        return "Pod.v1./fuzz"


def _walk(value: Any, refused: list[str]) -> None:
    if isinstance(value, list):
        for one in value:
            _walk(one, refused)
    elif hasattr(type(value), "attribute_map"):
        for name in type(value).attribute_map:
            try:
                found = getattr(value, name)
            except FieldError as error:
                refused.append(error.field)
            else:
                _walk(found, refused)


def read_views(draw: random.Random, data: bytes) -> str:
    try:
        assert Object.parse(data).key
    except ValueError:
        return "refused"
    pod = view_maker(client.V1Pod)(_Source(data))
    refused: list[str] = []
    _walk(pod, refused)
    if draw.random() < 0.1:
        pod.to_dict()
        assert isinstance(repr(pod), str)
    return "read in part" if refused else "read"


#: What reads, and what gives good input, by name.
READERS: dict[str, tuple[Read, Callable[[], list[bytes]]]] = {
    "lines": (read_lines, lambda: bodies("watch")), "pages": (read_pages, lambda: bodies("list")),
    "views": (read_views, pods)}


def fuzz(name: str, read: Read, seeds: list[bytes], seconds: float, seed: int) -> bool:
    """Read damaged input for so long; return whether all went well."""
    draw = random.Random(seed)
    outcomes: collections.Counter[str] = collections.Counter()
    began, slowest, memory = time.monotonic(), 0.0, 0.0
    while (elapsed := time.monotonic() - began) < seconds:
        state = draw.getstate()
        # (The lines of a watch are no JSON as a whole.)
        keeps_json = name != "lines" and draw.random() < 0.5
        data = (misshapen if keeps_json else damaged)(draw, seeds)
        used = time.thread_time()
        try:
            outcomes[read(draw, data)] += 1
        except Exception:
            outcomes["FAILED"] += 1
            # The first of them say enough.
            if outcomes["FAILED"] <= 10:
                logging.exception("%s, %r", name, data[:2000])
            draw.setstate(state)
            draw = random.Random(draw.random())
        slowest = max(slowest, time.thread_time() - used)
        if not memory and elapsed > seconds / 10:
            memory = _memory()
    grown = _memory() - memory
    print(f"{name}: {outcomes.total()} inputs, " + ", ".join(
        f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
        + f"; the slowest took {slowest * 1000:.0f} ms of CPU, memory grew by {grown:.1f} MB",
        flush=True)
    return not outcomes["FAILED"] and slowest < _SLOW and grown < _GROWTH


def _memory() -> float:
    gc.collect()
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("readers", nargs="*", default=list(READERS))
    parser.add_argument("--seconds", type=float, default=180.0, help="for each reader")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    good = [fuzz(name, READERS[name][0], READERS[name][1](), options.seconds, options.seed)
            for name in options.readers]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
