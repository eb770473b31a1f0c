"""Likewise, and each process says when it has done all that is to be done at its end."""

import atexit
import os

atexit.register(lambda: print(f"the end of {os.getpid()}", flush=True))

# What this has to do at the end comes before what was registered earlier.
from kube_reflect.contrib.gunicorn import post_worker_init  # noqa: E402

__all__ = ["post_worker_init"]
