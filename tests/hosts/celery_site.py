"""A Celery application whose tasks read the cache for as long as they may."""

from __future__ import annotations

import itertools
import os
import threading
from pathlib import Path
from typing import Any

from celery import Celery
from celery.backends.filesystem import FilesystemBackend
from celery.exceptions import SoftTimeLimitExceeded
from kombu.transport import filesystem
from kombu.utils.json import dumps
from kubernetes import client, config

from kube_reflect import Reflector
from kube_reflect.contrib.celery import start_in_workers

FOLDER = os.environ.get("CELERY_FOLDER", "")
NAMESPACE = os.environ.get("SHOP_NAMESPACE", "shop")

_numbers = itertools.count()


def _put(channel: Any, queue: str, payload: Any, **_: Any) -> None:
    """Put a message where who takes it finds all of it; by kombu's own way it may be empty yet."""
    name = f"{next(_numbers):09}-{os.getpid()}.{queue}.msg"
    _write(Path(channel.data_folder_out, name), dumps(payload).encode())


def _set(backend: Any, key: bytes, value: str | bytes) -> None:
    """Likewise for results."""
    _write(Path(backend._filename(key).decode()),
           value if isinstance(value, bytes) else value.encode())


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(data)
    part.rename(path)


filesystem.Channel._put = _put
FilesystemBackend.set = _set

app = Celery("site", broker="filesystem://", backend=f"file://{FOLDER}/results")
app.conf.update(
    broker_transport_options={"data_folder_in": f"{FOLDER}/queue",
                              "data_folder_out": f"{FOLDER}/queue",
                              "control_folder": f"{FOLDER}/control", "polling_interval": 0.02},
    worker_prefetch_multiplier=16, task_ignore_result=False, worker_send_task_events=False)

config.load_config()
pods = Reflector(client.CoreV1Api().list_namespaced_pod, NAMESPACE,
                 indexers={"node": lambda mapping: [mapping["spec"].get("nodeName")]})
start_in_workers(pods)


def read_all(name: str = "web-0") -> list[int]:
    """Read by each method."""
    store = pods.store
    found = store.get(name, NAMESPACE)
    # Only once it is decoded as it should be does this say something.
    assert found is None or found.metadata.name == name
    return [len(store.state(namespace=NAMESPACE)), len(store.by_index("node", "node-1")),
            len(store.snapshot().keys()), len(store.keys()),
            len(store.state(where=lambda pod: pod.spec.node_name == "node-1"))]


@app.task  # type: ignore[misc]
def read() -> int:
    """Read until time is up."""
    times = 0
    try:
        while True:
            read_all()
            times += 1
    except SoftTimeLimitExceeded:
        return times


@app.task  # type: ignore[misc]
def look(name: str) -> dict[str, Any]:
    """Return whether this process has what is new, by every method; None if it waits for ever."""
    found: list[Any] = []

    def ask() -> None:
        status = pods.status
        found.append([status.live, read_all(name), pods.store.get(name, NAMESPACE) is not None])

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(5)
    return {"pid": os.getpid(), "found": found[0] if found else None}
