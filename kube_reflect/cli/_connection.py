"""The way to a cluster: from a kubeconfig, or from within a pod."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kubernetes import client
from kubernetes import config as kubernetes_config
from kubernetes.config.config_exception import ConfigException
from kubernetes.dynamic import DynamicClient

from kube_reflect.cli._failure import NETWORK_ERRORS, CommandFailed, in_one_line

__all__ = ["Connection", "client_from", "connect"]

_DEFAULT = os.path.join("~", ".kube", "config")
_POD_NAMESPACE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
#: Seconds to connect, and until an answer comes.
_TIMEOUT = (10.0, 30.0)


class _Undiscovered:
    """In the place of the dynamic client's discovery, which reads all groups, and keeps files."""

    def __init__(self, *_: object) -> None:
        self.version: dict[str, Any] = {}


@dataclass(frozen=True)
class Connection:
    """A cluster to talk to.

    :param api_client: the official client's.
    :param namespace: the one that is meant where none is named.
    :param source: where the way to it is written: ``the kubeconfig …`` or ``the pod``.
    :param kubeconfig: the path of the kubeconfig, if it was one.
    :param context: the context within, if one was named.
    """

    api_client: client.ApiClient
    namespace: str
    source: str
    kubeconfig: str | None = None
    context: str | None = None

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return str(self.api_client.configuration.host)

    @property
    def dynamic(self) -> DynamicClient:
        """The official client's dynamic one, which has discovered nothing."""
        return DynamicClient(self.api_client, discoverer=_Undiscovered)

    def answer(self, path: str, query: Mapping[str, Any] | None = None,
               accept: str = "application/json") -> Any:
        """GET a path, and return urllib3's response, which has been read.

        :raises ApiException: the server refuses.
        :raises HTTPError: it cannot be reached.
        """
        found = self.dynamic.request(
            "get", path, serialize=False, query_params=list((query or {}).items()),
            header_params={"Accept": accept}, _request_timeout=_TIMEOUT)
        found.data  # Read it, and free the connection.
        return found

    def get(self, path: str, query: Mapping[str, Any] | None = None,
            accept: str = "application/json") -> dict[str, Any]:
        """GET a path, and return the JSON of the answer.

        :raises ApiException: the server refuses.
        :raises HTTPError: it cannot be reached.
        :raises CommandFailed: it answers with something else.
        """
        data = self.answer(path, query, accept).data
        try:
            found = json.loads(data)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise CommandFailed(f"{self.url}{path} does not answer as an API server: "
                                f"{data[:60]!r}")
        return found

    def again(self) -> client.ApiClient:
        """Make another client, with the credentials that are there now."""
        return _client(self.kubeconfig, self.context)


@contextlib.contextmanager
def connect(kubeconfig: str | None, context: str | None) -> Iterator[Connection]:
    """Return the connection to a cluster.

    :param kubeconfig: the path of a kubeconfig, or several as in ``$KUBECONFIG``. None for that
        variable, or else ``~/.kube/config``, or else, within a pod, the pod's service account.
    :param context: the context within it, if not the current one.
    :raises CommandFailed: there is none of them, it cannot be used, or the server not be reached.
    """
    path = kubeconfig or os.environ.get("KUBECONFIG") or None
    if path is None and os.path.exists(os.path.expanduser(_DEFAULT)):
        path = _DEFAULT
    api_client = _client(path, context)
    source = "the service account of the pod" if path is None else f"the kubeconfig {path}"
    with api_client:
        try:
            yield Connection(api_client, _namespace(path, context), source, path, context)
        except NETWORK_ERRORS as error:
            if isinstance(error, BrokenPipeError):
                raise
            where = "" if hasattr(error, "status") else f"{api_client.configuration.host}: "
            raise CommandFailed(f"{where}{in_one_line(error)}") from error


def client_from(kubeconfig: str, context: str | None = None) -> client.ApiClient:
    """Make a client from a kubeconfig, or several as in ``$KUBECONFIG``.

    :raises CommandFailed: it is not there, or cannot be used.
    """
    paths = [path for path in kubeconfig.split(os.pathsep) if path]
    if not any(os.path.exists(os.path.expanduser(path)) for path in paths):
        raise CommandFailed(f"there is no kubeconfig file {kubeconfig!r}")
    configuration = client.Configuration()
    # Who waits at a prompt is to hear at once.
    configuration.retries = 0
    try:
        kubernetes_config.load_kube_config(
            config_file=kubeconfig, context=context, persist_config=False,
            client_configuration=configuration)
    except Exception as error:
        # What the official client raises for a broken file depends on where it is broken.
        raise CommandFailed(f"the kubeconfig {kubeconfig!r} cannot be used: "
                            + in_one_line(error)) from error
    return client.ApiClient(configuration)


def _client(path: str | None, context: str | None) -> client.ApiClient:
    if path is not None:
        return client_from(path, context)
    if context is not None:
        raise CommandFailed(f"there is no kubeconfig, and so no context {context!r}")
    configuration = client.Configuration()
    try:
        kubernetes_config.load_incluster_config(client_configuration=configuration)
    except ConfigException as error:
        raise CommandFailed("no cluster: there is no $KUBECONFIG and no ~/.kube/config, and this "
                            "is no pod; give --kubeconfig PATH") from error
    return client.ApiClient(configuration)


def _namespace(path: str | None, context: str | None) -> str:
    """Return the namespace of a context, or of the pod."""
    found = None
    if path is not None:
        contexts, current = kubernetes_config.list_kube_config_contexts(path)
        chosen = [one for one in contexts if one["name"] == context] or [current]
        found = chosen[0]["context"].get("namespace")
    else:
        with contextlib.suppress(OSError), open(_POD_NAMESPACE, encoding="utf-8") as file:
            found = file.read().strip()
    return found or "default"
