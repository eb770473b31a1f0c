"""gunicorn: one line in gunicorn.conf.py, with and without ``preload_app``::

    from kube_reflect.contrib.gunicorn import post_worker_init

Each worker then starts its reflectors, and serves when they are ready. With gevent, two lines come
before that one::

    from gevent import monkey
    monkey.patch_all()
"""

from __future__ import annotations

from typing import Any

from kube_reflect.contrib import workers

__all__ = ["post_worker_init"]

#: Seconds to wait at most; gunicorn ends a worker that takes longer than its timeout.
_PATIENCE = 10.0


def post_worker_init(worker: Any) -> None:
    """Start the reflectors in a worker, and wait for them for ten seconds at most.

    This hook is the one that runs in the worker and after the application was loaded, whether
    gunicorn loads it before it forks or after. With a hook of your own, call this in it.

    :param worker: gunicorn's.
    """
    limit = worker.cfg.timeout
    workers.start(min(_PATIENCE, limit / 2) if limit else _PATIENCE)
