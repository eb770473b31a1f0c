"""Measure one group of figures in this process, which does nothing else.

``python -m tests.bench._measure JSON``, where the JSON has the fields of Task; it prints the
figures as JSON: seconds, bytes, and numbers a second.
"""

from __future__ import annotations

import gc
import json
import os
import random
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.bench import _process, _workloads
from tests.bench._control import RawClient, ask, server_cpu, wait_for_watches
from tests.bench._pods import BASE_VERSION, bookmark, name_of
from tests.support.waiting import wait_until

Figures = dict[str, Any]

_WATCH = "/api/v1/pods?watch=1&sendInitialEvents=true"
_END_OF_INITIAL = bookmark(BASE_VERSION, initial_events_end=True) + b"\r\n"
_END_OF_LIST = b"]}\n\r\n0\r\n\r\n"


@dataclass
class Task:
    """What to measure.

    :param client: official, kube_reflect or floor.
    :param events: how many events a burst has.
    :param rate: events a second that are applied while threads read.
    :param seconds: how long each number of threads reads.
    :param mode: for kube_reflect, a name in ``_modes.MODES``.
    """

    figures: str
    client: str
    port: int
    size: int
    listing: bool = False
    events: int = 2000
    rate: int = 2000
    seconds: float = 1.0
    threads: list[int] = field(default_factory=lambda: [1, 2, 4, 8])
    mode: str = "default"


def _client(task: Task) -> Any:
    from tests.bench._clients import Official, Ours

    if task.client == "official":
        return Official(task.port)
    from tests.bench._modes import MODES

    return Ours(task.port, listing=task.listing, **MODES[task.mode].options())


def _synced(task: Task) -> Any:
    client = _client(task)
    client.start()
    client.wait_ready()
    wait_for_watches(task.port)
    return client


def _parser() -> str:
    module = sys.modules.get("kube_reflect.ground.json_parser")
    return str(getattr(module, "PARSER", ""))


def sync(task: Task) -> Figures:
    """Time, CPU and memory until everything can be read, and the collector's work afterwards."""
    client = _client(task)
    idle = _process.full_collection()
    server, before = server_cpu(task.port), _process.resident()
    _process.forget_peak()
    cpu, began = time.process_time(), time.perf_counter()
    client.start()
    client.wait_ready()
    figures: Figures = {"wall": time.perf_counter() - began, "cpu": time.process_time() - cpu,
                        "peak": _process.peak() - before, "parser": _parser()}
    gc.collect()
    figures["kept"] = _process.resident() - before
    figures["server_cpu"] = server_cpu(task.port) - server
    figures["collection"], figures["collection_before"] = _process.full_collection(), idle
    return figures


def collection(task: Task) -> Figures:
    """The collector's work afterwards, without what was there before the sync."""
    client = _client(task)
    gc.collect()
    gc.freeze()
    client.start()
    client.wait_ready()
    return {"own": _process.full_collection()}


def stall(task: Task) -> Figures:
    """The longest time that another thread had to wait, during the sync and during a burst."""
    client = _client(task)
    ask(task.port, "/burst", events=task.events, prepare=1)
    # Importing the official client leaves so many objects behind that the first full collection
    # takes longer than all stalls of a sync; it is not to fall into what is measured here.
    gc.collect()
    with _process.Ticker() as ticker:
        ticker.take()
        client.start()
        client.wait_ready()
        figures: Figures = {"sync": ticker.take()}
        wait_for_watches(task.port)
        ticker.take()
        _burst(client, task, task.events)
        figures["burst"] = ticker.take()
    return figures


def _burst(client: Any, task: Task, number: int, deadline: float = 300.0) -> None:
    """Let the server send so many events, and wait until the last one can be read."""
    version = str(ask(task.port, "/burst", events=number)["version"])
    index = (number - 1) % task.size
    wait_until(lambda: client.version(index) == version, "the last event of the burst", deadline,
               every=0.002)


def events(task: Task) -> Figures:
    """How fast events of a WATCH become readable, when the server sends as fast as they go."""
    client = _synced(task)
    ask(task.port, "/burst", events=task.events, prepare=1)
    server = server_cpu(task.port)
    cpu, began = time.process_time(), time.perf_counter()
    _burst(client, task, task.events)
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {"rate": task.events / wall, "cpu": cpu / task.events, "events": task.events,
            "wall": wall, "server_cpu": server_cpu(task.port) - server}


