"""kube_reflect at home in other libraries and servers, each a module or package of its own.

`flask` and `django` for web applications; `workers` for what is to run in each worker process,
which `gunicorn` and `celery` start. README.rst beside this file shows each in use. The core
imports nothing from here; what is here uses public names only.
"""
