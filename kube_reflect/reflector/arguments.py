"""What a reflector takes by keyword, for editors and type checkers: one list for all who take it.

Nothing of this is looked at when a program runs. `Reflector`, `shared` and the extension for Flask
name what decides of which type a K is, and unpack these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypedDict, Union

from kube_reflect.backoff import Backoff
from kube_reflect.config import Config
from kube_reflect.indexers import IndexFunction
from kube_reflect.reflector.warm_start import WarmStartOption
from kube_reflect.transforms import Transform

__all__ = ["Arguments", "Unnamed", "WhenNotReady"]

WhenNotReady = Literal["wait", "raise", "empty"]


class Unnamed(TypedDict, total=False):
    """All but ``model``, ``metadata_only`` and ``name``; see `Reflector`."""

    # What the list functions of the official client take, and a watcher does not set by itself.
    namespace: str
    group: str
    version: str
    plural: str
    resource_plural: str
    label_selector: str
    field_selector: str
    shard_selector: str
    pretty: Any
    _request_auth: Any
    _content_type: Any
    _headers: Any
    _host_index: int
    # What is the reflector's own.
    config: Union[Config, None]
    transform: Union[Transform, None]
    indexers: Union[Mapping[str, IndexFunction], None]
    copies: bool
    detect_mutations: Union[bool, None]
    new_client: Union[Callable[[], Any], None]
    namespaces: Union[Iterable[str], None]
    backoff: Union[Backoff, Callable[[], Backoff], None]
    when_not_ready: WhenNotReady
    ready_timeout: float
    decoded_limit: int
    warm_start: WarmStartOption


class Arguments(Unnamed, total=False):
    """All but ``model`` and ``metadata_only``."""

    name: Union[str, None]
