"""Likewise where gevent is to patch before an application is loaded ahead of the fork."""

from gevent import monkey

monkey.patch_all()

from kube_reflect.contrib.gunicorn import post_worker_init  # noqa: E402

__all__ = ["post_worker_init"]
