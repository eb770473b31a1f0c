"""Requests through a list function: sent, refused or answered, and their errors translated."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kubernetes.client.exceptions import ApiException

from kube_reflect.client.binding import is_bindable, privately
from kube_reflect.client.connection import Closed, Link
from kube_reflect.client.failures import RequestError, failure, refused
from kube_reflect.client.list_func import accepts, as_list_func, check_arguments
from kube_reflect.config import Config

__all__ = ["Requests", "Response"]

#: How much of an error's body is read, in bytes.
_ERROR_BODY = 64 * 1024
_CHUNK = 64 * 1024
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Requests:
    """The requests of one watcher through the list function that it was given, one at a time.

    One thread opens them and reads the responses; `close` may be called from any.

    :param list_func: what one gives the official `Watch`.
    :param metadata_only: ask for PartialObjectMetadata instead of the objects.
    :param new_client: gives an ApiClient to go on with after a 401.
    :raises TypeError: for what is no list function, or lacks arguments.
    :raises ValueError: for arguments that the watcher decides by itself.
    """

    def __init__(self, list_func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any],
                 config: Config, *, metadata_only: bool = False,
                 new_client: Callable[[], Any] | None = None) -> None:
        list_func, self._dynamic = as_list_func(list_func)
        check_arguments(list_func, args, kwargs, config)
        self._config = config
        self._link = Link()
        #: Whether connections are the watcher's own; else the function is run by another thread.
        self.bound = is_bindable(list_func)
        list_privately = privately(list_func, self._link, new_client)
        self._func = functools.partial(list_privately, *args, **kwargs)
        if metadata_only and not self.bound:
            raise ValueError("metadata_only needs a method of the official client")
        self._metadata_only = metadata_only
        self._list_func = list_func

    def accepts(self, name: str) -> bool:
        """Whether the list function takes an argument of that name."""
        return accepts(self._list_func, name)

    def close(self) -> None:
        """End the request that is under way, and refuse others; from any thread, at once."""
        self._link.close()

    def check(self) -> None:
        """Raise Closed after `close`."""
        self._link.check()

    def open(self, query: Mapping[str, Any]) -> Response:
        """Send a request; return when there is an answer whose status is good.

        :param query: arguments of the list function; those that are None are left out. It has a
            ``timeout_seconds``, by which the server is to have ended its answer.
        :raises RequestError: where there is none.
        :raises Closed: after `close`.
        """
        config, link = self._config, self._link
        selectors = {"label_selector": config.label_selector,
                     "field_selector": config.field_selector}
        link.check()
        arguments: dict[str, Any] = {
            name: value for name, value in {**selectors, **query}.items() if value is not None}
        watching = "watch" in arguments
        link.query = self._smuggled(arguments)
        link.headers = self._headers(watching)
        arguments["_request_timeout"] = (config.connect_timeout, config.idle_timeout)
        arguments["serialize" if self._dynamic else "_preload_content"] = False
        link.patience = patience = config.connect_timeout + config.idle_timeout
        with self._translated():
            call = functools.partial(self._func, **arguments)
            response = call() if self.bound else link.apart(call, patience)
        if not 200 <= response.status <= 299:
            raise self._refusal(response)
        if not self.bound:
            sock = getattr(getattr(response, "connection", None), "sock", None)
            if sock is not None:
                link.hold(sock)
        link.deadline = time.monotonic() + query["timeout_seconds"] + config.idle_timeout
        return Response(response, link, self.bound, self._translated, watching)

    def _headers(self, watching: bool) -> dict[str, str]:
        headers = {}
        if self._metadata_only:
            headers["Accept"] = _METADATA if watching else _METADATA_LIST
        if self._config.gzip and not watching:
            headers["Accept-Encoding"] = "gzip"
        return headers

    def _smuggled(self, arguments: dict[str, Any]) -> dict[str, str]:
        """Take out the arguments that the list function does not know, as query parameters.

        `CustomObjectsApi` knows nothing of streaming lists, though the server does. A function
        of somebody's own does not connect through the link, so it is given all.
        """
        query: dict[str, str] = {}
        if not self.bound:
            return query
        for name in ("send_initial_events", "resource_version_match"):
            if name in arguments and not self.accepts(name):
                value = arguments.pop(name)
                camel = re.sub("_([a-z])", lambda found: found[1].upper(), name)
                query[camel] = "true" if value is True else str(value)
        return query

    def _refusal(self, response: Any) -> RequestError:
        try:
            body = response.read(_ERROR_BODY, decode_content=True)
        except Exception:
            self._link.check()
            body = b""
        finally:
            response.close()
        return refused(response.status, response.headers, body)

    @contextmanager
    def _translated(self, started: bool = False) -> Iterator[None]:
        """Raise RequestError for whatever the client and the network raise; Closed after `close`.

        :param started: whether the answer had begun.
        """
        try:
            yield
        except (Closed, RequestError):
            raise
        except Exception as error:
            self._link.check()
            if isinstance(error, ApiException) and error.status:
                raise refused(error.status, error.headers, error.body) from error
            raise failure(error, started=started) from error


class Response:
    """An answer whose status is good, to be read by the thread that asked.

    (Made by `Requests.open`.)
    """

    def __init__(self, response: Any, link: Link, bound: bool, translated: Any,
                 watching: bool) -> None:
        self._response = response
        self._link = link
        self._bound = bound
        self._translated = translated
        self._watching = watching
        self._ended = False

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it comes, decompressed.

        :raises RequestError: where it breaks off, or goes on past its time.
        :raises Closed: where it was cut by `Requests.close`; also within a line.
        """
        with self._translated(started=True):
            for chunk in self._read():
                yield chunk
                # A byte now and then keeps the socket from timing out.
                if time.monotonic() > self._link.deadline:
                    what = "watch" if self._watching else "list"
                    raise RequestError(f"the server does not end the {what}", started=True)
        # Cut by close(), a body without a length just ends.
        self._link.check()
        self._ended = True

    def _read(self) -> Iterator[bytes]:
        response = self._response
        if response.chunked or not self._watching:
            return response.stream(_CHUNK, decode_content=True)  # type: ignore[no-any-return]
        # Here stream() would wait for more than there is.
        return iter(functools.partial(response.read1, _CHUNK), b"")

    def set_read_timeout(self, seconds: float) -> None:
        """Set how long the next bytes may take, in seconds."""
        sock = getattr(getattr(self._response, "connection", None), "sock", None)
        if sock is not None:
            sock.settimeout(seconds)

    def close(self) -> None:
        """Hang up, or give back the connection of an answer that was read to its end."""
        self._response.close()
        if not self._bound:
            # It may go into a pool that is not ours.
            self._link.let_go()
        self._response.release_conn()
        if not self._ended:
            # Broken off in the middle, the connection is of no more use; the link would keep it.
            self._link.cut()
