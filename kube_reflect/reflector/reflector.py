"""The public face of a reflector: what one makes, starts, reads, and closes."""

from __future__ import annotations

import functools
import itertools
import sys
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar, Union, overload

from kube_reflect.backoff import Backoff
from kube_reflect.client import view_maker
from kube_reflect.config import Config
from kube_reflect.dispatcher import Handler, Subscription
from kube_reflect.ground.describe import no_value
from kube_reflect.indexers import IndexFunction
from kube_reflect.reflector.described import described
from kube_reflect.reflector.engine import Engine
from kube_reflect.reflector.namespaces import Namespaces
from kube_reflect.reflector.warm_start import WarmFile, WarmStartOption, checked_warm_start
from kube_reflect.reflector.watchers import (
    WatcherFactory, backoff_factory, checked_config, checked_indexers, checked_namespaces,
)
from kube_reflect.status import Status
from kube_reflect.store import Cache, Store, StoreOptions
from kube_reflect.transforms import Transform

if TYPE_CHECKING:
    # Of Python itself from 3.11 on. Type checkers have it, and nobody else looks.
    from typing_extensions import Unpack

    from kube_reflect.reflector.arguments import Arguments

__all__ = ["CustomObjects", "ListOf", "Reflector"]

K = TypeVar("K")
M = TypeVar("M")

_numbers = itertools.count(1)


class ListOf(Protocol[K]):
    """What a list function returns: a V1PodList, say, for K a V1Pod."""

    items: list[K]


class _InNamespace(Protocol):
    def __call__(self, group: str, version: str, namespace: str, plural: str) -> object: ...


class _InCluster(Protocol):
    def __call__(self, group: str, version: str, plural: str) -> object: ...


class _InAllNamespaces(Protocol):
    def __call__(self, group: str, version: str, resource_plural: str) -> object: ...


#: The list methods of `CustomObjectsApi`, whose annotations do not say what they return, and
#: partials of them.
CustomObjects = Union[_InNamespace, _InCluster, _InAllNamespaces, "functools.partial[object]"]


