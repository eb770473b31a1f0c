"""Which kind of object a list function lists, as far as that can be told without asking."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Mapping
from typing import Any

from kubernetes.dynamic.resource import Resource

from kube_reflect.client.binding import client_attribute, is_bindable, unwrapped
from kube_reflect.object_ref import ApiResource

__all__ = ["resource_of"]

#: As generated methods have it: /apis/apps/v1/namespaces/{namespace}/deployments.
_PATH = re.compile(r"/(?:api|apis/([^/{]+))/([^/{]+)/(namespaces/\{namespace\}/)?([^/{]+)")
#: V1PodList, V1alpha2LeaseCandidateList, CoreV1EventList.
_LIST = re.compile(r"[A-Za-z]*?V\d+(?:(?:alpha|beta)\d+)?(\w+)List")


class _Path(Exception):
    """Instead of a request: the path that it would have gone to."""


class _NoClient:
    """In the place of an ApiClient; has a method say what it would ask for, and asks nothing."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def param_serialize(self, *_: Any, resource_path: str = "", **__: Any) -> Any:
        raise _Path(resource_path)


def resource_of(list_func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any],
                ) -> ApiResource | None:
    """Tell the kind that a list function lists; None where it does not say.

    Typed methods say it, and resources of the dynamic client. `CustomObjectsApi` does not: it
    knows the plural, not the kind.
    """
    places: tuple[Any, ...] = args
    keywords = dict(kwargs)
    while list_func is not unwrapped(list_func):
        places, keywords = (*list_func.args, *places), {**list_func.keywords, **keywords}
        list_func = list_func.func
    for one in (list_func, getattr(list_func, "__self__", None), *places):
        if isinstance(one, Resource):
            return ApiResource(one.group or "", one.api_version, one.kind, one.name,
                               one.namespaced)
    kind = _LIST.fullmatch(_returned(list_func))
    path = _PATH.fullmatch(_path(list_func, places, keywords)) if kind else None
    if kind is None or path is None:
        return None
    group, version, namespaced, plural = path.groups()
    return ApiResource(group or "", version, kind[1], plural, True if namespaced else None)


def _returned(list_func: Any) -> str:
    try:
        returned = inspect.signature(list_func).return_annotation
    except (TypeError, ValueError):
        return ""
    return returned if isinstance(returned, str) else getattr(returned, "__name__", "")


def _path(list_func: Any, places: tuple[Any, ...], keywords: dict[str, Any]) -> str:
    if not is_bindable(list_func):
        return ""
    asked = copy.copy(list_func.__self__)
    name = client_attribute(asked) or ""
    setattr(asked, name, _NoClient(getattr(asked, name)))
    try:
        list_func.__func__(asked, *places, **keywords)
    except _Path as path:
        return str(path)
    except Exception:
        # Another version of the client, perhaps; nothing depends on it but the refs.
        return ""
    return ""
