"""A 503 where a store is not ready."""

from __future__ import annotations

import logging
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

from kube_reflect.contrib.django.conf import setting
from kube_reflect.errors import NotReady, StaleCache, WriterDropped

__all__ = ["NotReadyMiddleware"]

logger = logging.getLogger(__name__)


class NotReadyMiddleware(MiddlewareMixin):  # type: ignore[misc]
    """Answers 503 with Retry-After to a request whose view found a store not ready or too old."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> Any:
        """Return the answer, or None for another exception."""
        if not isinstance(exception, (NotReady, StaleCache, WriterDropped)):
            return None
        logger.warning("%s answered with 503: %s", request.path, exception)
        return HttpResponse("Not everything that is needed for an answer is known yet.\n",
                            status=503, content_type="text/plain",
                            headers={"Retry-After": str(setting("RETRY_AFTER"))})
