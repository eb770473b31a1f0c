"""The public class."""

from __future__ import annotations

import itertools
import logging
import os
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from kube_reflect.object_ref import ApiResource
from kube_reflect.testing._access import Access, Rule
from kube_reflect.testing._api import Api
from kube_reflect.testing._contents import Contents
from kube_reflect.testing._http import Exchange, HttpServer
from kube_reflect.testing._kubeconfig import write_kubeconfig
from kube_reflect.testing._requests import Request, RequestLog
from kube_reflect.testing._watching import WatchOptions

if TYPE_CHECKING:
    from kubernetes import client as kubernetes_client

    from kube_reflect.store import Store

logger = logging.getLogger(__name__)

_CLOSE_TIMEOUT = 1.0
_numbers = itertools.count(1)

Plan = Callable[[Exchange], None]


class FakeApiServer(Contents):
    """A small API server on loopback, for testing programs that use one.

    It answers LIST, WATCH and the writes over real HTTP as a real server does, from objects that
    the test creates, changes and deletes with the methods below. Nothing starts before
    :meth:`start` or ``with``. Any thread may call any method.

    It knows the common built-in kinds; :meth:`register` adds custom resources. It checks no
    schemas, runs no controllers, and lets objects be created in namespaces that do not exist.

    :param host: the address to listen on.
    :param port: the port, or 0 for a free one, which :attr:`url` then has.
    :param tokens: users by bearer token. With it, a request with another token gets 401, and one
        without any token is ``system:anonymous`` and gets 403. None: everybody may do everything.
    :param streaming_list: whether ``sendInitialEvents`` works; if not, it is a 422 as before
        Kubernetes 1.27.
    :param history: how many changes of each resource are kept; a WATCH or a continue token from
        before them gets 410.
    :param bookmark_interval: seconds between bookmarks on a WATCH that asked for them.
    :param watch_timeout: seconds after which a WATCH without ``timeoutSeconds`` ends.
    :param sharding: whether ``shardSelector`` works, as in Kubernetes 1.36 behind its feature gate;
        if not, it is ignored.
    :param ssl_context: a server-side context, to serve https.
    :raises ValueError: a number is out of range.
    """

    def __init__(
        self, *, host: str = "127.0.0.1", port: int = 0, tokens: Mapping[str, str] | None = None,
        streaming_list: bool = True, history: int = 10_000, bookmark_interval: float = 60.0,
        watch_timeout: float = 1800.0, sharding: bool = False,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        if history < 0:
            raise ValueError(f"history must be 0 or more changes, not {history}")
        if bookmark_interval <= 0 or watch_timeout <= 0:
            raise ValueError("bookmark_interval and watch_timeout must be more than 0 seconds")
        self.requests = RequestLog()
        self._access = Access(tokens)
        super().__init__(history)
        self._api = Api(self._registry, self._storage, self._objects, self._access,
                        WatchOptions(streaming_list, bookmark_interval, watch_timeout, sharding))
        self._http = HttpServer(host, port, f"kube-reflect-testing:{next(_numbers)}",
                                self._handle, self._api.answer, ssl_context)
        self._lock = threading.Lock()
        self._running = False
        self._clients: weakref.WeakSet[Any] = weakref.WeakSet()

    def start(self) -> FakeApiServer:
        """Listen and answer, from a thread; starting again does nothing.

        After :meth:`close` it listens on the same port again, with the same objects.

        :return: the server itself.
        :raises OSError: the port is taken.
        """
        with self._lock:
            if not self._running:
                self._http.start()
                self._running = True
        return self

    def close(self) -> None:
        """Stop listening, cut every connection and wait for the threads; may be called again.

        It takes well under a second. The objects stay readable.
        """
        with self._lock:
            if self._running:
                self._running = False
                left = self._http.close(_CLOSE_TIMEOUT)
                if left:
                    logger.warning("threads of the fake API server did not end: %s", left)
        for api_client in list(self._clients):
            api_client.rest_client.pool_manager.clear()

    @property
    def running(self) -> bool:
        """Whether it is listening."""
        return self._running

    def restart(self) -> None:
        """Close, forget the history as a restarted server does, and listen on the same port.

        Whoever resumes a WATCH from an older version than the last gets 410.
        """
        self.close()
        self._storage.forget_history()
        self.start()

    def __enter__(self) -> FakeApiServer:
        return self.start()

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Where the server is, ``http://127.0.0.1:40123`` for instance.

        :raises RuntimeError: it was never started and has no port yet.
        """
        if not self._http.port:
            raise RuntimeError("the fake API server has no port before start()")
        scheme = "https" if self._http.ssl_context else "http"
        return f"{scheme}://{self._http.host}:{self._http.port}"

    def api_client(
        self, token: str | None = None, *, ca_cert: str | None = None
    ) -> kubernetes_client.ApiClient:
        """A client of the official library for this server; :meth:`close` closes its sockets.

        :param token: the bearer token to send; by default the first of :attr:`tokens`, if any.
        :param ca_cert: with an ssl_context, the file of the certificate to trust; without it, the
            client trusts any.
        """
        from kubernetes import client

        configuration = client.Configuration()
        configuration.host = self.url
        configuration.proxy = None
        configuration.verify_ssl = ca_cert is not None
        configuration.ssl_ca_cert = ca_cert
        if token is None:
            token = next(iter(self.tokens or {}), None)
        if token is not None:
            configuration.api_key["authorization"] = f"Bearer {token}"
        api_client = client.ApiClient(configuration)
        self._clients.add(api_client)
        return api_client

    def kubeconfig(self, path: str | os.PathLike[str], token: str | None = None, *,
                   ca_cert: str | None = None) -> Path:
        """Write a kubeconfig that leads here, for programs that read one; return its path.

        :param path: the file, which is replaced if it exists.
        :param token: as for :meth:`api_client`.
        :param ca_cert: likewise.
        """
        if token is None:
            token = next(iter(self.tokens or {}), None)
        return write_kubeconfig(path, self.url, token, ca_cert)

    def wait_until_seen(self, *stores: Store[Any], timeout: float = 5.0) -> None:
        """Wait until stores have seen all that has happened here so far.

        It asks their watches for a bookmark, and so costs no more than a round trip, whatever
        their selectors and namespaces. A watch without bookmarks (``Config(bookmarks=False)``)
        cannot tell.

        :param stores: of reflectors that watch this server.
        :param timeout: seconds for all together.
        :raises TimeoutError: a store did not come that far; a `NotReady` if it was never ready.
        """
        deadline = time.monotonic() + timeout
        version = str(self._storage.request_bookmarks())
        for store in stores:
            store.wait_for_version(version, max(0.0, deadline - time.monotonic()))

    @property
    def tokens(self) -> Mapping[str, str] | None:
        """The users by bearer token; set it anew to let tokens expire."""
        return self._access.tokens

    @tokens.setter
    def tokens(self, tokens: Mapping[str, str] | None) -> None:
        self._access.tokens = tokens

    def compact(self) -> None:
        """Advance the resource version by one, and forget all history before it.

        Every older version and every continue token is then answered with 410. Open watches go on.
        """
        self._storage.compact()

    def disconnect(self) -> int:
        """Cut every open WATCH in the middle of its stream, and return how many there were."""
        watches = self._watches()
        for connection in watches:
            connection.cut()
        return len(watches)

    @property
    def watches(self) -> int:
        """How many WATCHes are open."""
        return len(self._watches())

    def forbid(self, target: ApiResource | str | None = None, *, namespace: str | None = None,
               verb: str | None = None) -> None:
        """Answer requests with 403 from now on; open watches go on.

        :param target: an ApiResource, a kind or a plural, or the beginning of a path (``/apis``);
            None for all.
        :param namespace: only in this namespace.
        :param verb: only this verb: ``list``, ``watch``, ``get``, ``create`` and so on.
        """
        self._access.add(self._rule(target, namespace, verb))

    def allow(self, target: ApiResource | str | None = None, *, namespace: str | None = None,
              verb: str | None = None) -> None:
        """Undo a :meth:`forbid` with the same arguments; without arguments, all of them."""
        everything = target is None and namespace is None and verb is None
        self._access.remove(None if everything else self._rule(target, namespace, verb))

    def wait_for_request(self, predicate: Callable[[Request], bool], timeout: float = 5.0, *,
                         count: int = 1) -> Request:
        """Wait until ``count`` requests, past ones included, fulfil a predicate.

        :param timeout: in seconds.
        :return: the last of them.
        :raises TimeoutError: they did not come in time; it says what came instead.
        """
        return self.requests.wait_for(predicate, timeout, count)

    def intercept(self, request: Request) -> Plan | None:
        """Decide about a request before it is answered; to be overridden.

        :return: None to answer as usual, or what answers instead, from the connection's thread.
        """
        return None

    def _handle(self, exchange: Exchange) -> None:
        self.requests.add(exchange.request)
        plan = self.intercept(exchange.request)
        if plan is None:
            exchange.proceed()
        else:
            plan(exchange)

    def _watches(self) -> list[Any]:
        return [connection for connection in self._http.connections()
                if (exchange := connection.exchange) is not None
                and exchange.request.verb == "watch"]

    def _rule(self, target: ApiResource | str | None, namespace: str | None,
              verb: str | None) -> Rule:
        if isinstance(target, str) and target.startswith("/"):
            return Rule(path=target, namespace=namespace, verb=verb)
        if target is None:
            return Rule(namespace=namespace, verb=verb)
        found = self._registry.find(target)
        return Rule(group=found.group, plural=found.plural, namespace=namespace, verb=verb)
