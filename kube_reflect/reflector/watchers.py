"""What a reflector's arguments mean: which watches there are, and how each is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kube_reflect.backoff import Backoff
from kube_reflect.client import ListFunction
from kube_reflect.config import Config
from kube_reflect.ground.foreign import fails_again
from kube_reflect.reflector.described import described
from kube_reflect.watcher import Watcher
from kube_reflect.wire import ApiSource

__all__ = ["WatcherFactory", "backoff_factory", "checked_config", "checked_namespaces"]


class WatcherFactory:
    """Makes the watchers of one reflector, each on a source of its own.

    :param several: there is one for each of several namespaces.
    :param new_client: gives an ApiClient to go on with after a 401.
    :raises TypeError: for what is no list function, or lacks arguments.
    :raises ValueError: for arguments that the watcher sets by itself.
    """

    def __init__(self, list_func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any],
                 config: Config, *, metadata_only: bool, several: bool,
                 new_client: Callable[[], Any] | None = None) -> None:
        if several and "namespace" in kwargs:
            raise ValueError("namespace and namespaces exclude each other")
        self._several = several
        self._list_func = list_func
        self._args = args
        self._kwargs = dict(kwargs)
        self.config = config
        self._metadata_only = metadata_only
        self._new_client = new_client
        anywhere = "" if several else None
        # Made only so that mistakes in the arguments are raised here and now; it opens nothing.
        # (Not a watcher: that has a generator, and an exception that arrives while Python ends a
        # generator is lost.)
        self._source(anywhere).close()
        #: What lists; of no namespace, where there are several.
        self.function = ListFunction(list_func, args, self._keywords(anywhere))

    def _keywords(self, namespace: str | None) -> dict[str, Any]:
        return self._kwargs if namespace is None else {**self._kwargs, "namespace": namespace}

    @property
    def identity(self) -> tuple[Any, ...] | None:
        """What is equal for two that watch the same; None where nobody can know."""
        try:
            return self._hashed_identity()
        except (TypeError, ValueError) as error:
            fails_again(error, self._hashed_identity)
            return None

    def _hashed_identity(self) -> tuple[Any, ...]:
        identity = self.function.identity
        hash(identity)
        return identity

    @property
    def what(self) -> dict[str, str]:
        """What it lists, in words that another process has for the same; functions by their names.

        A server is known by its address and its certificate authority.
        """
        function, config = self.function, self.config
        return {
            "server": function.server,
            "list function": described(function.func),
            "resource": repr(function.resource),
            "arguments": described(function.given),
            "label selector": repr(config.label_selector),
            "field selector": repr(config.field_selector),
            "shard": repr(config.shard),
            "scope": f"several={self._several} metadata_only={self._metadata_only}",
        }

    def new(self, namespace: str | None, observer: Callable[[str], None],
            since: str | None = None) -> Watcher:
        """Return a watcher of a namespace, or of all that the list function lists.

        :param since: the version that it is to go on from; None: it begins with a list.
        """
        return Watcher.over(self._source(namespace), self.config, observer, since)

    def _source(self, namespace: str | None) -> ApiSource:
        return ApiSource(self._list_func, self._args, self._keywords(namespace), self.config,
                         metadata_only=self._metadata_only, new_client=self._new_client)


def checked_config(config: Config | None) -> Config:
    """Return a config, the default one for None.

    :raises TypeError: for what is none.
    """
    if config is None:
        return Config()
    if not isinstance(config, Config):
        raise TypeError(f"config must be a Config: {config!r}")
    return config


def checked_namespaces(namespaces: Iterable[Any]) -> list[str]:
    """Return the names, each once.

    :raises TypeError: for a string, whose letters would pass for names.
    :raises ValueError: for what is no name.
    """
    if isinstance(namespaces, str):
        raise TypeError(f"namespaces must be a list of names, not one name: {namespaces!r}")
    names = list(dict.fromkeys(namespaces))
    for name in names:
        if not isinstance(name, str) or not name:
            raise ValueError(f"not the name of a namespace: {name!r}")
    return names


def checked_indexers(indexers: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the index functions by the name of the index.

    :raises TypeError: for what is no mapping.
    """
    if indexers is None:
        return {}
    if not isinstance(indexers, Mapping):
        raise TypeError(f"indexers must be a mapping of names to functions: {indexers!r}")
    return dict(indexers)


def backoff_factory(backoff: Callable[[], Backoff] | Backoff | None,
                    several: bool) -> Callable[[], Backoff]:
    """Return what makes the backoff of each watch.

    :raises TypeError: for a backoff that is none, and makes none.
    :raises ValueError: for one that several namespaces would share.
    """
    if backoff is None:
        return Backoff
    if isinstance(backoff, Backoff):
        if several:
            raise ValueError("several namespaces cannot share a Backoff; give a function that "
                             "makes one, such as backoff=lambda: Backoff(initial=1.0)")
        return lambda: backoff
    if callable(backoff):
        return backoff
    raise TypeError(f"backoff must be a Backoff, or make one: {backoff!r}")