def reads(task: Task) -> Figures:
    """What reading costs when all has been read before, alone and beside a writer."""
    client = _synced(task)
    chosen = random.Random(1).sample(range(task.size), min(500, task.size))
    read = client.reader([name_of(index) for index in chosen])
    client.everything()
    read()
    gc.collect()
    figures: Figures = {"get": _best(read, 200) / len(chosen),
                        "state": _best(client.everything, 200)}
    # What is waited for is read with that; so a second pod changes, which state() has to decode.
    if task.size > 1:
        _burst(client, task, 2)
    began = time.perf_counter()
    client.everything()
    figures["state_after_change"] = time.perf_counter() - began
    figures["alone"] = _gets_a_second(read, len(chosen), 1, task.seconds)
    for threads in task.threads:
        events = int(task.rate * (task.seconds + 0.5))
        ask(task.port, "/burst", events=events, rate=task.rate)
        # Not waited for: the burst has no other end than its time, of which both see the middle.
        time.sleep(0.1)
        before, began = client.applied(), time.perf_counter()
        figures[f"threads_{threads}"] = _gets_a_second(read, len(chosen), threads, task.seconds)
        figures[f"applied_{threads}"] = (client.applied() - before) / (time.perf_counter() - began)
        time.sleep(0.5)
    return figures


def _best(call: Callable[[], Any], rounds: int) -> float:
    """Seconds a call, the median of five series."""
    series = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(rounds):
            call()
        series.append((time.perf_counter() - began) / rounds)
    return statistics.median(series)


def _gets_a_second(read: Callable[[], Any], width: int, threads: int, seconds: float) -> float:
    counts = [0] * threads
    gate = threading.Barrier(threads + 1)
    stop = threading.Event()

    def work(number: int) -> None:
        gate.wait()
        while not stop.is_set():
            read()
            counts[number] += width

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    gate.wait()
    began = time.perf_counter()
    # So long they are counted.
    time.sleep(seconds)
    stop.set()
    took = time.perf_counter() - began
    for worker in workers:
        worker.join()
    return sum(counts) / took


def mode(task: Task) -> Figures:
    """What an object costs in a mode of the store: to keep, to sync, to read first."""
    from tests.bench._modes import MODES

    client = _client(task)
    gc.collect()
    before, cpu = _process.resident(), time.process_time()
    client.start()
    client.wait_ready()
    figures: Figures = {"cpu": time.process_time() - cpu}
    if MODES[task.mode].read:
        figures["read"] = _first_read(client, task)
    gc.collect()
    figures["kept"] = _process.resident() - before
    if not MODES[task.mode].read:
        figures["read"] = _first_read(client, task)
    return figures


def _first_read(client: Any, task: Task) -> float:
    """CPU seconds that each object takes when all are read for the first time."""
    began = time.process_time()
    client.everything()
    return (time.process_time() - began) / task.size


def _controller(task: Task) -> Figures:
    client = _client(task)
    return _workloads.controller(client, task.port, task.events,
                                 lambda number: _burst(client, task, number))


def floor(task: Task) -> Figures:
    """The same bytes, merely received: what no client can be faster than."""
    figures: Figures = {}
    for name, path, mark in (("list", "/api/v1/pods", _END_OF_LIST),
                             ("stream", _WATCH, _END_OF_INITIAL)):
        server, cpu, began = server_cpu(task.port), time.process_time(), time.perf_counter()
        client = RawClient(task.port, path)
        client.receive_until(mark)
        figures[f"{name}_wall"] = time.perf_counter() - began
        figures[f"{name}_cpu"] = time.process_time() - cpu
        figures[f"{name}_server_cpu"] = server_cpu(task.port) - server
        if name == "list":
            client.close()
    wait_for_watches(task.port)
    total = ask(task.port, "/burst", events=task.events, prepare=1)["bytes"]
    server, cpu, began = server_cpu(task.port), time.process_time(), time.perf_counter()
    ask(task.port, "/burst", events=task.events)
    client.receive(total)
    figures["rate"] = task.events / (time.perf_counter() - began)
    figures["event_cpu"] = (time.process_time() - cpu) / task.events
    figures["event_server_cpu"] = (server_cpu(task.port) - server) / task.events
    client.close()
    return figures


def main() -> None:
    """Measure, print, and leave without waiting for any thread."""
    task = Task(**json.loads(sys.argv[1]))
    groups: dict[str, Callable[[Task], Figures]] = {
        "sync": sync, "collection": collection, "stall": stall, "events": events,
        "reads": reads, "mode": mode, "floor": floor,
        "rows": lambda task: _workloads.rows(_client(task)),
        "web": lambda task: _workloads.web(_client(task)),
        "controller": _controller, "many": lambda task: _workloads.many()}
    print(json.dumps(groups[task.figures](task)), flush=True)
    # The informer's stop() may hang, and what comes after the figures does not matter.
    os._exit(0)


if __name__ == "__main__":
    main()
