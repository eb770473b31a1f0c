"""The pages."""

from __future__ import annotations

import os
import threading

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path

from kube_reflect.contrib.django import stores


def pid(request: HttpRequest) -> HttpResponse:
    """Say which process answers, and what it has started."""
    threads = [one.name for one in threading.enumerate() if one.name.startswith("kube-reflect")]
    return JsonResponse({"pid": os.getpid(), "threads": threads})


def show(request: HttpRequest, name: str) -> HttpResponse:
    """Look for a pod."""
    found = stores["pods"].get(name, settings.NAMESPACE)
    if found is None:
        return HttpResponse("not there", status=404)
    return JsonResponse({"pid": os.getpid(), "node": found.spec.node_name})


urlpatterns = [path("pid", pid), path("pods/<name>", show),
               path("", include("kube_reflect.contrib.django.urls"))]
