"""Health, for probes and for people."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse

from kube_reflect.contrib import health
from kube_reflect.contrib.django.conf import setting, stores

__all__ = ["healthz", "metrics", "readyz", "status"]


def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 503 if a thread has died, and the process is to be restarted."""
    good, found = health.liveness(stores.group)
    return JsonResponse(found, status=200 if good else 503)


def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 once all have been listed; starts them."""
    good, found = health.readiness(stores.group, setting("MAX_STALENESS"))
    return JsonResponse(found, status=200 if good else 503)


def status(request: HttpRequest) -> HttpResponse:
    """Answer with the status of each."""
    return JsonResponse(health.statuses(stores.group))


def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with a page for Prometheus, of the process that happens to answer."""
    try:
        page, media_type = health.metrics(stores.group)
    except ImportError:
        return HttpResponse("prometheus_client is not installed: kube_reflect[metrics]\n",
                            status=501, content_type="text/plain")
    return HttpResponse(page, content_type=media_type)
