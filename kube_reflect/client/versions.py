"""What differs between versions of the official client and of urllib3, each with where it ends.

There are three families of the client: up to 35, 36, and from 37 on. When the last version of a
family is no longer supported, what is said of it here can be deleted, and nothing elsewhere.

What we lean on beside what is documented is listed, and checked, in ``tests/client``.
"""

from __future__ import annotations

import functools
import inspect
import logging
import re
from collections.abc import Callable
from typing import Any

import kubernetes
from kubernetes import client
from urllib3 import exceptions

__all__ = ["answer_of", "item_model", "known_parameters", "listed_model", "name_resolution_error",
           "path_of", "read_some", "warn_if_untried"]

logger = logging.getLogger(__name__)

#: The first and the last major version of the client with which all tests were run.
_TRIED = (27, 37)


@functools.cache
def warn_if_untried(version: str = kubernetes.__version__) -> None:
    """Log, once, that the client's version was never tried."""
    major = re.match(r"\d+", version)
    if major is None or not _TRIED[0] <= int(major[0]) <= _TRIED[1]:
        logger.warning("kubernetes %s was never tried with this library, which is known to work "
                       "with %d to %d", version, *_TRIED)


class _Path(Exception):
    """Instead of a request: the path that it would have gone to."""


class _NoClient:
    """In the place of an ApiClient; has a method say what it would ask for, and asks nothing."""

    def __init__(self, api_client: Any) -> None:
        self._client = api_client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def param_serialize(self, *_: Any, resource_path: str = "", **__: Any) -> Any:
        raise _Path(resource_path)

    # Up to 36.
    def call_api(self, resource_path: str, *_: Any, **__: Any) -> Any:
        raise _Path(resource_path)


def path_of(method: Callable[[Any], Any], api_client: Any) -> str:
    """Return the template of the path that a typed method asks for; "" where it does not say.

    :param method: calls the method of an API that has this client.
    """
    try:
        method(_NoClient(api_client))
    except _Path as path:
        return str(path)
    except Exception:
        # Another version, perhaps; nothing depends on it but the refs.
        return ""
    return ""


def listed_model(method: Any) -> Any:
    """Return the class of what a typed method returns, such as V1PodList (None: it has none)."""
    try:
        returned = inspect.signature(method).return_annotation
    except (TypeError, ValueError):
        return None
    if returned is inspect.Signature.empty:
        # Up to 36 only the docstring says it: by ":return:" up to 35, by ":rtype:" in 36.
        found = re.search(r":(?:rtype|return): (\w+)\s*$", inspect.getdoc(method) or "", re.M)
        returned = found[1] if found else ""
    name = returned if isinstance(returned, str) else getattr(returned, "__name__", "")
    return getattr(client, name, None) if name.endswith("List") else None


def item_model(listed: Any) -> Any:
    """Return the class that a list class declares for its items (None: it does not say).

    Its name may be another than that of the list without "List", as for ResourceClaims.
    """
    types = getattr(listed, "openapi_types", None) or {}
    # "list[V1Pod]" up to 36, and then "List[V1Pod]".
    found = re.fullmatch(r"[Ll]ist\[(\w+)\]", types.get("items", ""))
    return getattr(client, found[1], None) if found else None


def known_parameters(method: Any) -> frozenset[str] | None:
    """Return the names of the arguments of a typed method (None: its signature has them all).

    Up to 36 the methods take any, and refuse an unknown one when they are called.
    """
    parameters = inspect.signature(method).parameters
    if not any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        return None
    documented = re.findall(r":param (?:\w+ )?(\w+):", inspect.getdoc(method) or "")
    return frozenset((*parameters, *documented)) if documented else None


def name_resolution_error(connection: Any, error: OSError) -> Exception:
    """Make urllib3's error of a name that is not known."""
    if hasattr(exceptions, "NameResolutionError"):
        known: Any = exceptions.NameResolutionError
        return known(connection.host, connection, error)  # type: ignore[no-any-return]
    # Up to urllib3 1.26.
    return exceptions.NewConnectionError(
        connection, f"Failed to resolve '{connection.host}' ({error})")


def answer_of(response: Any) -> Any:
    """Return the answer of ``http.client`` within a response of urllib3 (None: it is none)."""
    return getattr(response, "_fp", None)


def read_some(response: Any, amount: int) -> bytes:
    """Read what there is of a body, waiting for the first byte only; b"" at its end.

    :param response: of urllib3, not compressed and not chunked.
    """
    if hasattr(response, "read1"):
        return response.read1(amount)  # type: ignore[no-any-return]
    # Up to urllib3 2.1; where it is no response of urllib3's, a byte at a time is never wrong.
    within = answer_of(response)
    if hasattr(within, "read1"):
        return within.read1(amount)  # type: ignore[no-any-return]
    return response.read(1)  # type: ignore[no-any-return]
