"""Play faults for some minutes, then compare every cache with the server."""

from __future__ import annotations

import argparse
import collections
import contextlib
import logging
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from kubernetes import client

from ..e2e._apiserver import ADMIN, OwnedServer, find_server
from ._hour import run_with_workers
from ._playing import Chaos
from ._proxy import Proxy
from ._watched import HEADINGS, Watched, all_kinds, key_of, versions
from ._writing import config_map_writer

# Seconds until everything must be in step once no fault is played any more.
SETTLING = 90.0
_SAMPLING = 0.2
_WRITERS = 2


@contextlib.contextmanager
def sampling(watched: list[Watched]) -> Iterator[None]:
    """Look at all of them, again and again, while the block runs."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(_SAMPLING):
            for one in watched:
                one.sample()

    thread = threading.Thread(target=run, name="sampler", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def settle(v1: client.CoreV1Api, watched: list[Watched]) -> dict[str, str]:
    """Wait until all caches are what the server has; return what differs, by reflector."""
    listed = v1.api_client.sanitize_for_serialization(
        v1.list_config_map_for_all_namespaces(label_selector="chaos=yes").items)
    server = versions(listed)
    apps = {key_of(obj): obj["metadata"]["labels"]["app"] for obj in listed}
    began = time.monotonic()
    pause = threading.Event()
    while True:
        differences = {one.name: difference for one in watched
                       if (difference := one.difference(server, apps))}
        if not differences or time.monotonic() - began > SETTLING:
            print(f"settled after {time.monotonic() - began:.1f} s: {len(server)} objects")
            return differences
        pause.wait(0.1)


def run(server: OwnedServer, minutes: float, seed: int) -> bool:
    """Play, and say how it went; True if all is well."""
    direct = server.api_client()
    namespaces = [server.create_namespace("chaos") for _ in range(2)]
    writers = [config_map_writer(server.api_client(), namespaces, f"{number}")
               for number in range(_WRITERS)]
    with Proxy(urlsplit(server.url).port or 0) as proxy:
        configuration = server._configuration(ADMIN)
        configuration.host = f"https://127.0.0.1:{proxy.port}"
        watched = all_kinds(client.ApiClient(configuration), namespaces)
        for writer in writers:
            writer.thread.start()
        for one in watched:
            one.start()
            one.reflector.store.wait_until_ready(30)
        chaos = Chaos(server, proxy, seed)
        with sampling(watched):
            chaos.play(time.monotonic() + 60 * minutes)
            server.recover()
            for writer in writers:
                writer.stop()
            differences = settle(client.CoreV1Api(direct), watched)
        print(f"\n{HEADINGS}")
        for one in watched:
            print(one.figures())
            one.close()
    print(f"\nwrites: {sum(one.written for one in writers)}, "
          f"failed: {sum(one.failed for one in writers)}")
    print("faults: " + ", ".join(f"{name} {count}" for name, count in chaos.played.items()))
    for name, difference in differences.items():
        print(f"NOT EQUAL: {name}: {difference}")
    violations = {one.name: one.violations for one in watched if one.violations}
    for name, found in violations.items():
        print(f"VIOLATED: {name}: {collections.Counter(found)}")
    if not differences and not violations:
        print("every store is the server, and so is what every subscriber was told")
    return not differences and not violations


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--pods", type=int, default=0,
                        help="watch so many pods in 20 reflectors, in the workers of a gunicorn")
    parser.add_argument("--figures", type=Path, default=Path("build/chaos.csv"),
                        help="a file for the memory of the workers")
    options = parser.parse_args()
    # The faults are meant; the figures tell what came of them.
    logging.getLogger("kube_reflect").setLevel(logging.ERROR)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        server = find_server(Path(folder))
        if not isinstance(server, OwnedServer):
            print("a server to stop and freeze is needed: set KUBEBUILDER_ASSETS to a folder "
                  "with kube-apiserver and etcd", file=sys.stderr)
            return 2
        print(f"seed {options.seed}, {options.minutes:g} minutes", flush=True)
        with contextlib.closing(server):
            good = (run(server, options.minutes, options.seed) if not options.pods else
                    run_with_workers(server, options.minutes, options.seed, options.pods,
                                     Path(folder), options.figures))
            return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
