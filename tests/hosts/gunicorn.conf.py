"""gunicorn's configuration, with the one line that there is to write."""

from kube_reflect.contrib.gunicorn import post_worker_init

__all__ = ["post_worker_init"]
