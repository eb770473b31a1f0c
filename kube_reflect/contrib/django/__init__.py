"""Django: stores that the settings declare, and that start on first use::

    INSTALLED_APPS = [..., "kube_reflect.contrib.django"]
    MIDDLEWARE = [..., "kube_reflect.contrib.django.middleware.NotReadyMiddleware"]
    KUBE_REFLECT = {
        "STORES": {
            "pods": {"LIST": "kubernetes.client.CoreV1Api.list_namespaced_pod", "ARGS": ["shop"]},
        },
    }

and then, in a view::

    from kube_reflect.contrib.django import stores

    pod = stores["pods"].get("web-0", "shop")

`conf` has all settings. Nothing starts while Django sets itself up, checks or migrates: a reflector
starts in the process that uses it, be it a worker or a management command.
"""

from kube_reflect.contrib.django.conf import Stores, stores

__all__ = ["Stores", "stores"]
