"""What a reflector's arguments mean: which watches there are, and how each is made."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kube_reflect.store.core import Core
from kube_reflect.store.feed import Entries
from kube_reflect.reflector.namespaces import Task, Team
from kube_reflect.reflector.worker import Worker
from kube_reflect.backoff import Backoff
from kube_reflect.config import Config
from kube_reflect.object_ref import ApiResource
from kube_reflect.watcher import Watcher
from kube_reflect.client import ListFunction
from kube_reflect.wire.source import ApiSource

__all__ = ["Watchers", "checked_config", "checked_namespaces"]


class Watchers:
    """Makes the watchers of one reflector, each on a source of its own.

    :param several: there is one for each of several namespaces.
    :param glancing: objects may be left unparsed, since nobody looks at all of them.
    :param new_client: gives an ApiClient to go on with after a 401.
    :raises TypeError: for what is no list function, or lacks arguments.
    :raises ValueError: for arguments that the watcher sets by itself.
    """

    def __init__(self, list_func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any],
                 config: Config, *, metadata_only: bool, several: bool,
                 glancing: bool, new_client: Callable[[], Any] | None = None) -> None:
        if several and "namespace" in kwargs:
            raise ValueError("namespace and namespaces exclude each other")
        self._several = several
        self._list_func = list_func
        self._args = args
        self._kwargs = dict(kwargs)
        self._config = config
        self._metadata_only = metadata_only
        self._glancing = glancing
        self._new_client = new_client
        # Made only to have mistakes in the arguments said here and now; it opens nothing.
        anywhere = "default" if several else None
        self.new(anywhere, lambda state: None).close()
        #: The kind of object, where the objects will not tell and the list function does.
        self.resource: ApiResource | None = None
        if metadata_only:
            self.resource = ListFunction(list_func, args, self._keywords(anywhere)).resource

    def _keywords(self, namespace: str | None) -> dict[str, Any]:
        return self._kwargs if namespace is None else {**self._kwargs, "namespace": namespace}

    def new(self, namespace: str | None, observer: Callable[[str], None]) -> Watcher:
        """Make a watcher of a namespace, or of all that the list function lists."""
        source = ApiSource(self._list_func, self._args, self._keywords(namespace), self._config,
                           metadata_only=self._metadata_only, glancing=self._glancing,
                           new_client=self._new_client)
        return Watcher.over(source, self._config, observer)

    def team(self, core: Core, entries: Entries, name: str,
             backoff: Backoff | Callable[[], Backoff] | None) -> Team:
        """Make the team that runs them.

        :raises TypeError: for a backoff that is none, and makes none.
        :raises ValueError: for one that several namespaces would share.
        """
        new_backoff = _backoff_maker(backoff, self._several)

        def new_worker(scope: str | None, task: Task) -> Worker:
            return Worker(lambda observer: self.new(scope, observer), core, task.feed,
                          new_backoff(), task.health)

        team = Team(core, entries, name, new_worker)
        # The team holds the core; the core must not hold the team.
        weak = weakref.ref(team)

        def staleness() -> float | None:
            strong = weak()
            if strong is None:
                return None
            return strong.staleness() if strong.keeps_up() else math.inf

        core.staleness = staleness
        return team


def checked_config(config: Config | None) -> Config:
    """Give a config, the default one for None.

    :raises TypeError: for what is none.
    """
    if config is None:
        return Config()
    if not isinstance(config, Config):
        raise TypeError(f"config must be a Config: {config!r}")
    return config


def checked_namespaces(namespaces: Iterable[Any]) -> list[str]:
    """Give the names, each once.

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


def _backoff_maker(backoff: Callable[[], Backoff] | Backoff | None,
                   several: bool) -> Callable[[], Backoff]:
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
