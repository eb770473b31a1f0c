"""gunicorn's configuration in the hour of chaos: each worker serves when its caches are ready."""

from kube_reflect.contrib.gunicorn import post_worker_init

__all__ = ["post_worker_init"]
