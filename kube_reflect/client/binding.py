"""List functions of the official client, bound anew to connections of their own."""

from __future__ import annotations

import copy
import functools
import types
from collections.abc import Callable
from typing import Any

import urllib3

from kube_reflect.client.connection import Link, Pool

__all__ = ["client_attribute", "is_bindable", "privately", "unwrapped"]

# How long somebody's function may take to make a client, in seconds.
_CLIENT_TIMEOUT = 60.0


def _private_client(client: Any, link: Link) -> Any:
    """Copy an ApiClient but for its pool; the configuration, and so the credentials, is shared."""
    rest = copy.copy(client.rest_client)
    rest.pool_manager = Pool(rest.pool_manager, link)
    configuration = getattr(rest, "configuration", None)
    if getattr(configuration, "client_go_retries", False):
        rest.configuration = copy.copy(configuration)
        rest.configuration.client_go_retries = False
    private = copy.copy(client)
    private.rest_client = rest
    return private


def unwrapped(list_func: Any) -> Any:
    """Take the partials off a list function."""
    while isinstance(list_func, functools.partial):
        list_func = list_func.func
    return list_func


def client_attribute(owner: Any) -> str | None:
    """Name the attribute by which an API object holds its ApiClient (None: it has none)."""
    for name in ("api_client", "client"):
        pool = getattr(getattr(getattr(owner, name, None), "rest_client", None),
                       "pool_manager", None)
        if isinstance(pool, urllib3.PoolManager):
            return name
    return None


def is_bindable(list_func: Any) -> bool:
    """Whether `privately` can give the function connections of its own."""
    return client_attribute(getattr(unwrapped(list_func), "__self__", None)) is not None


def privately(list_func: Callable[..., Any], link: Link,
              new_client: Callable[[], Any] | None = None) -> Callable[..., Any]:
    """Rebind a method of the official client so that it connects through the link.

    A function that is not such a method comes back as it is; it is run by `Link.apart`.

    :param new_client: gives an ApiClient to go on with after a 401.
    :raises ValueError: for a new_client that a function has no use for.
    """
    if new_client is None:
        return _rebound(list_func, link) if is_bindable(list_func) else list_func
    if not callable(new_client):
        raise TypeError(f"new_client must be a function that gives an ApiClient: {new_client!r}")
    if not is_bindable(list_func):
        raise ValueError("new_client needs a method of the official client")
    return _Renewed(list_func, link, new_client)


def _rebound(list_func: Callable[..., Any], link: Link, client: Any = None) -> Callable[..., Any]:
    if isinstance(list_func, functools.partial):
        inner = _rebound(list_func.func, link, client)
        return functools.partial(inner, *list_func.args, **list_func.keywords)
    owner = list_func.__self__  # type: ignore[attr-defined]
    name = client_attribute(owner) or ""
    private = copy.copy(owner)
    setattr(private, name, _private_client(client or getattr(owner, name), link))
    return types.MethodType(list_func.__func__, private)  # type: ignore[attr-defined]


class _Renewed:
    """A method of the official client that goes on with another client after a 401."""

    def __init__(self, list_func: Callable[..., Any], link: Link,
                 new_client: Callable[[], Any]) -> None:
        self._list_func = list_func
        self._link = link
        self._new_client = new_client
        self._rebound = _rebound(list_func, link)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        link = self._link
        if link.refused:
            client = link.apart(self._new_client, _CLIENT_TIMEOUT)
            self._rebound = _rebound(self._list_func, link, client)
            link.refused = False
        return self._rebound(*args, **kwargs)
