"""What a list function is, what it takes, and what its objects are."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from kubernetes import client
from kubernetes.dynamic.resource import Resource, ResourceInstance

from kube_reflect.client.binding import client_attribute, is_bindable, unwrapped
from kube_reflect.config import Config
from kube_reflect.selector import parse, parse_field_selector

__all__ = ["accepts", "as_list_func", "check_arguments", "identity_of", "model_of"]

#: What a watcher decides by itself in each request.
RESERVED = frozenset({
    "_continue", "_preload_content", "_request_timeout", "allow_watch_bookmarks", "async_req",
    "deserialize", "follow", "limit", "resource_version", "resource_version_match",
    "send_initial_events", "serialize", "timeout_seconds", "watch",
})


def as_list_func(list_func: Any) -> tuple[Any, bool]:
    """Give the function to call, and whether it is a dynamic client's.

    :raises TypeError: for what is no list function.
    """
    if isinstance(list_func, Resource):
        list_func = list_func.get
    if not callable(list_func):
        raise TypeError("list_func must be a list function, such as CoreV1Api().list_node, "
                        f"not {list_func!r}")
    inner = unwrapped(list_func)
    dynamic = hasattr(getattr(inner, "__self__", None), "resources")
    if not dynamic and not accepts(inner, "watch"):
        raise TypeError(f"{getattr(inner, '__name__', inner)} is no list function: "
                        "it takes no watch argument")
    return list_func, dynamic


def check_arguments(list_func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any],
                    config: Config) -> None:
    given = {**_keywords(list_func), **kwargs}
    try:
        signature = inspect.signature(list_func)
    except ValueError:
        pass
    else:
        given.update(signature.bind(*args, **kwargs).arguments)
        for name, parameter in signature.parameters.items():
            # As from a variable of the environment that is not set.
            if parameter.default is parameter.empty and name in given and given[name] is None:
                raise ValueError(f"{name} must not be None")
    reserved = sorted(RESERVED.intersection(given))
    if reserved:
        raise ValueError(f"the watcher sets {', '.join(reserved)} by itself; see Config")
    for name, check in (("label_selector", parse), ("field_selector", parse_field_selector)):
        if given.get(name) is None:
            continue
        if getattr(config, name) is not None:
            raise ValueError(f"{name} is given twice: as an argument and in config")
        check(given[name])


def identity_of(list_func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any],
                ) -> tuple[Any, ...]:
    """Give what is equal for two calls that list the same things with the same client.

    Two instances of `CoreV1Api` may share a client; arguments may be given by place or by name.
    """
    list_func, _ = as_list_func(list_func)
    inner = unwrapped(list_func)
    owner = getattr(inner, "__self__", None)
    name = client_attribute(owner)
    client_id = id(getattr(owner, name)) if name is not None else id(owner)
    function = getattr(inner, "__func__", inner)
    # Of a dynamic client, what a partial holds by place is the resource.
    resources = tuple((one.group, one.api_version, one.kind) for one in _places(list_func)
                      if isinstance(one, Resource))
    try:
        given = dict(inspect.signature(list_func).bind(*args, **kwargs).arguments)
    except ValueError:
        given = {"": args, **kwargs}
    given = {**_keywords(list_func), **given, **given.pop("kwargs", {})}
    return client_id, function, resources, tuple(sorted(given.items()))


def _places(list_func: Any) -> tuple[Any, ...]:
    """Give the arguments that the partials around a function hold by place."""
    if not isinstance(list_func, functools.partial):
        return ()
    return (*_places(list_func.func), *list_func.args)


def _keywords(list_func: Any) -> dict[str, Any]:
    """Give the keyword arguments that the partials around a function hold."""
    if not isinstance(list_func, functools.partial):
        return {}
    return {**_keywords(list_func.func), **list_func.keywords}


def accepts(list_func: Any, name: str) -> bool:
    """Whether the function takes an argument of that name."""
    inner = unwrapped(list_func)
    try:
        parameters = inspect.signature(inner).parameters
    except ValueError:
        parameters = {}  # type: ignore[assignment]
    if name in parameters:
        return True
    if not is_bindable(inner):
        return any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    return re.search(rf":param (?:\w+ )?{name}:", inspect.getdoc(inner) or "") is not None


def model_of(list_func: Any) -> Callable[[dict[str, Any]], Any] | None:
    """Give what makes of a mapping what the list function returns (None: a mapping).

    That is the class of the items for a typed method (V1Pod for one that returns a V1PodList),
    and a ResourceInstance for a dynamic client's.
    """
    list_func, dynamic = as_list_func(list_func)
    inner = unwrapped(list_func)
    if dynamic:
        resource = next((arg for arg in getattr(list_func, "args", ())
                         if isinstance(arg, Resource)), None)
        return lambda mapping: ResourceInstance(resource, mapping)
    try:
        returned = inspect.signature(inner).return_annotation
    except ValueError:
        return None
    name = returned if isinstance(returned, str) else getattr(returned, "__name__", "")
    if not name.endswith("List"):
        return None
    model = getattr(client.models, name[:-len("List")], None)
    return getattr(model, "from_dict", None)
