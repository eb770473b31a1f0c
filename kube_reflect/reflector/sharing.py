"""One watch for many: programs whose modules do not know of each other."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any

from kube_reflect import _locks
from kube_reflect.config import Config
from kube_reflect.dispatcher.subscription import Subscription
from kube_reflect.reflector.reflector import Handler, Reflector
from kube_reflect.status import Status
from kube_reflect.store.store import Store
from kube_reflect.client import ListFunction

__all__ = ["Shared", "shared"]


class _Users:
    """A reflector, and how many use it."""

    def __init__(self, reflector: Reflector) -> None:
        self.reflector = reflector
        self.count = 0


class _Registry:
    """The shared reflectors of this process, by what they watch."""

    fork_rank = 3

    def __init__(self) -> None:
        # Guards the dict and the counts. Reentrant, since a handle may be forgotten (and so
        # released) in the middle of anything.
        self._lock = threading.RLock()
        self._users: dict[Any, _Users] = {}
        _locks.register(self)

    def after_fork(self) -> None:
        self._lock = threading.RLock()

    def use(self, key: Any, make: Callable[[], Reflector]) -> Reflector:
        with self._lock:
            users = self._users.get(key)
            if users is None:
                users = self._users[key] = _Users(make())
            users.count += 1
            return users.reflector.start()

    def release(self, key: Any) -> Reflector | None:
        """Count a user down; give the reflector if that was the last one."""
        with self._lock:
            users = self._users[key]
            users.count -= 1
            if users.count:
                return None
            del self._users[key]
            return users.reflector


_registry = _Registry()


class Shared:
    """One user's handle on a shared reflector; closing the last of them closes it.

    Made by `shared`. All methods may be called from any thread.
    """

    def __init__(self, reflector: Reflector, key: Any) -> None:
        self._reflector = reflector
        self._key = key
        self._finalizer = weakref.finalize(self, _forget, key)
        # At the end of the interpreter the reflector ends by itself.
        self._finalizer.atexit = False

    @property
    def store(self) -> Store[Any]:
        """The cache that all users read."""
        return self._reflector.store

    @property
    def status(self) -> Status:
        """How the reflector is at this moment."""
        return self._reflector.status

    def subscribe(self, *, buffer_size: int = 1024,
                  overflow: str = "coalesce") -> Subscription[Any]:
        """Give a subscriber all that is there, and then each change; see `Reflector.subscribe`."""
        return self._reflector.subscribe(buffer_size=buffer_size, overflow=overflow)

    def add_handler(self, *callbacks: Any, **options: Any) -> Handler:
        """Have callbacks told of each change; see `Reflector.add_handler`."""
        return self._reflector.add_handler(*callbacks, **options)

    def close(self, timeout: float | None = 5.0) -> None:
        """Be a user no more; the last one closes the reflector. Any number of times.

        :param timeout: seconds to wait for its thread at most.
        """
        if self._finalizer.detach() is not None:
            reflector = _registry.release(self._key)
            if reflector is not None:
                reflector.close(timeout)

    def __enter__(self) -> Shared:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self.close()


def _forget(key: Any) -> None:
    reflector = _registry.release(key)
    if reflector is not None:
        # In the middle of anything, and so without waiting for the thread.
        reflector._team.close()
        reflector._writer.close()


def shared(list_func: Any, *args: Any, config: Config | None = None, **kwargs: Any) -> Shared:
    """Use the reflector of this process that watches the same, or start one.

    The same is: the same client, resource, scope, selectors and options (functions among them,
    such as ``transform``, by identity). Each call gives a handle of its own, to be closed; the
    reflector is closed with the last of them. It takes what `Reflector` takes.

    :raises TypeError: for arguments that cannot be compared, such as a list, and as `Reflector`
        does.
    """
    options = {name: kwargs.pop(name) for name in _OPTIONS if name in kwargs}
    namespaces = options.get("namespaces")
    if namespaces is not None:
        # Once and in order, for it is looked at twice.
        options["namespaces"] = tuple(sorted(set(namespaces)))
        identity = ListFunction(list_func, args, {**kwargs, "namespace": ""}).identity
    else:
        identity = ListFunction(list_func, args, kwargs).identity
    indexers = options.get("indexers")
    compared = {**options, "indexers": tuple(sorted(indexers.items())) if indexers else None}
    # The first user names it.
    compared.pop("name", None)
    key = identity, config if config is not None else Config(), tuple(sorted(compared.items()))
    reflector = _registry.use(
        key, lambda: Reflector(list_func, *args, config=config, **options, **kwargs))
    return Shared(reflector, key)


_OPTIONS = ("backoff", "copies", "compress", "detect_mutations", "indexers", "metadata_only",
            "model", "name", "namespaces", "new_client", "transform")
