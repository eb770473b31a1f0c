"""What objects take at rest and what that costs: ``python -m tests.bench.compression``."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from kube_reflect.store.backends import BACKENDS, Backend
from kube_reflect.store.compression import Compressor
from tests.bench._objects import KINDS


def least(work: Callable[[], Any], each: int, turns: int = 5) -> float:
    """Return the microseconds that it takes, the least of some turns, by so many."""
    taken = []
    for _ in range(turns):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken) / each * 1e6


def measure(objects: list[bytes], backend: Backend) -> str:
    """Return bytes at rest, microseconds to compress and to read back, and dictionaries."""
    compressor = Compressor(backend=backend)
    packed = [compressor.compress(json) for json in objects]
    assert [compressor.decompress(one) for one in packed] == objects
    size = sum(map(len, packed)) / len(objects)
    # By the dictionary that they ended with.
    into = least(lambda: all(compressor.compress(json) for json in objects), len(objects))
    back = least(lambda: all(compressor.decompress(one) for one in packed), len(objects))
    return f"{size:7.0f} {into:5.1f} {back:5.1f} {len({one[0] for one in packed} - {0, 1}):2}"


def main() -> None:
    """Print a line for each kind of objects."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.compression", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, metavar="N")
    count = parser.parse_args().count
    print(f"{'':14} {'JSON':>6}", *(f"{backend.name:>22}" for backend in BACKENDS))
    for name, make in KINDS.items():
        objects = make(count)
        print(f"{name:14} {sum(map(len, objects)) / len(objects):6.0f}",
              *(measure(objects, backend) for backend in BACKENDS))


if __name__ == "__main__":
    main()
