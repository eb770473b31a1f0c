"""Reflectors that are declared when a program is loaded, and made where they are first used.

What `flask` and `django` have in common. There is no lock in here, so a fork or an exception at any
moment finds nothing half done: where two threads make the same thing, one of the two is forgotten
before it has started.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kubernetes import client, config

from kube_reflect.client import ListFunction, view_maker
from kube_reflect.config import Config
from kube_reflect.contrib import workers
from kube_reflect.errors import NotReady
from kube_reflect.events import Init, InitApply, InitDone
from kube_reflect.reflector import Reflector
from kube_reflect.store import Store, Writer

__all__ = ["Declaration", "Group", "default_client"]

NewClient = Callable[[], client.ApiClient]

#: The classes of the official client whose methods are list functions.
_API_MODULE = re.compile(r"kubernetes\.client\.api\.\w+")
#: What a `Reflector` takes and its list function does not.
_OPTIONS = frozenset(inspect.signature(Reflector).parameters) - {"list_func", "args", "kwargs"}


def _client_of_nothing() -> client.ApiClient:
    """Make a client for what asks no server."""
    return client.ApiClient(client.Configuration())


def default_client() -> client.ApiClient:
    """Make a client as `kubernetes.config.load_config` says: a kubeconfig, or the pod's own.

    :raises ConfigException: there is neither, or it cannot be used.
    """
    configuration = client.Configuration()
    try:
        config.load_config(client_configuration=configuration)
    except config.ConfigException as error:
        # Of a missing kubeconfig it says only that there is no service account.
        raise config.ConfigException(
            "no kubeconfig that can be used, as KUBECONFIG or ~/.kube/config, and no service "
            f"account of a pod: {error}") from error
    return client.ApiClient(configuration)


@dataclass(frozen=True)
class Declaration:
    """What a reflector will be made of.

    :param name: of the reflector.
    :param source: a list function; a method of one of the official client's classes that is not
        bound, such as ``CoreV1Api.list_node``, and is then bound to the application's client; or
        a function without arguments that gives a list function, called in the process that uses
        it.
    :param args: for the list function.
    :param options: keyword arguments for `Reflector`, and the list function's among them.
    :raises TypeError: for a source that cannot be called.
    """

    name: str
    source: Any
    args: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # A resource of the dynamic client cannot be called itself.
        if not callable(self.source) and not callable(getattr(self.source, "get", None)):
            raise TypeError(f"{self.name}: needs a list function, or a function that gives one, "
                            f"not {self.source!r}")

    @property
    def is_factory(self) -> bool:
        """Whether the source gives a list function, and is none."""
        inner = self._inner
        return (inspect.isfunction(inner) or inspect.isclass(inner)) and not self._is_unbound

    @property
    def _inner(self) -> Any:
        inner = self.source
        while isinstance(inner, functools.partial):
            inner = inner.func
        return inner

    @property
    def _is_unbound(self) -> bool:
        inner = self._inner
        return inspect.isfunction(inner) and bool(_API_MODULE.fullmatch(inner.__module__ or ""))

    def list_func(self, api_client: NewClient) -> Any:
        """Return the list function.

        :param api_client: gives the client to bind a method to.
        """
        if self._is_unbound:
            return _bound(self.source, api_client)
        return self.source() if self.is_factory else self.source

    def reflector(self, api_client: NewClient, new_client: NewClient) -> Reflector[Any]:
        """Make the reflector; asks no server.

        :param api_client: gives the client to bind a method to.
        :param new_client: gives a client with fresh credentials.
        :raises TypeError, ValueError: for arguments that `Reflector` refuses.
        """
        options = {"name": self.name, **self.options}
        if self._is_unbound:
            options.setdefault("new_client", new_client)
        return Reflector(self.list_func(api_client), *self.args, **options)

    def check(self) -> None:
        """Check the arguments as far as they can be without a client; calls no factory.

        :raises TypeError, ValueError: for some that are missing, or that there are not.
        """
        if self.is_factory:
            return
        others = {key: value for key, value in self.options.items() if key not in _OPTIONS}
        if self.options.get("namespaces") is not None:
            others["namespace"] = ""
        try:
            ListFunction(self.list_func(_client_of_nothing), self.args, others,
                         ).check_arguments(Config())
        except (TypeError, ValueError) as error:
            raise type(error)(f"{self.name}: {error}") from error

    def writer(self) -> Writer:
        """Make a writer whose store hands out what the reflector's would; calls no factory."""
        options = {key: value for key, value in self.options.items() if key in
                   ("copies", "indexers", "model", "transform")}
        if self.is_factory:
            return Writer(**options)
        others = {key: value for key, value in self.options.items() if key not in _OPTIONS}
        lists = ListFunction(self.list_func(_client_of_nothing), self.args, others)
        if options.get("model") is None and not self.options.get("metadata_only"):
            made = lists.model
            options |= {"view": view_maker(made)} if isinstance(made, type) else {"model": made}
        return Writer(lists.resource, **options)


