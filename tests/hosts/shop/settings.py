"""The settings."""

from __future__ import annotations

import os

NAMESPACE = os.environ.get("SHOP_NAMESPACE", "shop")
SECRET_KEY = "not one"
DEBUG = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.hosts.shop.urls"
USE_TZ = True
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth",
                  "kube_reflect.contrib.django"]
MIDDLEWARE = ["kube_reflect.contrib.django.middleware.NotReadyMiddleware"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3",
                         "NAME": os.environ.get("SHOP_DATABASE", ":memory:")}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
KUBE_REFLECT = {
    "STORES": {
        "pods": {"LIST": "kubernetes.client.CoreV1Api.list_namespaced_pod", "ARGS": [NAMESPACE]},
    },
}
