"""What a server sees of many replicas that start at once: ``python -m tests.bench.starts``.

The replicas are reflectors of one process, and the server is a `FakeApiServer` in it, whose log of
requests says when each came.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from typing import NamedTuple

from kubernetes import client

from kube_reflect import Config, Reflector, Shard
from kube_reflect.testing import FakeApiServer

from tests.bench._objects import KINDS

#: Seconds of one figure.
_STEP = 0.1
#: How many figures are shown in full.
_SHOWN = 12


class Starts(NamedTuple):
    """What came of a start.

    :param steps: requests for a list in each tenth of a second since the start.
    :param ready: seconds until all were ready.
    """

    steps: list[int]
    ready: float


def measure(count: int, pods: int, jitter: float, *, sharded: bool = False) -> Starts:
    """Start so many replicas at once.

    :param pods: in the cluster.
    :param jitter: ``Config(start_jitter=…)``.
    :param sharded: each has its shard, and the server leaves out the others.
    """
    with FakeApiServer(sharding=sharded) as server:
        for pod in KINDS["pods"](pods):
            server.create(json.loads(pod))
        v1 = client.CoreV1Api(server.api_client())
        replicas = [Reflector(v1.list_pod_for_all_namespaces, config=Config(
            start_jitter=jitter, shard=Shard(index, count) if sharded else None))
            for index in range(count)]
        began = time.monotonic()
        for one in replicas:
            one.start()
        ready = []
        for one in replicas:
            one.store.wait_until_ready(600)
            ready.append(time.monotonic() - began)
        arrivals = [request.time - began for request in server.requests
                    if request.flag("sendInitialEvents")]
        for one in replicas:
            one.close()
    steps = Counter(int(arrival / _STEP) for arrival in arrivals)
    return Starts([steps[number] for number in range(max(steps) + 1)], max(ready))


def line(name: str, starts: Starts) -> str:
    """Say it in one line."""
    steps, ready = starts
    shown = " ".join(f"{number:2}" for number in steps[:_SHOWN])
    more = " …" if len(steps) > _SHOWN else ""
    return f"{name:24} {max(steps):4} {len(steps) * _STEP:6.1f} {ready:7.1f}   {shown}{more}"


def main() -> None:
    """Print a line for each way to start."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.starts", description=__doc__)
    parser.add_argument("--replicas", type=int, default=50, metavar="N")
    parser.add_argument("--pods", type=int, default=20, metavar="N")
    parser.add_argument("--jitter", type=float, default=5.0, metavar="SECONDS")
    given = parser.parse_args()
    print(f"{'':24} {'most':>4} {'over s':>6} {'ready s':>7}   requests per 100 ms",
          flush=True)
    for jitter in (0.0, given.jitter):
        for sharded in (False, True):
            name = f"jitter {jitter:g} s{', shards' if sharded else ''}"
            starts = measure(given.replicas, given.pods, jitter, sharded=sharded)
            print(line(name, starts), flush=True)


if __name__ == "__main__":
    main()
