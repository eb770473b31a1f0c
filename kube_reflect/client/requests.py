"""Requests through a list function: sent, refused or answered, and their errors translated."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kubernetes.client.exceptions import ApiException

from kube_reflect.client import versions
from kube_reflect.client.connection import Closed, ConnectionHandle
from kube_reflect.client.failures import RequestError, failure, refused
from kube_reflect.client.list_function import ListFunction
from kube_reflect.client.pool import (
    Door, attached_manager, error_body, is_attachable,
)
from kube_reflect.config import Config

__all__ = ["Requests", "Response"]

logger = logging.getLogger(__name__)

_CHUNK = 64 * 1024
#: How long somebody's function may take to make a client, in seconds.
_CLIENT_TIMEOUT = 60.0
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Requests:
    """The requests of one watcher through its list function, one at a time.

    One thread opens them and reads the responses; `close` may be called from any.

    A method of the official client gets connections of the watcher's own, which can be ended from
    any thread, and whatever it has no argument for goes past it. Any other function is given all,
    and run by another thread, which can be left behind.

    :param metadata_only: ask for PartialObjectMetadata instead of the objects.
    :param new_client: returns an ApiClient to go on with after a 401, or when TLS has failed.
    :raises TypeError: for missing or unknown arguments of the list function.
    :raises ValueError: for arguments that the watcher decides by itself.
    """

    def __init__(self, list_function: ListFunction, config: Config, *,
                 metadata_only: bool = False,
                 new_client: Callable[[], Any] | None = None) -> None:
        versions.warn_if_untried()
        list_function.check_arguments(config)
        self._list_function = list_function
        self._config = config
        self._metadata_only = metadata_only
        self._new_client = new_client
        self._handle = ConnectionHandle()
        self._client = list_function.client
        official = self._client is not None
        if new_client is not None and not callable(new_client):
            raise TypeError(
                f"new_client must be a function that returns an ApiClient: {new_client!r}")
        for name, asked in (("metadata_only", metadata_only), ("new_client", new_client)):
            if asked and not official:
                raise ValueError(f"{name} needs a method of the official client")
        #: Whether connections are the watcher's own, and end at once.
        self.bound = official and is_attachable(self._client.rest_client.pool_manager)
        #: The pool of the client, and the watcher's own of the same settings.
        self._managers: tuple[Any, Any] = (None, None)
        self._needs_credentials = False
        #: What to ask for, until the server refuses it. (A function that is no method of the client
        #: may not know the parameter. The watcher filters what comes in any case.)
        self._shard_selector = (
            config.shard.selector if config.shard is not None and (
                official or list_function.names("shard_selector")) else None)
        #: The thread that opened the last request.
        self._opener: int | None = None

    @property
    def streams_lists(self) -> bool:
        """Whether a streaming list can be asked for, and is then seen as it comes."""
        return self.bound or (self._client is None
                              and self._list_function.accepts("send_initial_events"))

    def close(self) -> None:
        """End the request that is under way, and refuse others; from any thread, at once.

        The thread that opens requests is to call it, too, for it alone may close their connections:
        urllib3's pool has locks that one who is interrupted would leave taken.
        """
        self._handle.close()
        manager = self._managers[1]
        if manager is not None and self._opener == threading.get_ident():
            manager.clear()

    def open(self, query: Mapping[str, Any]) -> Response:
        """Send a request; return when there is an answer whose status is good.

        :param query: arguments of the list function; those that are None are left out. It has a
            ``timeout_seconds``, by which the server is to have ended its answer.
        :raises RequestError: where there is none.
        :raises Closed: after `close`.
        """
        config, handle = self._config, self._handle
        handle.check()
        self._opener = threading.get_ident()
        wanted = {"label_selector": config.label_selector, "field_selector": config.field_selector,
                  "shard_selector": self._shard_selector, **query}
        wanted = {name: value for name, value in wanted.items() if value is not None}
        try:
            response = self._sent(wanted)
        except RequestError as error:
            if not _is_of_shards(error) or wanted.pop("shard_selector", None) is None:
                raise
            # Shards are alpha: the next version of Kubernetes may want another grammar.
            logger.warning("the server takes no shardSelector, so all objects are fetched, and "
                           "those of other shards dropped: %s", error)
            self._shard_selector = None
            response = self._sent(wanted)
        handle.deadline = time.monotonic() + query["timeout_seconds"] + config.idle_timeout
        return Response(response, handle, self.bound, config.idle_timeout, self._translated,
                        "watch" in wanted)

    def _sent(self, wanted: Mapping[str, Any]) -> Any:
        with self._translated(streaming="send_initial_events" in wanted):
            return self._send(wanted)

    def _send(self, wanted: Mapping[str, Any]) -> Any:
        config, handle, list_function = self._config, self._handle, self._list_function
        header_timeout = config.connect_timeout + config.idle_timeout
        arguments = {"_request_timeout": (config.connect_timeout, config.idle_timeout),
                     "serialize" if list_function.dynamic else "_preload_content": False}
        if self._client is None:
            response = handle.run_abandonable(
                lambda: list_function.call({**wanted, **arguments}), header_timeout)
            if not 200 <= response.status <= 299:
                body = handle.run_abandonable(lambda: error_body(response), config.idle_timeout)
                raise refused(response.status, response.headers, body)
            return response
        if self._needs_credentials and self._new_client is not None:
            self._client = handle.run_abandonable(self._new_client, _CLIENT_TIMEOUT)
            self._needs_credentials = False
        door = Door(self._manager(), handle, header_timeout,
                    {_camel(name): value for name, value in wanted.items()},
                    self._headers("watch" in wanted))
        client = self._client

        def call() -> Any:
            list_function.call(arguments, client=client, pool_manager=door)
            return door.response

        try:
            return call() if self.bound else handle.run_abandonable(call, header_timeout)
        finally:
            self._needs_credentials = door.needs_credentials

    def _manager(self) -> Any:
        """Return what to connect by, made anew with another client or another pool of it."""
        original = self._client.rest_client.pool_manager
        if not self.bound:
            return original
        if self._managers[0] is not original:
            self._managers = (original, attached_manager(original, self._handle))
        return self._managers[1]

    def _headers(self, watching: bool) -> dict[str, str]:
        headers = {}
        if self._metadata_only:
            headers["Accept"] = _METADATA if watching else _METADATA_LIST
        if self._config.gzip and self.bound and not watching:
            headers["Accept-Encoding"] = "gzip"
        return headers

    @contextmanager
    def _translated(self, streaming: bool = False) -> Iterator[None]:
        """Raise RequestError for whatever the client and the network raise; Closed after `close`.

        :param streaming: whether it is a streaming list that was asked for.
        """
        try:
            yield
        except Exception as error:
            self._handle.check()
            if isinstance(error, (Closed, RequestError)):
                raise
            if isinstance(error, ApiException) and error.status:
                raise refused(error.status, error.headers, error.body) from error
            translated = failure(error)
            if streaming and self._client is None and isinstance(error, (TypeError, ValueError)):
                # A wrapper passes the parameter to a function that does not know it: treat that
                # as the refusal of an old server.
                translated.code = 400
            raise translated from error


def _is_of_shards(error: RequestError) -> bool:
    """Return whether a request was refused for its shardSelector."""
    return error.code in (400, 422, 500) and "shard" in str(error).lower()


def _camel(name: str) -> str:
    """Turn the name of an argument into that of a query parameter."""
    return re.sub("_([a-z])", lambda found: found[1].upper(), name.lstrip("_"))


class Response:
    """An answer whose status is good, to be read by the thread that asked.

    (Made by `Requests.open`.)
    """

    def __init__(self, response: Any, handle: ConnectionHandle, bound: bool, idle_timeout: float,
                 translated: Any, watching: bool) -> None:
        self._response = response
        self._handle = handle
        self._bound = bound
        self._idle_timeout = idle_timeout
        self._translated = translated
        self._watching = watching
        self._ended = False
        sock = self._sock()
        #: Whether reading from it ends when the handle is closed; else another thread reads.
        self._attached = bound
        if not bound and sock is not None:
            try:
                handle.detach()
                handle.attach(sock)
                self._attached = True
            except OSError:
                # It has no file, or is no socket.
                pass

    def _sock(self) -> Any:
        return getattr(getattr(self._response, "connection", None), "sock", None)

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it comes, decompressed.

        :raises RequestError: where it breaks off, or goes on past its time.
        :raises Closed: where it was cut by `Requests.close`; also within a line.
        """
        with self._translated():
            for chunk in self._read() if self._attached else self._read_apart():
                yield chunk
                # A byte now and then keeps the socket from timing out.
                if time.monotonic() > self._handle.deadline:
                    what = "watch" if self._watching else "list"
                    raise RequestError(f"the server does not end the {what}")
        # Cut by close(), a body without a length just ends.
        self._handle.check()
        self._ended = True

    def _read(self) -> Iterator[bytes]:
        response = self._response
        if getattr(response, "chunked", False) or not self._watching:
            return response.stream(_CHUNK, decode_content=True)  # type: ignore[no-any-return]
        # Here stream() would wait for more than there is.
        return iter(lambda: versions.read_some(response, _CHUNK), b"")

    def _read_apart(self) -> Iterator[bytes]:
        chunks = self._read()

        def read() -> bytes | None:
            try:
                return next(chunks, None)
            finally:
                if self._handle.closed:
                    # This thread was left behind, and nobody else can close the response.
                    self._response.close()

        while True:
            chunk = self._handle.run_abandonable(read, self._idle_timeout)
            if chunk is None:
                return
            yield chunk

    def set_read_timeout(self, seconds: float) -> None:
        """Set how long the next bytes may take, in seconds."""
        sock = self._sock()
        if sock is not None:
            sock.settimeout(seconds)

    def close(self) -> None:
        """Hang up, or give back the connection of an answer that was read to its end."""
        if not self._attached and self._handle.closed:
            # The thread that is reading closes it.
            return
        self._response.close()
        if not self._bound:
            # It may go into a pool that is not ours.
            self._handle.detach()
        if hasattr(self._response, "release_conn"):
            # Those that vcrpy plays have no such method up to its version 8.
            self._response.release_conn()
        if not self._ended:
            # Broken off in the middle, the connection is of no more use; the handle would keep it.
            self._handle.shutdown()
