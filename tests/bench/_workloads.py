"""What users do with a cache: rows of a table, a web request, a controller, many reflectors."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from kubernetes.client import ApiClient, Configuration, CoreV1Api

from tests.bench import _process
from tests.bench._clients import Client
from tests.bench._control import ask

Figures = dict[str, Any]

#: Reflectors in one process.
MANY = 100


def row_of(pod: Any) -> tuple[str, str, str]:
    """Name, phase and node of a pod, as a model or as a mapping."""
    if isinstance(pod, dict):
        return pod["metadata"]["name"], pod["status"]["phase"], pod["spec"]["nodeName"]
    return pod.metadata.name, pod.status.phase, pod.spec.node_name


def rows(client: Client) -> Figures:
    """Sync, and then read three fields of every pod: until they are there, and what stays."""
    gc.collect()
    before, cpu, began = _process.resident(), time.process_time(), time.perf_counter()
    client.start()
    client.wait_ready()
    synced = time.perf_counter()
    table = [row_of(pod) for pod in client.everything()]
    figures = {"wall": time.perf_counter() - began, "cpu": time.process_time() - cpu,
               "read": (time.perf_counter() - synced) / len(table)}
    gc.collect()
    figures["kept"] = _process.resident() - before
    return figures


def web(client: Client) -> Figures:
    """Answer a request that filters all pods by a field: the first one, and the second."""
    client.start()
    client.wait_ready()
    gc.collect()
    figures = {}
    for which in ("first", "second"):
        began = time.perf_counter()
        found = [row_of(pod) for pod in client.everything() if row_of(pod)[1] == "Running"]
        figures[which] = time.perf_counter() - began
    assert found
    return figures


def controller(client: Client, port: int, events: int, burst: Callable[[int], None]) -> Figures:
    """Read three fields of what each event brings, as a controller does."""
    seen: list[tuple[str, str, str]] = []
    client.start()
    client.wait_ready()
    client.follow(lambda pod: seen.append(row_of(pod)))
    ask(port, "/burst", events=events, prepare=1)
    cpu, began = time.process_time(), time.perf_counter()
    burst(events)
    return {"rate": events / (time.perf_counter() - began),
            "cpu": (time.process_time() - cpu) / events, "seen": len(seen)}


def many() -> Figures:
    """Start so many reflectors in one process, over TLS, from one ApiClient."""
    with subprocess.Popen([sys.executable, "-c", _SERVER], stdout=subprocess.PIPE,
                          stdin=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            return _many(CoreV1Api(ApiClient(_configuration(server.stdout.readline().split()))))
        finally:
            server.kill()


_SERVER = """
import sys
from kube_reflect.testing import FakeApiServer
from kube_reflect.testing._certificates import Certificate
certificate = Certificate()
with FakeApiServer(ssl_context=certificate.server_context()) as server:
    print(server.url, certificate.path, flush=True)
    sys.stdin.read()
"""


def _configuration(said: list[str]) -> Configuration:
    configuration = Configuration(host=said[0])
    configuration.ssl_ca_cert = said[1]
    return configuration


def _many(api: CoreV1Api) -> Figures:
    from kube_reflect import Reflector

    # What the first one imports, and makes for all.
    with Reflector(api.list_namespaced_config_map, "default") as first:
        first.store.wait_until_ready(60)
    gc.collect()
    before, cpu, began = _process.resident(), time.process_time(), time.perf_counter()
    reflectors = [Reflector(api.list_namespaced_config_map, f"ns-{number}").start()
                  for number in range(MANY)]
    for reflector in reflectors:
        reflector.store.wait_until_ready(60)
    figures = {"wall": time.perf_counter() - began, "cpu": time.process_time() - cpu,
               "kept": (_process.resident() - before) / MANY}
    for reflector in reflectors:
        reflector.close()
    return figures
