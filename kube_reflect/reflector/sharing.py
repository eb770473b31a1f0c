"""One watch for many: programs whose modules do not know of each other."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar, overload

from kube_reflect.client import ListFunction
from kube_reflect.config import Config
from kube_reflect.dispatcher import Handler, Subscription
from kube_reflect.ground.describe import no_value
from kube_reflect.ground.forgotten import when_forgotten
from kube_reflect.ground.locks import Deadline, new_lock, wait_until_free
from kube_reflect.reflector.reflector import CustomObjects, ListOf, Reflector
from kube_reflect.reflector.watchers import (
    checked_config, checked_indexers, checked_namespaces,
)
from kube_reflect.status import Status
from kube_reflect.store import Store

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from kube_reflect.reflector.arguments import Arguments

__all__ = ["Shared", "shared"]

K = TypeVar("K")
M = TypeVar("M")


class _Users(NamedTuple):
    """A reflector, and who uses it: a token for each."""

    reflector: Reflector[Any]
    # Not a set: no exception comes right after `del`, as it may after a call of its `remove`.
    tokens: dict[object, None]


class _Registry:
    """The shared reflectors of this process, by what they watch.

    Every call may be repeated, as one who was interrupted in the middle of it does.
    """

    def __init__(self) -> None:
        # Guards the dict, and the tokens in it.
        self._lock = new_lock()
        self._users: dict[Any, _Users] = {}

    def use(self, key: Any, token: object, make: Callable[[], Reflector[Any]]) -> Reflector[Any]:
        """Return the reflector of a key, which runs at least until the token is released."""
        with self._lock:
            users = self._users.get(key)
            if users is None:
                users = self._users[key] = _Users(make(), {})
            users.tokens[token] = None
        return users.reflector.start()

    def release(self, key: Any, token: object) -> Reflector[Any] | None:
        """Remove a token; return the reflector if that was the last one."""
        with self._lock:
            users = self._users.get(key)
            if users is None or token not in users.tokens:
                return None
            del users.tokens[token]
            if users.tokens:
                return None
            del self._users[key]
            return users.reflector

    def is_free(self, deadline: Deadline) -> bool:
        """Return whether, by a deadline, no other thread is in here."""
        return wait_until_free(deadline, self._lock)

    def is_used(self, key: Any, reflector: Reflector[Any]) -> bool:
        """Return whether anybody uses a reflector."""
        users = self._users.get(key)
        return users is not None and users.reflector is reflector


_registry = _Registry()


class Shared(Generic[K]):
    """One user's handle on a shared reflector; closing the last of them closes it.

    Made by `shared`. All methods may be called from any thread.
    """

    __reduce_ex__ = no_value("it is a handle on a reflector of this process")

    def __init__(self, key: Any, make: Callable[[], Reflector[K]]) -> None:
        self._key = key
        self._token = object()
        # Before there is anything to release, so that no interrupt leaves a reflector running.
        self._keep = when_forgotten(self, functools.partial(_forget, key, self._token))
        self._reflector: Reflector[K] = _registry.use(key, self._token, make)
        #: The name of the reflector, which its first user gave it.
        self.name = self._reflector.name
        #: The cache that all users read.
        self.store: Store[K] = self._reflector.store

    @property
    def status(self) -> Status:
        """How the reflector is at this moment."""
        return self._reflector.status

    def subscribe(self, *, buffer_size: int = 1024,
                  overflow: str = "coalesce") -> Subscription[K]:
        """Return a subscription; see `Reflector.subscribe`."""
        return self._reflector.subscribe(buffer_size=buffer_size, overflow=overflow)

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
        """Call callbacks for each change; see `Reflector.add_handler`."""
        return self._reflector.add_handler(on_add, on_update, on_delete, on_resync,
                                           buffer_size=buffer_size, overflow=overflow)

    def close(self, timeout: float | None = 5.0) -> None:
        """End this use; the last one closes the reflector. Any number of times.

        If another thread is stuck in `shared` for all the time that there is, nothing is done: call
        it again, or let go of the handle.

        :param timeout: seconds to wait for its thread at most.
        """
        deadline = Deadline(timeout)
        if not _registry.is_free(deadline):
            return
        _registry.release(self._key, self._token)
        if not _registry.is_used(self._key, self._reflector):
            # Not only for the one who released the last token: that call may have been interrupted.
            self._reflector.close(deadline.left())
        self._keep()

    def __enter__(self) -> Shared[K]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _forget(key: Any, token: object) -> None:
    reflector = _registry.release(key, token)
    if reflector is not None:
        reflector.abandon()


@overload
def shared(list_func: Callable[..., object], *args: Any, model: None = None,
           metadata_only: Literal[True], **kwargs: Unpack[Arguments]) -> Shared[dict[str, Any]]: ...


@overload
def shared(list_func: Callable[..., object], *args: Any, model: Callable[[dict[str, Any]], M],
           metadata_only: bool = ..., **kwargs: Unpack[Arguments]) -> Shared[M]: ...


@overload
def shared(list_func: Callable[..., ListOf[K]], *args: Any, model: None = None,
           metadata_only: Literal[False] = False, **kwargs: Unpack[Arguments]) -> Shared[K]: ...


@overload
def shared(list_func: CustomObjects, *args: Any, model: None = None,
           metadata_only: Literal[False] = False,
           **kwargs: Unpack[Arguments]) -> Shared[dict[str, Any]]: ...


def shared(list_func: Any, *args: Any, config: Config | None = None, **kwargs: Any) -> Any:
    """Use the reflector of this process that watches the same, or start one.

    The same is: the same client, resource, scope, selectors and options (functions among them,
    such as ``transform``, by identity). Each call gives a handle of its own, to be closed; the
    reflector is closed with the last of them. It takes what `Reflector` takes.

    :raises TypeError: for arguments that cannot be compared, such as a list, and as `Reflector`
        does.
    """
    config = checked_config(config)
    options = {name: kwargs.pop(name) for name in _OPTIONS if name in kwargs}
    given, namespaces = kwargs, options.get("namespaces")
    if namespaces is not None:
        # Once and in order, for it is looked at twice.
        options["namespaces"] = tuple(sorted(checked_namespaces(namespaces)))
        given = {**kwargs, "namespace": ""}
    identity = ListFunction(list_func, args, given).identity
    indexers = checked_indexers(options.get("indexers"))
    compared = {**options, "indexers": tuple(sorted(indexers.items())) if indexers else None}
    # The first user names it.
    compared.pop("name", None)
    key = identity, config, tuple(sorted(compared.items()))
    return Shared(key, lambda: Reflector(list_func, *args, config=config, **options, **kwargs))


#: What is the reflector's own, and no argument of the list function.
_OPTIONS = tuple(name for name, parameter in inspect.signature(Reflector).parameters.items()
                 if parameter.kind is parameter.KEYWORD_ONLY and name != "config")
