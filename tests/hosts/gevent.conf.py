"""Likewise with gevent, which is to patch before anything else is imported."""

from gevent import monkey

monkey.patch_all()

from kube_reflect.contrib.gunicorn import post_worker_init  # noqa: E402

__all__ = ["post_worker_init"]