class Reflector(Generic[K]):
    """A background thread that keeps a `Store` in step with the API server.

    Nothing starts before `start`; `with` starts and closes. All methods may be called from any
    thread. The reflector runs until it is closed, or neither it nor its store is referenced any
    more.

    Type checkers infer K from the list function: ``Reflector(v1.list_namespaced_pod, "shop")`` is
    a ``Reflector[V1Pod]``. Before version 37 of the client its methods have no annotations: write
    ``pods: Reflector[V1Pod] = …``.

    :param list_func: what one gives the official `Watch`; see `Watcher`.
    :param args: for the list function.
    :param config: selectors, timeouts and strategy.
    :param model: makes a K of a mapping. By default K is what the list function returns: a V1Pod
        for ``list_namespaced_pod``, decoded where it is read; a dict for custom objects. ``dict``
        leaves the mapping, and ``V1Pod.from_dict``, where the client has it, decodes all at once.
    :param transform: changes each mapping before it is stored; see `StoreOptions`.
    :param indexers: functions of the mapping, by the name of the index; see `StoreOptions`.
    :param copies: give each read a K of its own.
    :param detect_mutations: find readers who change what they share; see `StoreOptions`.
    :param metadata_only: ask only for the metadata. A mapping is then a PartialObjectMetadata
        (apiVersion and kind say so) with metadata; K is that, as a dict, or what ``model`` makes
        of it. Refs have the kind that the list function tells, which typed methods and resources
        of the dynamic client do, and `CustomObjectsApi` does not; else they have none.
    :param new_client: called after a 401, or when TLS has failed, before the next request, by the
        reflector's thread: gives an ApiClient to go on with, such as
        ``kubernetes.config.new_client_from_config`` does. Without it, the client's own ways to
        fresh credentials are all there is.
    :param namespaces: watch each of these by itself, into one store; the list function takes a
        ``namespace``. The store and `Status.ready` are ready once all have been listed, and
        `Status.live` while all are kept up; phase and last error are those of the one that is
        worst off; `Status.namespaces` has readiness and errors of each. Where the thread of one
        dies the others go on, but all subscriptions end: a subscriber is not to miss a namespace
        unawares.
    :param backoff: how long to wait after failures; with ``namespaces``, a function that makes
        one for each.
    :param name: for the threads and the log.
    :param when_not_ready: what a read does before the first complete list: ``wait`` for it, as it
        is by default, at most `ready_timeout` seconds, ``raise`` NotReady, or ``empty``: answer
        that there is nothing; see `StoreOptions`.
    :param ready_timeout: seconds that such a read waits at most.
    :param decoded_limit: objects that stay decoded; see `StoreOptions`.
    :param warm_start: the path of a file, or a `WarmStart`: the objects are written there on
        `close`, and now and then before, and a later process reads them at its `start`. They can
        be read from then on; the store is ready when the server has confirmed them: by an event or
        a bookmark of a watch from where they are, or by its end (after a second, where nothing
        has changed), or by a list if it does not go on from there. A file that is damaged, or of
        something else, is passed over, with a line in the log.
    :param kwargs: for the list function. Type checkers know what those of the official client take,
        so that a misspelt name is an error; what only a function of your own takes, a
        `functools.partial` gives it.
    :raises TypeError: for what is no list function, or lacks arguments.
    :raises ValueError: for arguments that the watcher sets by itself, a `Backoff` that several
        namespaces would share, or a warm start that has no directory, or is of Secrets and was not
        told so.
    """

    __reduce_ex__ = no_value("it has threads of this process")

    @overload
    def __init__(self: Reflector[dict[str, Any]], list_func: Callable[..., object], *args: Any,
                 model: None = None, metadata_only: Literal[True],
                 **kwargs: Unpack[Arguments]) -> None: ...

    @overload
    def __init__(self: Reflector[M], list_func: Callable[..., object], *args: Any,
                 model: Callable[[dict[str, Any]], M], metadata_only: bool = ...,
                 **kwargs: Unpack[Arguments]) -> None: ...

    @overload
    def __init__(self: Reflector[K], list_func: Callable[..., ListOf[K]], *args: Any,
                 model: None = None, metadata_only: Literal[False] = False,
                 **kwargs: Unpack[Arguments]) -> None: ...

    @overload
    def __init__(self: Reflector[dict[str, Any]], list_func: CustomObjects, *args: Any,
                 model: None = None, metadata_only: Literal[False] = False,
                 **kwargs: Unpack[Arguments]) -> None: ...

    def __init__(
        self,
        list_func: Any,
        *args: Any,
        config: Config | None = None,
        model: Callable[[dict[str, Any]], Any] | None = None,
        transform: Transform | None = None,
        indexers: Mapping[str, IndexFunction] | None = None,
        copies: bool = False,
        detect_mutations: bool | None = None,
        metadata_only: bool = False,
        new_client: Callable[[], Any] | None = None,
        namespaces: Iterable[str] | None = None,
        backoff: Backoff | Callable[[], Backoff] | None = None,
        name: str | None = None,
        when_not_ready: str = "wait",
        ready_timeout: float = 30.0,
        decoded_limit: int = 10_000,
        warm_start: WarmStartOption = None,
        **kwargs: Any,
    ) -> None:
        if name is not None and not isinstance(name, str):
            raise TypeError(f"name must be a string or None: {name!r}")
        #: The name of the reflector, as in the names of its threads.
        self.name = name = name if name is not None else f"reflector-{next(_numbers)}"
        self._several = several = namespaces is not None
        names = [None] if namespaces is None else checked_namespaces(namespaces)
        watchers = WatcherFactory(
            list_func, args, kwargs, checked_config(config), metadata_only=metadata_only,
            several=several, new_client=new_client)
        model, view = _reading(watchers, model, metadata_only)
        # Objects that are their metadata alone do not say of which kind they are.
        kind = watchers.function.resource if metadata_only else None
        cache = Cache(kind, StoreOptions(
            max_objects=watchers.config.max_objects, model=model, view=view, transform=transform,
            indexers=checked_indexers(indexers), ready_timeout=ready_timeout,
            decoded_limit=decoded_limit, copies=copies, detect_mutations=detect_mutations,
            when_not_ready=when_not_ready))
        file = None if warm_start is None else WarmFile(
            checked_warm_start(warm_start, watchers.function.resource), cache,
            lambda: {**watchers.what, "transform": described(transform)}, name)
        self._namespaces = Namespaces(cache, name, watchers, backoff_factory(backoff, several),
                                      file)
        for namespace in names:
            self._namespaces.add(namespace)
        what = None if watchers.identity is None else (
            watchers.identity, watchers.config, metadata_only, tuple(names), *_calling_line())
        self._engine = Engine(name, cache, self._namespaces, what)
        self._store: Store[K] = Store(cache, self._engine)

    def __repr__(self) -> str:
        return f"<Reflector {self.name} {self.status.phase.value}>"

    @property
    def store(self) -> Store[K]:
        """The cache, to be read; it keeps the reflector going, too."""
        return self._store

    def after_fork(self) -> None:
        """Note that this is a child process, where the thread is gone.

        The next use starts it. Python's own forks tell by themselves. It is for servers that fork
        in another way, such as uWSGI: call it in its ``postfork`` hook.
        """
        self._engine.after_fork()

    def start(self) -> Reflector[K]:
        """Start the thread, if it is not running; return self, at once.

        After a `close` the store is ready again when this start's own list is complete; what was
        there may be read meanwhile.
        """
        self._engine.start()
        return self

    def close(self, timeout: float | None = 5.0) -> None:
        """Stop the thread, and wait for its end; its readers keep the last state.

        It may be called in any state, any number of times, and from a callback on a thread of
        the reflector, which then does not wait for itself. `start` begins anew.

        :param timeout: seconds to wait at most; None waits for as long as it takes.
        """
        self._engine.close(timeout)

    def abandon(self) -> None:
        """Stop the thread without waiting for its end; in a ``__del__``, say."""
        self._engine.abandon()

    def __enter__(self) -> Reflector[K]:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def add_namespace(self, namespace: str) -> None:
        """Watch another namespace; the store is not ready again until that is listed too.

        :raises ValueError: if the reflector was not made with ``namespaces``, or has this one.
        """
        [checked] = checked_namespaces([namespace])
        self._check_several()
        self._engine.add_namespace(checked)

    def remove_namespace(self, namespace: str, timeout: float | None = 5.0) -> None:
        """Watch a namespace no more, and take its objects out of the store.

        Subscribers hear of them as deleted, for the reason `Reason.UNWATCHED`: they live on. The
        store is ready if all others have been listed.

        :param timeout: seconds to wait for the thread at most.
        :raises ValueError: if the reflector does not watch it.
        :raises TimeoutError: if another thread keeps the reflector or its store locked.
        """
        self._check_several()
        self._engine.remove_namespace(namespace, timeout)

    def _check_several(self) -> None:
        if not self._several:
            raise ValueError("the reflector was made for one list; give it namespaces=[…]")

    def subscribe(self, *, buffer_size: int = 1024,
                  overflow: str = "coalesce") -> Subscription[K]:
        """Return a subscription: all that is there, and then each change; see `Subscription`.

        It may be called at any time, before `start` too. A subscription ends with `close`.

        :param buffer_size: pending changes at which the subscriber counts as slow.
        :param overflow: what then happens: ``coalesce``, ``block`` or ``resync``.
        :raises ValueError: for a buffer size below 1, or an unknown overflow.
        """
        return Subscription(self._engine.cache, self.store, buffer_size=buffer_size,
                            overflow=overflow)

    def add_handler(
        self,
        on_add: Callable[[K], object] | None = None,
        on_update: Callable[[K, K], object] | None = None,
        on_delete: Callable[..., object] | None = None,
        on_resync: Callable[[], object] | None = None,
        *,
        buffer_size: int = 1024,
        overflow: str = "coalesce",
    ) -> Handler[K]:
        """Call callbacks for each change, on a thread of their own.

        It begins with ``on_add`` for all that is there, also when it is added late. After another
        `start` it goes on with what has changed meanwhile. A slow callback does not hold up the
        cache. A reflector that has been started runs on for its handlers, until it is closed.

        :param on_add: given an object that was not there.
        :param on_update: given the old object and the new one.
        :param on_delete: given the last state of an object that is gone from the store; and, if it
            has a parameter ``reason``, why (see `Reason`: with ``UNWATCHED`` it lives on).
        :param on_resync: called before all objects are added anew (``overflow="resync"``).
        :raises TypeError: for what cannot be called.
        :raises ValueError: if there is nothing to call.
        """
        cache, weak = self._engine.cache, weakref.ref(self.store)

        def lasting() -> Subscription[K]:
            # A handle that keeps nothing going, where the reflector's own is gone.
            store = weak() or Store(cache)
            return Subscription(cache, store, buffer_size=buffer_size, overflow=overflow,
                                lasting=True)

        return self._engine.add_handler(lambda name, forget: Handler(
            name, on_add, on_update, on_delete, on_resync, lasting, forget))

    def add_index(self, name: str, function: IndexFunction) -> None:
        """Add an index over what is there and what will come; see `Writer.add_index`.

        :raises ValueError: if there is an index of that name.
        :raises TypeError: for what cannot be called.
        """
        self._engine.cache.add_index(name, function)

    def on_phase(self, callback: Callable[[Status], object]) -> Callable[[], None]:
        """Call a function with the status after each change of the phase.

        It is called by the reflector's thread, without a lock, so what takes long holds up the
        cache. What it raises is logged. It may close the reflector.

        :param callback: given a `Status`; of several namespaces, each tells of its own changes.
        :return: a function that ends it; from any thread.
        :raises TypeError: for what cannot be called.
        """
        if not callable(callback):
            raise TypeError(f"callback must be a function of a Status: {callback!r}")
        weak = weakref.ref(self._namespaces)

        def notify() -> None:
            namespaces = weak()
            if namespaces is not None:
                callback(namespaces.status())

        return self._namespaces.on_phase(notify)

    @property
    def status(self) -> Status:
        """How it is at this moment; some microseconds. It waits for nothing that anybody holds."""
        self._engine.cache.touch()
        return self._namespaces.status()


def _reading(watchers: WatcherFactory, model: Any, metadata_only: bool) -> tuple[Any, Any]:
    """Return the model and the view by which objects are read; one of them is None."""
    if model is not None or metadata_only:
        return model, None
    listed = watchers.function.model
    return (None, view_maker(listed)) if isinstance(listed, type) else (listed, None)


def _calling_line() -> tuple[str, int]:
    """Return which line outside of the library is being run."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(
            "kube_reflect."):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno
