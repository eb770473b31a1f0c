"""What differs between versions of the official client and of urllib3, each with where it ends.

There are three families of the client: up to 35, 36, and from 37 on. When the last version of a
family is no longer supported, what is said of it here can be deleted, and nothing elsewhere.

What we lean on beside what is documented is listed in `INTERFACES`, which the tests check: an
upgrade of the client is not to break us unseen.
"""

from __future__ import annotations

import functools
import inspect
import logging
import re
from collections.abc import Callable
from http.client import HTTPResponse
from typing import Any, NamedTuple

import kubernetes
import urllib3
from kubernetes import client, watch
from kubernetes.dynamic.resource import Resource
from urllib3 import exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection

__all__ = ["INTERFACES", "Interface", "item_model", "known_parameters", "listed_model",
           "name_resolution_error", "path_of", "read_some", "warn_if_untried"]

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


def read_some(response: Any, amount: int) -> bytes:
    """Read what there is of a body, waiting for the first byte only; b"" at its end.

    :param response: of urllib3, not compressed and not chunked.
    """
    if hasattr(response, "read1"):
        return response.read1(amount)  # type: ignore[no-any-return]
    # Up to urllib3 2.1; where it is no response of urllib3's, a byte at a time is never wrong.
    within = getattr(response, "_fp", None)
    if hasattr(within, "read1"):
        return within.read1(amount)  # type: ignore[no-any-return, union-attr]
    return response.read(1)  # type: ignore[no-any-return]


class Interface(NamedTuple):
    """Something that the library leans on, which module does, and how to see that it is there."""

    what: str
    used_by: str
    is_there: Callable[[], bool]


def _takes(function: Any, *names: str) -> bool:
    return set(names) <= set(inspect.signature(function).parameters)


def _pod_list() -> Any:
    return listed_model(client.CoreV1Api.list_namespaced_pod)


def _has_path() -> bool:
    path = path_of(lambda no_client: client.CoreV1Api(no_client).list_namespaced_pod("default"),
                   client.ApiClient())
    return path == "/api/v1/namespaces/{namespace}/pods"


INTERFACES = (
    Interface("ApiClient.rest_client.pool_manager is a urllib3.PoolManager", "list_function",
              lambda: isinstance(client.ApiClient().rest_client.pool_manager,
                                 urllib3.PoolManager)),
    Interface("typed APIs hold their client as api_client", "list_function",
              lambda: hasattr(client.CoreV1Api(), "api_client")),
    Interface("CustomObjectsApi holds its client as api_client", "list_function",
              lambda: hasattr(client.CustomObjectsApi(), "api_client")),
    Interface("a Resource has group, api_version, kind, name, namespaced", "list_function",
              lambda: _takes(Resource.__init__, "group", "api_version", "kind", "name",
                             "namespaced")),
    Interface("typed methods say which list class they return", "versions",
              lambda: _pod_list() is client.V1PodList),
    Interface("list classes say the class of their items", "versions",
              lambda: item_model(_pod_list()) is client.V1Pod),
    Interface("typed methods ask by param_serialize or call_api, with the path", "versions",
              _has_path),
    Interface("typed methods take _preload_content and _request_timeout, or any", "requests",
              lambda: "_request_timeout" in (known_parameters(client.CoreV1Api.list_node) or
                                             {"_request_timeout"})),
    Interface("Watch reads lines by unmarshal_event", "wire",
              lambda: _takes(watch.Watch.unmarshal_event, "data", "return_type")),
    Interface("Watch has get_return_type and get_watch_argument_name", "wire",
              lambda: _takes(watch.Watch.get_return_type, "func")
              and _takes(watch.Watch.get_watch_argument_name, "func")),
    Interface("a pool manager has pool_classes_by_scheme and connection_pool_kw", "pool",
              lambda: {"http", "https"} <= set(urllib3.PoolManager().pool_classes_by_scheme)
              and isinstance(urllib3.PoolManager().connection_pool_kw, dict)),
    Interface("pool classes have a ConnectionCls", "pool",
              lambda: urllib3.HTTPSConnectionPool.ConnectionCls is HTTPSConnection),
    Interface("a connection connects by _new_conn, to _dns_host", "pool",
              lambda: hasattr(HTTPConnection, "_new_conn")
              and HTTPConnection("name", 80)._dns_host == "name"),
    Interface("a connection has socket_options and source_address", "pool",
              lambda: all(hasattr(HTTPConnection("name", 80), one)
                          for one in ("socket_options", "source_address", "timeout"))),
    Interface("a connection makes its answers by response_class", "pool",
              lambda: HTTPConnection.response_class is HTTPResponse),
    Interface("an answer reads its status line by _read_status", "pool",
              lambda: callable(getattr(HTTPResponse, "_read_status", None))),
    Interface("a TLS connection has its settings as attributes", "tls",
              lambda: all(hasattr(HTTPSConnection("name", 443), one) for one in
                          ("ssl_context", "cert_reqs", "ca_certs", "cert_file", "key_file"))),
)
