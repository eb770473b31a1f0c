"""What is to run in each worker process of a server that forks them.

The reflectors of a Flask or Django application are here by themselves; others are added::

    from kube_reflect.contrib import workers

    pods = workers.add(Reflector(v1.list_pod_for_all_namespaces))

and then one line in the server's configuration starts them in each worker: that of
`kube_reflect.contrib.gunicorn` or `kube_reflect.contrib.celery`; in uWSGI a function marked
``@uwsgidecorators.postfork`` that calls `start`.
"""

from __future__ import annotations

import logging
import time
import weakref
from typing import Any, Protocol, TypeVar

from kube_reflect.errors import NotReady, WriterDropped

__all__ = ["Startable", "add", "start"]

logger = logging.getLogger(__name__)


class Startable(Protocol):
    """What can be added: a `Reflector`, above all."""

    def start(self) -> Any:
        """Start it, if it has not been started in this process; returns at once."""


S = TypeVar("S", bound=Startable)

# As a `weakref.WeakSet`, without its callbacks in Python, amid which an exception would be lost.
_added: dict[weakref.ref[Any], None] = {}


def add(one: S) -> S:
    """Start a reflector in each worker, for as long as anybody holds it; return it.

    Nothing starts now. To be called when the application's modules are loaded.
    """
    _added[weakref.ref(one, _added.pop)] = None
    return one


def start(timeout: float | None = 10.0) -> bool:
    """Start all that were added, in this process, and wait for their first lists.

    A worker does not fail for an API server that is away: that is logged, and the reflectors go
    on trying.

    :param timeout: seconds to wait for all together; None waits for as long as it takes.
    :return: whether all are ready.
    """
    end = None if timeout is None else time.monotonic() + timeout
    added = [one for ref in list(_added) if (one := ref()) is not None]
    for one in added:
        one.start()
    ready = True
    for one in added:
        left = None if end is None else max(0.0, end - time.monotonic())
        # A group of reflectors waits itself; of a reflector, the store does.
        waiting = one if hasattr(one, "wait_until_ready") else one.store
        try:
            waiting.wait_until_ready(left)
        except (NotReady, WriterDropped) as error:
            logger.warning("the worker serves without a cache as yet: %s", error)
            ready = False
    return ready
