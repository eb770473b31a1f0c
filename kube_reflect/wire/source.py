"""Pages of a LIST and lines of a WATCH: the only module that calls the official client."""

from __future__ import annotations

import functools
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from kubernetes import watch
from kubernetes.client.exceptions import ApiException

from kube_reflect.client.binding import is_bindable, privately
from kube_reflect.client.failures import RequestError, failure, refused
from kube_reflect._json import loads
from kube_reflect.client.kind import resource_of
from kube_reflect.client.list_func import (
    accepts, as_list_func, check_arguments, identity_of, model_of,
)
from kube_reflect.wire.pages import Page
from kube_reflect.wire.raw import GLANCES, glance_at_line
from kube_reflect.wire.lines import Segments
from kube_reflect.client.connection import Closed, Link
from kube_reflect.config import Config

__all__ = ["ApiSource", "Closed", "Lines", "Page", "RequestError", "Source", "WatchLine",
           "identity_of", "model_of", "resource_of"]

#: How much of an error's body is read, in bytes.
_ERROR_BODY = 64 * 1024
_CHUNK = 64 * 1024
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class WatchLine(NamedTuple):
    """One line of a WATCH: its type (ADDED, …, ERROR) and the object, as on the wire."""

    type: str
    object: Mapping[str, Any]


class Lines(Protocol):
    """The lines of one WATCH, in order; raises RequestError where they break off."""

    def __iter__(self) -> Iterator[WatchLine]: ...

    def __next__(self) -> WatchLine: ...

    def listed(self) -> None:
        """Hear that the initial events are complete, so that silence is no longer wrong."""

    def close(self) -> None:
        """Hang up; for the thread that reads."""


class Source(Protocol):
    """What a watcher asks for pages and lines: an API server, or a script in a test."""

    def page(self, *, limit: int | None, continue_token: str | None,
             resource_version: str | None) -> Page: ...

    def lines(self, *, resource_version: str | None, initial: bool) -> Lines: ...

    def close(self) -> None: ...


class ApiSource:
    """Requests to an API server through the official client's list function.

    Requests are made by one thread; `close` may be called from any.

    :param list_func: what one gives the official `Watch`.
    :param metadata_only: ask for PartialObjectMetadata instead of the objects.
    :param glancing: leave objects unparsed (as RawObject) where that saves time.
    :param new_client: gives an ApiClient to go on with after a 401.
    :raises TypeError: for what is no list function, or lacks arguments.
    :raises ValueError: for arguments that the watcher decides by itself.
    """

    def __init__(self, list_func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any],
                 config: Config, *, metadata_only: bool = False, glancing: bool = False,
                 new_client: Callable[[], Any] | None = None,
                 rng: Callable[[], float] = random.random) -> None:
        self._config = config
        self._rng = rng
        list_func, self._dynamic = as_list_func(list_func)
        check_arguments(list_func, args, kwargs, config)
        self._link = Link()
        self._bound = is_bindable(list_func)
        list_privately = privately(list_func, self._link, new_client)
        self._func = functools.partial(list_privately, *args, **kwargs)
        if metadata_only and not self._bound:
            raise ValueError("metadata_only needs a method of the official client")
        self._metadata_only = metadata_only
        self._glancing = glancing
        self._accepts = functools.partial(accepts, list_func)
        #: When the server was last heard of: a complete list (as of its first request), an event,
        #: a bookmark, or a clean end.
        #: Seconds on the monotonic clock; written by the requesting thread, read by any.
        self.contact: float | None = None
        self._list_began = 0.0
        #: Whether this server sends bookmarks while a watch is quiet.
        self.bookmarks_seen = False

    def close(self) -> None:
        """End whatever is under way, and all later requests; from any thread, at once."""
        self._link.close()

    def page(self, *, limit: int | None, continue_token: str | None,
             resource_version: str | None) -> Page:
        """Ask for a page of a LIST; it is read as it is iterated."""
        query: dict[str, Any] = {
            "limit": limit, "_continue": continue_token, "resource_version": resource_version,
            "timeout_seconds": self._timeout_seconds()}
        if continue_token is None:
            self._list_began = time.monotonic()
        return Page(self._body(self._request(query)), self._page_read,
                    glancing=self._glancing and GLANCES)

    def _page_read(self, page: Page) -> None:
        if page.continue_token is None:
            # What a complete list shows is as old as its first request.
            self.contact = self._list_began

    def lines(self, *, resource_version: str | None, initial: bool) -> Lines:
        """Begin a WATCH; returns when the headers are there.

        :param initial: make it a streaming list.
        """
        if initial and not self._bound and not self._accepts("send_initial_events"):
            # As a server without streaming lists would answer.
            raise RequestError("the list function takes no send_initial_events", code=400)
        return _Lines(self, resource_version, initial)

    def _timeout_seconds(self) -> int:
        seconds = self._config.timeout * (1 - 0.25 * self._rng())
        if not self.bookmarks_seen:
            # No bookmark has shown that silence means death: let the server end a quiet watch
            # cleanly before the idle deadline would.
            seconds = min(seconds, 0.8 * self._config.idle_timeout)
        return max(1, int(seconds))

    def _request(self, query: Mapping[str, Any]) -> Any:
        """Send a request; give the raw response, whose status is good, and time for its body."""
        config, link = self._config, self._link
        selectors = {"label_selector": config.label_selector,
                     "field_selector": config.field_selector}
        link.check()
        arguments: dict[str, Any] = {
            name: value for name, value in {**selectors, **query}.items() if value is not None}
        link.query = self._smuggled(arguments)
        link.headers = self._headers("watch" in arguments)
        arguments["_request_timeout"] = (config.connect_timeout, config.idle_timeout)
        arguments["serialize" if self._dynamic else "_preload_content"] = False
        link.patience = patience = config.connect_timeout + config.idle_timeout
        try:
            call = functools.partial(self._func, **arguments)
            response = call() if self._bound else link.apart(call, patience)
        except Closed:
            raise
        except Exception as error:
            link.check()
            if isinstance(error, ApiException) and error.status:
                raise refused(error.status, error.headers, error.body) from error
            raise failure(error) from error
        if not 200 <= response.status <= 299:
            raise self._refusal(response)
        if not self._bound:
            sock = getattr(getattr(response, "connection", None), "sock", None)
            if sock is not None:
                link.hold(sock)
        link.deadline = time.monotonic() + query["timeout_seconds"] + config.idle_timeout
        return response

    def _release(self, response: Any) -> None:
        """Give the connection back; it may go into a pool that is not ours."""
        if not self._bound:
            self._link.let_go()
        response.release_conn()

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
        if not self._bound:
            return query
        for name in ("send_initial_events", "resource_version_match"):
            if name in arguments and not self._accepts(name):
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

    def _body(self, response: Any) -> Iterator[bytes]:
        try:
            for chunk in response.stream(_CHUNK, decode_content=True):
                yield chunk
                # A byte now and then keeps the socket from timing out.
                if time.monotonic() > self._link.deadline:
                    raise RequestError("the server does not end the list", started=True)
            # Cut by close(), a body without a length just ends.
            self._link.check()
        except RequestError:
            raise
        except Exception as error:
            self._link.check()
            raise failure(error, started=True) from error
        finally:
            response.close()
            self._release(response)


