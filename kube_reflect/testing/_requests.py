"""What a request asks for, and the record of all that came."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, overload
from urllib.parse import parse_qsl, unquote

from kube_reflect.testing._reading import Headers

_KEPT = 100_000
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


class Target(NamedTuple):
    """What a resource path points at."""

    group: str
    version: str
    plural: str
    namespace: str | None
    name: str | None
    subresource: str | None


def parse_path(path: str) -> Target | None:
    """Split a resource path; None where it is none."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if len(parts) >= 3 and parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = None
    if rest[0] == "namespaces" and len(rest) >= 3 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    if len(rest) > 3 or not all(rest):
        return None
    name, subresource = ([*rest[1:], None, None])[:2]
    return Target(group, version, rest[0], namespace, name, subresource)


@dataclass(frozen=True)
class Request:
    """One HTTP request, as it came.

    :ivar method: ``GET``, ``POST`` and so on.
    :ivar path: the path without the query, still percent-encoded.
    :ivar query: the parameters; of one given twice, the last.
    :ivar headers: the headers; names compare without regard to case.
    :ivar time: when it came, by ``time.monotonic()``, in seconds.
    :ivar body: the body.
    :ivar verb: the verb as RBAC has it: ``list``, ``watch``, ``get``, ``create``, ``update``,
        ``patch``, ``delete``, ``deletecollection``; for a path of no resource, the method in
        small letters.
    :ivar resource: the plural, ``pods``, or None; likewise ``namespace`` and ``name``.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Headers = field(default_factory=Headers)
    time: float = field(default_factory=time.monotonic)
    body: bytes = field(default=b"", repr=False)
    verb: str = ""
    target: Target | None = field(default=None, repr=False)

    @classmethod
    def parsed(cls, method: str, url: str, headers: Headers, body: bytes) -> Request:
        """Make one from a request line, its headers and body."""
        path, _, query_string = url.partition("?")
        query = dict(parse_qsl(query_string, keep_blank_values=True))
        target = parse_path(path)
        return cls(method, path, query, headers, time.monotonic(), body,
                   _verb(method, query, target), target)

    @property
    def resource(self) -> str | None:
        """The plural in the path, or None."""
        return self.target.plural if self.target else None

    @property
    def namespace(self) -> str | None:
        """The namespace in the path, or None."""
        return self.target.namespace if self.target else None

    @property
    def name(self) -> str | None:
        """The object's name in the path, or None."""
        return self.target.name if self.target else None

    def flag(self, parameter: str) -> bool:
        """Whether a boolean parameter is on, as the real server reads it."""
        return self.query.get(parameter, "0").lower() not in ("", "0", "false")


def _verb(method: str, query: Mapping[str, str], target: Target | None) -> str:
    if target is None:
        return method.lower()
    if method == "GET":
        if target.name is not None:
            return "get"
        watching = query.get("watch", "0").lower() not in ("0", "false")
        return "watch" if watching else "list"
    if method == "DELETE":
        return "delete" if target.name is not None else "deletecollection"
    return _VERBS.get(method, method.lower())


class RequestLog(Sequence[Request]):
    """The requests of a server, oldest first, of which the last 100,000 are kept.

    Any thread may read it while requests come in; iteration is over a copy.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._requests: deque[Request] = deque(maxlen=_KEPT)

    def add(self, request: Request) -> None:
        """Record a request."""
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()

    def clear(self) -> None:
        """Forget all requests so far."""
        with self._changed:
            self._requests.clear()

    def wait_for(
        self, predicate: Callable[[Request], bool], timeout: float = 5.0, count: int = 1
    ) -> Request:
        """Wait until ``count`` recorded requests fulfil a predicate; return the last of these.

        :param timeout: in seconds.
        :raises TimeoutError: they did not come in time; it says what came instead.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                found = [request for request in self._requests if predicate(request)]
                if len(found) >= count:
                    return found[count - 1]
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            seen = ", ".join(f"{one.verb} {one.path}" for one in list(self._requests)[-20:])
        raise TimeoutError(f"{len(found)} of {count} such requests within {timeout} s; "
                           f"the last that came: {seen or 'none'}")

    def __len__(self) -> int:
        return len(self._requests)

    def __iter__(self) -> Iterator[Request]:
        with self._changed:
            return iter(list(self._requests))

    @overload
    def __getitem__(self, index: int) -> Request: ...

    @overload
    def __getitem__(self, index: slice) -> list[Request]: ...

    def __getitem__(self, index: int | slice) -> Request | list[Request]:
        with self._changed:
            return list(self._requests)[index]
