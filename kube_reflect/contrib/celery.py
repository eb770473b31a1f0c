"""Celery: one line where the application is made::

    from kube_reflect.contrib.celery import start_in_workers

    pods = Reflector(v1.list_pod_for_all_namespaces)
    start_in_workers(pods)

Tasks then read ``pods.store``. Each process of a prefork pool has a cache of its own; the main
process, which runs no tasks, has none.
"""

from __future__ import annotations

from typing import Any

from celery import signals
from celery.concurrency.prefork import TaskPool

from kube_reflect.contrib import workers

__all__ = ["start_in_workers"]

#: Seconds. Celery ends a process that takes four to come up.
_PATIENCE = 3.0


def start_in_workers(*reflectors: workers.Startable) -> None:
    """Start reflectors in each process that runs tasks, whatever the pool.

    They are waited for, but not for more than three seconds, since Celery does not wait longer.
    May be called any number of times.

    :param reflectors: those that are not in `kube_reflect.contrib.workers` yet.
    """
    for one in reflectors:
        workers.add(one)
    signals.worker_process_init.connect(_start, dispatch_uid="kube_reflect")
    signals.worker_ready.connect(_start_here, dispatch_uid="kube_reflect")


def _start(**_: Any) -> None:
    workers.start(_PATIENCE)


def _start_here(sender: Any, **_: Any) -> None:
    # Pools of threads, of greenlets, and the one that has none send no worker_process_init.
    if not isinstance(getattr(sender, "pool", None), TaskPool):
        _start()
