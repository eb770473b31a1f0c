"""Thousands of pods, twenty reflectors in the workers of a gunicorn, and all the faults."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from urllib.parse import urlsplit

from kube_reflect.testing._kubeconfig import write_kubeconfig

from ..e2e._apiserver import OwnedServer
from . import _pods, _serving
from ._playing import Chaos
from ._proxy import Proxy

_NAMESPACES = 10
_WRITERS = 2
# Seconds for all workers to have listed everything.
_STARTING = 400.0


def _expected(pods: _pods.Pods) -> dict[str, dict[str, str]]:
    """Return what each shape of the site has to hold: versions, by namespace and name."""
    listed = [("/".join(key), key[0], version, app) for key, version, app in pods.all()]
    whole = {key: version for key, _, version, _ in listed}
    return {"typed": whole, "plain": whole, "metadata": whole,
            "namespaces": {key: version for key, namespace, version, _ in listed
                           if namespace in pods.namespaces[:3]},
            "selector": {key: version for key, _, version, app in listed
                         if app in ("web", "db")}}


def run_with_workers(server: OwnedServer, minutes: float, seed: int, count: int, folder: Path,
                     figures: Path) -> bool:
    """Play, and say how it went; True if all is well.

    :param count: of pods.
    :param folder: for what passes between this process and the workers.
    :param figures: a file for the memory of each worker.
    """
    figures.parent.mkdir(parents=True, exist_ok=True)
    pods = _pods.Pods(server, sorted(server.create_namespace("chaos") for _ in range(_NAMESPACES)))
    began = time.monotonic()
    pods.create(count)
    print(f"{count} pods created in {time.monotonic() - began:.0f} s", flush=True)
    writers = [_pods.pod_writer(pods, seed + number, count) for number in range(_WRITERS)]
    with Proxy(urlsplit(server.url).port or 0) as proxy:
        kubeconfig = folder / "kubeconfig"
        write_kubeconfig(kubeconfig, f"https://127.0.0.1:{proxy.port}", server.token,
                         server.certificate)
        serving = _serving.Serving(kubeconfig, pods.namespaces, figures, seed)
        with serving.host:
            serving.start(_STARTING)
            for writer in writers:
                writer.thread.start()
            end = time.monotonic() + 60 * minutes
            # Later, so that some workers live long enough to show whether they grow.
            renewed_until = end - 40 * minutes
            chaos = Chaos(server, proxy, seed, calm=(10, 40), more={
                "a worker is killed": lambda: serving.kill(signal.SIGKILL),
                "a worker is aborted": lambda: serving.kill(signal.SIGABRT),
                "a worker is ended": lambda: serving.kill(signal.SIGTERM),
                "all workers are renewed": lambda: (
                    serving.host.signal(signal.SIGHUP) if time.monotonic() < renewed_until
                    else serving.kill(signal.SIGTERM)),
            })
            chaos.play(end)
            server.recover()
            for writer in writers:
                writer.stop()
            serving.stop_asking()
            equal = serving.compare(_expected(pods), folder)
            flat = serving.report()
    print(f"\nwrites: {sum(one.written for one in writers)}, "
          f"failed: {sum(one.failed for one in writers)}")
    print("faults: " + ", ".join(f"{name} {number}" for name, number in chaos.played.items()))
    print("every worker is the server, and nothing grew" if equal and flat else "NOT WELL")
    return equal and flat