def _bound(source: Any, api_client: NewClient) -> Any:
    if isinstance(source, functools.partial):
        return functools.partial(_bound(source.func, api_client), *source.args, **source.keywords)
    owner = getattr(client, source.__qualname__.partition(".")[0])
    return getattr(owner(api_client()), source.__name__)


class Group:
    """The reflectors of an application, in whatever process it runs.

    Any thread may call any method.

    :param declarations: by name; more may be added to them later.
    :param new_client: makes the client that they share.
    """

    def __init__(self, declarations: Mapping[str, Declaration],
                 new_client: NewClient = default_client) -> None:
        self._declarations = declarations
        self._new_client = new_client
        self._clients: dict[str, client.ApiClient] = {}
        self._made: dict[str, Reflector[Any]] = {}
        self._instead: dict[str, Store[Any]] = {}
        workers.add(self)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._declarations))

    def __len__(self) -> int:
        return len(self._declarations)

    def _api_client(self) -> client.ApiClient:
        found = self._clients.get("")
        # Whoever comes second takes the first one's.
        return found if found is not None else self._clients.setdefault("", self._new_client())

    def reflector(self, name: str) -> Reflector[Any]:
        """Return a reflector, which need not have been started.

        :raises KeyError: for a name that was not declared.
        """
        found = self._made.get(name)
        if found is None:
            made = self._declarations[name].reflector(self._api_client, self._new_client)
            found = self._made.setdefault(name, made)
        return found

    def made(self) -> dict[str, Reflector[Any]]:
        """Return those that this process, or the one it was forked from, has used."""
        return self._made.copy()

    def replaced(self) -> set[str]:
        """Return the names of those that a test has put something in the place of."""
        return set(self._instead)

    def store(self, name: str, timeout: float | None = None) -> Store[Any]:
        """Return a store that is ready; starts the reflector with the first call.

        :param timeout: seconds to wait for the first list; None waits for as long as it takes.
        :raises KeyError: for a name that was not declared.
        :raises NotReady: if it took longer.
        :raises WriterDropped: if the reflector ended before.
        """
        instead = self._instead.get(name)
        if instead is not None:
            return instead
        reflector = self.reflector(name)
        store = reflector.store
        if not store.ready:
            reflector.start()
            store.wait_until_ready(timeout)
        return store

    def start(self) -> None:
        """Start all that were declared; returns at once."""
        for name in self:
            if name not in self._instead:
                self.reflector(name).start()

    def wait_until_ready(self, timeout: float | None = None) -> None:
        """Start all, and wait until they are ready.

        :param timeout: seconds for all together; None waits for as long as it takes.
        :raises NotReady: if it took longer.
        """
        self.start()
        end = None if timeout is None else time.monotonic() + timeout
        for name in self:
            try:
                self.store(name, None if end is None else max(0.0, end - time.monotonic()))
            except NotReady as error:
                raise NotReady(f"{name}: {error}") from error.__cause__

    def close(self, timeout: float | None = 5.0) -> None:
        """Close those that this process uses; the next use makes them anew.

        :param timeout: seconds to wait for each at most.
        """
        made, self._made = self._made, {}
        clients, self._clients = self._clients, {}
        for reflector in made.values():
            reflector.close(timeout)
        for api_client in clients.values():
            api_client.close()

    @contextlib.contextmanager
    def stored(self, objects: Mapping[str, Iterable[Any]]) -> Iterator[dict[str, Writer]]:
        """Put objects in the place of reflectors, for a test without a server.

        :param objects: mappings as on the wire, or models, by the name of the reflector.
        :return: the writers, whose ``apply_watcher_event`` changes what is there.
        :raises KeyError: for a name that was not declared.
        """
        before = self._instead
        writers = {name: self._declarations[name].writer() for name in objects}
        for name, writer in writers.items():
            _fill(writer, objects[name])
        self._instead = before | {name: one.as_reader() for name, one in writers.items()}
        try:
            yield writers
        finally:
            self._instead = before
            for writer in writers.values():
                writer.close()


def _fill(writer: Writer, objects: Iterable[Any]) -> None:
    writer.apply_watcher_event(Init())
    for one in objects:
        if not isinstance(one, Mapping):
            one = _client_of_nothing().sanitize_for_serialization(one)
        writer.apply_watcher_event(InitApply(one))
    writer.apply_watcher_event(InitDone("1"))
