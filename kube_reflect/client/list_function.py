"""What one gives the official `Watch`, taken apart once: what is called, with what, for what."""

from __future__ import annotations

import copy
import functools
import hashlib
import inspect
import logging
import re
import types
from collections.abc import Callable, Mapping
from typing import Any

import urllib3
from kubernetes.dynamic.resource import Resource, ResourceInstance

from kube_reflect.client import versions
from kube_reflect.client.pool import unpatched_copy
from kube_reflect.config import Config
from kube_reflect.object_ref import ApiResource
from kube_reflect.selector import parse, parse_field_selector

__all__ = ["ListFunction"]

logger = logging.getLogger(__name__)

#: What a watcher decides by itself in each request.
RESERVED = frozenset({
    "_continue", "_preload_content", "_request_timeout", "allow_watch_bookmarks", "async_req",
    "deserialize", "follow", "limit", "resource_version", "resource_version_match",
    "send_initial_events", "serialize", "timeout_seconds", "watch",
})
#: As generated methods have it: /apis/apps/v1/namespaces/{namespace}/deployments.
_PATH = re.compile(r"/(?:api|apis/([^/{]+))/([^/{]+)/(namespaces/\{namespace\}/)?([^/{]+)")
#: V1PodList, V1alpha2LeaseCandidateList, CoreV1EventList.
_LIST = re.compile(r"[A-Za-z]*?V\d+(?:(?:alpha|beta)\d+)?(\w+)List")
#: Variants of a typed method, by the end of their names.
_VARIANT = re.compile(r"_with_http_info$|_without_preload_content$")
_TYPED = "kubernetes.client.api."
_ASYNC = ("kubernetes_asyncio", "kubernetes.aio")


