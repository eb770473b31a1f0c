"""What a server sees of many replicas that start at once: ``python -m tests.bench.starts``.

Each replica is a process of its own, made before, and all start at one moment. The server is
`FakeApiServer`, whose log of requests says when each came.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
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

    :param steps: requests for a list in each tenth of a second since the first.
    :param ready: seconds until each replica was ready.
    """

    steps: list[int]
    ready: list[float]


def replica(config: Config, pipe: Connection, barrier: Barrier) -> None:
    """Be told of a server, start when all do, and tell how long it took to be ready."""
    configuration = client.Configuration()
    configuration.host, configuration.proxy = pipe.recv(), None
    v1 = client.CoreV1Api(client.ApiClient(configuration))
    reflector = Reflector(v1.list_pod_for_all_namespaces, config=config)
    barrier.wait()
    began = time.perf_counter()
    with reflector:
        reflector.store.wait_until_ready(600)
        pipe.send(time.perf_counter() - began)
        # None may end, and cut its watch, before all are ready.
        barrier.wait()


@contextmanager
def replicas(configs: list[Config]) -> Iterator[tuple[list[Connection], Barrier]]:
    """Make the processes, while this one has no other threads."""
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(len(configs) + 1)
    pipes = [context.Pipe() for _ in configs]
    processes = [context.Process(target=replica, args=(config, theirs, barrier))
                 for config, (_, theirs) in zip(configs, pipes)]
    for process in processes:
        process.start()
    try:
        yield [ours for ours, _ in pipes], barrier
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.kill()


def measure(count: int, pods: int, jitter: float, *, sharded: bool = False) -> Starts:
    """Start so many replicas at once.

    :param pods: in the cluster.
    :param jitter: ``Config(start_jitter=…)``.
    :param sharded: each has its shard, and the server leaves out the others.
    """
    configs = [Config(start_jitter=jitter, shard=Shard(index, count) if sharded else None)
               for index in range(count)]
    with replicas(configs) as (pipes, barrier), FakeApiServer(sharding=sharded) as server:
        for one in KINDS["pods"](pods):
            server.create(json.loads(one))
        for pipe in pipes:
            pipe.send(server.url)
        barrier.wait()
        ready = [pipe.recv() for pipe in pipes]
        arrivals = [one.time for one in server.requests if one.flag("sendInitialEvents")]
        barrier.wait()
    steps = Counter(int((arrival - min(arrivals)) / _STEP) for arrival in arrivals)
    return Starts([steps[number] for number in range(max(steps) + 1)], ready)


def line(name: str, starts: Starts) -> str:
    """Say it in one line."""
    steps, ready = starts
    shown = " ".join(f"{number:2}" for number in steps[:_SHOWN])
    more = " …" if len(steps) > _SHOWN else ""
    return (f"{name:24} {max(steps):4} {len(steps) * _STEP:6.1f} "
            f"{statistics.median(ready):7.1f} {max(ready):6.1f}   {shown}{more}")


def main() -> None:
    """Print a line for each way to start."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.starts", description=__doc__)
    parser.add_argument("--replicas", type=int, default=50, metavar="N")
    parser.add_argument("--pods", type=int, default=100, metavar="N")
    parser.add_argument("--jitter", type=float, default=5.0, metavar="SECONDS")
    given = parser.parse_args()
    print(f"{'':24} {'most':>4} {'over s':>6} {'ready s':>7} {'last':>6}   requests per 100 ms")
    for jitter in (0.0, given.jitter):
        for sharded in (False, True):
            name = f"jitter {jitter:g} s{', shards' if sharded else ''}"
            starts = measure(given.replicas, given.pods, jitter, sharded=sharded)
            print(line(name, starts), flush=True)


if __name__ == "__main__":
    main()