class _Lines(watch.Watch):
    """The official Watch, but for what it does with a line: parsed once, handed on as it is."""

    def __init__(self, source: ApiSource, resource_version: str | None, initial: bool) -> None:
        # Not the parent's: it would make an ApiClient of its own for each watch.
        self._raw_return_type = None
        self._stop = False
        self.resource_version = None
        self._source = source
        self._initial = initial
        self._ended = False
        seconds = source._timeout_seconds()
        query: dict[str, Any] = {
            "watch": True,
            "resource_version": resource_version,
            "timeout_seconds": seconds,
            "allow_watch_bookmarks": True if source._config.bookmarks or initial else None,
        }
        if initial:
            query.update(send_initial_events=True, resource_version_match="NotOlderThan")
        self._segments = Segments(
            source._request(query), source._release, seconds=seconds, initial=initial,
            idle_timeout=source._config.idle_timeout)
        # Given timeout_seconds, the parent leaves all retries to us.
        self._stream: Any = self.stream(  # type: ignore[no-untyped-call]
            lambda **_: self._segments, timeout_seconds=seconds)

    def __iter__(self) -> Iterator[WatchLine]:
        return self

    def __next__(self) -> WatchLine:
        try:
            for line in self._stream:
                if line is not None:
                    return line  # type: ignore[no-any-return]
        except (RequestError, Closed):
            raise
        except Exception as error:
            self._source._link.check()
            raise failure(error, started=True) from error
        self._source._link.check()
        self._ended = True
        self._segments.check_end()
        if not self._initial:
            self._source.contact = time.monotonic()
        raise StopIteration

    def listed(self) -> None:
        self._initial = False
        # What the list has shown is as old as its beginning.
        self._source.contact = self._segments.started
        self._segments.expect_silence()

    def close(self) -> None:
        # The parent's clean-up runs when its generator is closed.
        self._stream.close()
        self._segments.close()
        if not self._ended:
            # Broken off in the middle, the connection is of no more use; the link would keep it.
            self._source._link.cut()

    def get_return_type(self, func: Any) -> None:
        return None

    def get_watch_argument_name(self, func: Any) -> str:
        return "watch"

    def unmarshal_event(self, data: str, return_type: Any) -> WatchLine | None:
        # Not the data, which the parent has copied and decoded; it is a placeholder.
        line = self._segments.line
        if not line or line.isspace():
            return None
        # A list is no burst: what it shows will stay for long.
        hurried = self._segments.hurried and not self._initial
        seen = glance_at_line(line) if self._source._glancing and (hurried or GLANCES) else None
        if seen is None:
            return self._heard(*self._parsed(line))
        seen[1].hurried = hurried
        return self._heard(*seen)

    @staticmethod
    def _parsed(data: bytes) -> tuple[str, dict[str, Any]]:
        try:
            event = loads(data)
        except ValueError as error:
            raise RequestError(f"a line that is no JSON: {data[:80]!r}", started=True) from error
        kind = event.get("type") if isinstance(event, dict) else None
        content = event.get("object") if isinstance(event, dict) else None
        if not isinstance(kind, str) or not isinstance(content, dict):
            raise RequestError(f"a line that is no watch event: {data[:80]!r}", started=True)
        return kind, content

    def _heard(self, kind: str, content: Mapping[str, Any]) -> WatchLine:
        """Note what a line says of the server; it is a contact with it."""
        if self._initial:
            # No contact: a list says nothing before it is complete.
            if kind == "ADDED":
                self._segments.extend_list()
            return WatchLine(kind, content)
        if kind == "BOOKMARK":
            self._source.bookmarks_seen = True
        if kind != "ERROR":
            self._source.contact = self._segments.last_line
        return WatchLine(kind, content)
