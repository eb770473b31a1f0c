"""gunicorn and its workers: asked, interrupted, killed and renewed, measured and compared."""

from __future__ import annotations

import collections
import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..hosts._process import Host

WORKERS = 4
#: Seconds until every worker must be in step once no fault is played any more.
SETTLING = 600.0
_ASKING = 4
_SAMPLING = 10.0
#: What a worker's memory may grow by, from the second third of its life to the last.
GROWTH = 1.2

Sample = collections.namedtuple("Sample", "elapsed rss descriptors threads")


class Serving:
    """A gunicorn with four workers, who asks it all the time, and what was measured.

    :param figures: a file that gets each measure, one a line; what the workers said goes beside
        it.
    """

    def __init__(self, kubeconfig: Path, namespaces: list[str], figures: Path, seed: int) -> None:
        self.host = Host(
            sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--workers",
            str(WORKERS), "--timeout", "120", "--graceful-timeout", "10", "--config",
            str(Path(__file__).with_name("gunicorn.conf.py")), "tests.chaos.site:app",
            kubeconfig=kubeconfig, CHAOS_NAMESPACES=",".join(namespaces))
        self.answers: collections.Counter[str] = collections.Counter()
        self.violations: list[str] = []
        self.samples: dict[int, list[Sample]] = {}
        self._figures = figures
        self._draw = random.Random(seed)
        self._stop = threading.Event()
        self._began = time.monotonic()
        self._threads = [threading.Thread(target=self._ask, args=(number,), name=f"ask-{number}",
                                          daemon=True) for number in range(_ASKING)]
        self._threads.append(threading.Thread(target=self._measure, name="measure", daemon=True))

    def start(self, deadline: float) -> None:
        """Wait until all workers have all pods, then begin to ask."""
        until = time.monotonic() + deadline
        for pid, found in self._every("/status", until,
                                      lambda found: all(one["ready"] for one in found.values())):
            print(f"worker {pid}: {({name: one['objects'] for name, one in found.items()})}")
        for thread in self._threads:
            thread.start()

    def pids(self) -> list[int]:
        """The workers that there are, the oldest first."""
        master = self.host.process.pid
        with open(f"/proc/{master}/task/{master}/children") as file:
            return sorted(map(int, file.read().split()), key=_age)

    def kill(self, number: int) -> None:
        """Send a signal to one of the younger half, so that some grow old enough to be measured."""
        young = self.pids()[WORKERS // 2:]
        if young:
            os.kill(self._draw.choice(young), number)

    def _ask(self, seed: int) -> None:
        draw = random.Random(seed)
        while not self._stop.wait(draw.uniform(0.1, 1.0)):
            page = draw.choice(("/limited", "/thrown"))
            seconds = draw.choice((0.01, 0.1, 1)) * draw.random()
            code, found = self.host.get(f"{page}?seconds={seconds}", timeout=150)
            if code == 200:
                self.answers[f"{page[1:]}, {found['found']}"] += 1
            elif code == 503:
                self.answers["not ready"] += 1
            elif code == 0:
                self.answers["no answer"] += 1
            elif "<html>" in found:
                # gunicorn's own page: the worker was aborted amid the request.
                self.answers["aborted"] += 1
            else:
                self.violations.append(f"{page}: {code}: {found[-3000:]}")
                print(f"VIOLATED: {self.violations[-1]}", flush=True)

    def _measure(self) -> None:
        with self._figures.open("w") as file:
            print("elapsed,pid,rss_mb,descriptors,threads", file=file)
            while not self._stop.wait(_SAMPLING):
                for pid in self.pids():
                    try:
                        sample = _sample(pid, time.monotonic() - self._began)
                    except OSError:
                        continue
                    self.samples.setdefault(pid, []).append(sample)
                    print(f"{sample.elapsed:.0f},{pid},{sample.rss:.1f},{sample.descriptors},"
                          f"{sample.threads}", file=file, flush=True)

    def stop_asking(self) -> None:
        """Ask no more, and measure no more."""
        self._stop.set()
        for thread in self._threads:
            thread.join(160)

    def _every(self, page: str, until: float,
               good: Callable[[Any], bool] = lambda _: True) -> Iterator[tuple[int, Any]]:
        """Ask until each worker that lives has given an answer that is good; return them."""
        answered: dict[int, Any] = {}
        bad: dict[int, Any] = {}
        pause = threading.Event()
        while set(self.pids()) - answered.keys() or len(answered) < WORKERS:
            if time.monotonic() > until:
                raise AssertionError(f"{page}: only of {list(answered)}, not of {bad}")
            code, found = self.host.get(page, timeout=150)
            if code == 200 and good(found["found"]):
                answered[found["pid"]] = found["found"]
            elif code == 200:
                bad[found["pid"]] = found["found"]
            pause.wait(0.1 if code == 200 else 1)
        yield from answered.items()

    def compare(self, expected: dict[str, dict[str, str]], folder: Path) -> bool:
        """Wait until each worker is what the server has; say so, or in what it is not."""
        path = folder / "expected.json"
        path.write_text(json.dumps(expected))
        began = time.monotonic()
        try:
            for pid, _ in self._every(f"/compare?path={path}", began + SETTLING,
                                      lambda differences: not differences):
                print(f"worker {pid}: all five equal, as were their indexes, subscribers, handlers")
        except AssertionError as error:
            self.violations.append(f"NOT EQUAL: {error}")
            return False
        print(f"settled after {time.monotonic() - began:.1f} s")
        for pid, found in self._every("/status", time.monotonic() + 60):
            print(f"worker {pid}: " + ", ".join(
                f"{name}: {one['objects']} objects, {one['events']} events, {one['relists']} "
                f"relists, {one['reconnects']} reconnects" for name, one in found.items()))
        return True

    def report(self) -> bool:
        """Print the measures of those who lived longest; return whether they are flat."""
        print(f"\nworkers: {len(self.samples)}, requests: {dict(self.answers)}")
        for pid, samples in sorted(self.samples.items(), key=lambda one: -len(one[1]))[:WORKERS]:
            if len(samples) < 12:
                continue
            print(f"worker {pid}, from {samples[0].elapsed:.0f} s to {samples[-1].elapsed:.0f} s")
            third = len(samples) // 3
            for name in ("rss", "descriptors", "threads"):
                values = [getattr(sample, name) for sample in samples]
                shown = ", ".join(f"{values[round(part * (len(values) - 1) / 10)]:.0f}"
                                  for part in range(11))
                middle, last = max(values[third:2 * third]), max(values[2 * third:])
                print(f"  {name:<12}{shown}; most in its second third {middle:.0f}, "
                      f"in its last {last:.0f}")
                if len(samples) > 60 and last > GROWTH * middle + 5:
                    self.violations.append(f"{name} of {pid} grew from {middle} to {last}")
        self._figures.with_suffix(".workers.log").write_text(self.host.output())
        shouted = [line for line in self.host.lines if "Traceback" in line or "ERROR" in line]
        for line, count in collections.Counter(shouted).most_common(20):
            print(f"log, {count} times: {line[:300]}")
        for violation, count in collections.Counter(self.violations).most_common(20):
            print(f"VIOLATED, {count} times: {violation}")
        return not self.violations


def _age(pid: int) -> int:
    """When a process was started, in ticks."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[19])
    except OSError:
        return 0


def _sample(pid: int, elapsed: float) -> Sample:
    with open(f"/proc/{pid}/status") as file:
        status = dict(line.split(":", 1) for line in file)
    return Sample(elapsed, int(status["VmRSS"].split()[0]) / 1024,
                  len(os.listdir(f"/proc/{pid}/fd")), int(status["Threads"]))
