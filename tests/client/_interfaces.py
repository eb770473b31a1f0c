"""What the library leans on of the official client and of urllib3, beside what is documented."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from http.client import HTTPResponse
from typing import Any, NamedTuple

import urllib3
from kubernetes import client, watch
from kubernetes.dynamic.resource import Resource
from urllib3.connection import HTTPConnection, HTTPSConnection

from kube_reflect.client.versions import item_model, known_parameters, listed_model, path_of


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
    api = client.CoreV1Api.__new__(client.CoreV1Api)

    def ask(no_client: Any) -> Any:
        api.api_client = no_client
        return api.list_namespaced_pod("default")

    class Plain:
        client_side_validation = False
        configuration: Any = None

        @staticmethod
        def select_header_accept(accepts: Any) -> Any:
            return accepts[0]

    return path_of(ask, Plain()) == "/api/v1/namespaces/{namespace}/pods"


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