class ListFunction:
    """A list function and its arguments, resolved once.

    :param list_func: whatever a `Watcher` takes as one.
    :param args: for it.
    :param kwargs: for it.
    :raises TypeError: for what is no list function.
    """

    def __init__(self, list_func: Any, args: tuple[Any, ...] = (),
                 kwargs: Mapping[str, Any] | None = None) -> None:
        if isinstance(list_func, Resource):
            list_func = list_func.get
        if not callable(list_func):
            raise TypeError("list_func must be a list function, such as CoreV1Api().list_node, "
                            f"not {list_func!r}")
        keywords = dict(kwargs or {})
        while isinstance(list_func, functools.partial):
            args, keywords = (*list_func.args, *args), {**list_func.keywords, **keywords}
            list_func = list_func.func
        #: What is called, without partials around it, and all its arguments.
        self.func: Any = list_func
        self.args = args
        self.keywords = keywords
        #: The API object whose method it is, if it is one's.
        self.owner: Any = getattr(list_func, "__self__", None)
        self._client_attribute = _client_attribute(self.owner)
        _refuse_async(list_func, self.owner, self.client)
        #: Whether it is a dynamic client's.
        self.dynamic = hasattr(self.owner, "resources")
        if not self.dynamic and not self.accepts("watch"):
            raise TypeError(f"{getattr(list_func, '__name__', list_func)} is no list function: "
                            "it takes no watch argument")

    def __repr__(self) -> str:
        name = getattr(self.func, "__qualname__", None) or repr(self.func)
        return f"<{type(self).__name__} {name}>"

    @property
    def client(self) -> Any:
        """The ApiClient by which it connects (None: it is no method of the official client)."""
        if self._client_attribute is None:
            return None
        return getattr(self.owner, self._client_attribute)

    @property
    def _typed(self) -> bool:
        """Whether it is a generated method, for one kind."""
        module = getattr(self.func, "__module__", None) or ""
        return module.startswith(_TYPED) and "custom_objects" not in module

    @functools.cached_property
    def _method(self) -> Any:
        """The plain one of the variants of a typed method, which says what it returns."""
        name = getattr(self.func, "__name__", "")
        return getattr(type(self.owner), _VARIANT.sub("", name), self.func)

    @functools.cached_property
    def _signature(self) -> inspect.Signature:
        """What the function takes; nothing, where one that is written in C does not say it."""
        try:
            return inspect.signature(self.func)
        except ValueError:
            return inspect.Signature()

    def accepts(self, name: str) -> bool:
        """Return whether the function takes an argument of that name."""
        if self.names(name):
            return True
        known = versions.known_parameters(self.func) if self.client is not None else None
        if known is not None:
            return name in known
        return any(one.kind is one.VAR_KEYWORD for one in self._signature.parameters.values())

    def names(self, name: str) -> bool:
        """Return whether the function has a parameter of that name, and does not just take any."""
        return name in self._signature.parameters

    @property
    def given(self) -> dict[str, Any]:
        """All its arguments by name; resources of the dynamic client as what tells them apart.

        :raises TypeError: where some are missing, or there are some that it does not know.
        :raises ValueError: where one that is needed is None.
        """
        signature = self._signature
        given = dict(signature.bind(*self.args, **self.keywords).arguments)
        for name, parameter in signature.parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                given.update(given.pop(name, {}))
            # As from a variable of the environment that is not set.
            elif parameter.default is parameter.empty and given.get(name, ...) is None:
                raise ValueError(f"{name} must not be None")
        return {name: (value.group, value.api_version, value.kind)
                if isinstance(value, Resource) else value for name, value in given.items()}

    def check_arguments(self, config: Config) -> None:
        """Raise at once for a mistake in the arguments, not in the first request.

        :raises TypeError: as `given`.
        :raises ValueError: as `given`; for arguments that the watcher decides by itself, and for
            a selector that does not parse or is given twice.
        """
        given = self.given
        reserved = sorted(RESERVED.intersection(given))
        if reserved:
            raise ValueError(f"the watcher sets {', '.join(reserved)} by itself; see Config")
        known = versions.known_parameters(self.func) if self._typed else None
        for name in given:
            if known is not None and name not in known:
                raise TypeError(f"{self.func.__name__}() got an unexpected keyword argument "
                                f"{name!r}")
        for name, setting, check in (
            ("label_selector", config.label_selector, parse),
            ("field_selector", config.field_selector, parse_field_selector),
            ("shard_selector", config.shard, str),
        ):
            if given.get(name) is not None:
                if setting is not None:
                    raise ValueError(f"{name} is given twice: as an argument and in config")
                check(given[name])

    @property
    def server(self) -> str:
        """Which API server it asks: its address, and a digest of who vouches for it; "" unknown.

        A cluster that is made anew at the same address has another certificate authority.
        """
        configuration = getattr(self.client, "configuration", None)
        if configuration is None:
            return ""
        authority = b""
        try:
            with open(configuration.ssl_ca_cert, "rb") as file:
                authority = file.read(1 << 20)
        except (OSError, TypeError):
            # There is none: it is not said, or the system's own is taken.
            pass
        return f"{configuration.host} {hashlib.blake2b(authority, digest_size=16).hexdigest()}"

    @property
    def identity(self) -> tuple[Any, ...]:
        """What is equal for two that list the same things with the same client.

        Two instances of `CoreV1Api` may share a client; arguments may be given by place or by
        name. It raises as `given`.
        """
        owner = self.owner if self.client is None else self.client
        return (id(owner), getattr(self.func, "__func__", self.func),
                tuple(sorted(self.given.items(), key=lambda item: item[0])))

    @functools.cached_property
    def model(self) -> Any:
        """What the function lists: the class of the items of a typed method (V1Pod).

        For a dynamic client it is a function that makes a ResourceInstance of a mapping; None for
        all others, whose objects are mappings.
        """
        if self.dynamic:
            resource = self._resource
            return lambda mapping: ResourceInstance(resource, mapping)
        if not self._typed:
            return None
        model = versions.item_model(versions.listed_model(self._method))
        if model is None:
            logger.warning("%r does not say what it lists; its objects are mappings", self)
        return model

    @property
    def _resource(self) -> Resource | None:
        return next((one for one in (*self.args, *self.keywords.values())
                     if isinstance(one, Resource)), None)

    @functools.cached_property
    def resource(self) -> ApiResource | None:
        """The kind that it lists, as far as that can be told without asking (None: it cannot).

        Typed methods say it, and resources of the dynamic client. `CustomObjectsApi` does not: it
        knows the plural, not the kind.
        """
        one = self._resource
        if one is not None:
            return ApiResource(one.group or "", one.api_version, one.kind, one.name,
                               one.namespaced)
        if not self._typed or self.client is None:
            return None
        kind = _LIST.fullmatch(getattr(versions.listed_model(self._method), "__name__", ""))
        path = _PATH.fullmatch(versions.path_of(self._called_with, self.client))
        if kind is None or path is None:
            return None
        group, version, namespaced, plural = path.groups()
        return ApiResource(group or "", version, kind[1], plural, True if namespaced else None)

    def _called_with(self, client: Any, arguments: Mapping[str, Any] | None = None) -> Any:
        """Call the method of a copy of its API that has another client."""
        owner = copy.copy(self.owner)
        setattr(owner, self._client_attribute or "", client)
        method = types.MethodType(self.func.__func__, owner)
        return method(*self.args, **self.keywords, **(arguments or {}))

    def call(self, arguments: Mapping[str, Any], *, client: Any = None,
             pool_manager: Any = None) -> Any:
        """Call the function.

        :param arguments: beside its own.
        :param client: in place of its own.
        :param pool_manager: by which to connect, in place of the client's.
        """
        if pool_manager is None:
            return self.func(*self.args, **self.keywords, **arguments)
        return self._called_with(_private_client(client or self.client, pool_manager), arguments)


def _private_client(client: Any, pool_manager: Any) -> Any:
    """Return a copy of an ApiClient but for its pool; it shares the configuration."""
    rest = unpatched_copy(client.rest_client)
    rest.pool_manager = pool_manager
    configuration = getattr(rest, "configuration", None)
    if getattr(configuration, "client_go_retries", False):
        # Retries could be neither counted nor interrupted in there.
        rest.configuration = copy.copy(configuration)
        rest.configuration.client_go_retries = False
    private = unpatched_copy(client)
    private.rest_client = rest
    return private


def _client_attribute(owner: Any) -> str | None:
    """Name the attribute by which an API object holds its ApiClient (None: it has none)."""
    for name in ("api_client", "client"):
        pool = getattr(getattr(getattr(owner, name, None), "rest_client", None),
                       "pool_manager", None)
        if isinstance(pool, urllib3.PoolManager):
            return name
    return None


def _refuse_async(func: Callable[..., Any], owner: Any, client: Any) -> None:
    origins = (func, type(owner), type(getattr(owner, "api_client", client)))
    if inspect.iscoroutinefunction(func) or any(
            (getattr(one, "__module__", None) or "").startswith(_ASYNC) for one in origins):
        raise TypeError(f"{getattr(func, '__name__', func)} is asynchronous; give the method of "
                        "the synchronous client, the package kubernetes")
