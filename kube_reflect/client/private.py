"""A client of the user's, copied for one request."""

from __future__ import annotations

import copy
import inspect
from typing import Any, TypeVar

__all__ = ["private_client", "unpatched_copy"]

T = TypeVar("T")


def unpatched_copy(original: T) -> T:
    """Copy an object without the methods that were put on it, and not on its class.

    `kubernetes.stream.stream` does so while it runs, and leaves it so: through such a client all
    that is asked for would go over a websocket.
    """
    copied = copy.copy(original)
    for name in list(vars(copied)):
        if inspect.isroutine(getattr(type(copied), name, None)):
            del vars(copied)[name]
    return copied


def private_client(client: Any, pool_manager: Any) -> Any:
    """Copy an ApiClient but for its pool; the configuration, and so the credentials, is shared."""
    rest = unpatched_copy(client.rest_client)
    rest.pool_manager = pool_manager
    configuration = getattr(rest, "configuration", None)
    if getattr(configuration, "client_go_retries", False):
        # Retries could be neither counted nor interrupted in there.
        rest.configuration = copy.copy(configuration)
        rest.configuration.client_go_retries = False
    private = unpatched_copy(client)
    private.rest_client = rest
    return private
