"""The settings, and the stores that are made of them.

``KUBE_REFLECT`` is a dict; functions in it are given as such or as dotted paths:

``STORES``
    by name, what each store is of: a list function, or a dict with

    ``LIST``
        a list function; a method of a class of the client's, such as
        ``"kubernetes.client.CoreV1Api.list_node"``, for the client below; or a function without
        arguments that gives a list function, called in the process that uses it.
    ``ARGS``
        a list of arguments for it.
    ``OPTIONS``
        keyword arguments for `kube_reflect.Reflector`.
``CLIENT``
    a function that makes the `kubernetes.client.ApiClient`. None: as
    ``kubernetes.config.load_config`` finds it.
``WAIT``
    seconds for which ``stores[name]`` waits for the first list. 10.
``RETRY_AFTER``
    seconds after which the 503 of the middleware says to come again. 5.
``MAX_STALENESS``
    seconds without contact with the API server after which ``readyz`` turns red. None: never.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from kube_reflect.contrib import workers
from kube_reflect.contrib.declared import Declaration, Group, default_client
from kube_reflect.store import Store

__all__ = ["Stores", "declarations", "setting", "stores"]

DEFAULTS: dict[str, Any] = {
    "STORES": {}, "CLIENT": None, "WAIT": 10.0, "RETRY_AFTER": 5, "MAX_STALENESS": None,
}
_STORE = {"LIST", "ARGS", "OPTIONS"}
#: Options that are functions, and so may be dotted paths.
_FUNCTIONS = {"model", "transform", "new_client", "backoff"}


def _check_keys(found: Any, known: set[str], what: str) -> None:
    if not isinstance(found, Mapping):
        raise ImproperlyConfigured(f"{what} must be a dict, not {found!r}")
    unknown = ", ".join(sorted(map(str, set(found) - known)))
    if unknown:
        raise ImproperlyConfigured(f"{what} has no {unknown}; it has {', '.join(sorted(known))}")


def setting(name: str) -> Any:
    """Return a setting, or its default.

    :raises ImproperlyConfigured: if there are settings that are not known.
    """
    found = getattr(settings, "KUBE_REFLECT", {})
    _check_keys(found, set(DEFAULTS), "KUBE_REFLECT")
    return found.get(name, DEFAULTS[name])


def _function(value: Any, what: str) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return pkgutil.resolve_name(value)
    except (ImportError, AttributeError, ValueError) as error:
        raise ImproperlyConfigured(f"{what} cannot be imported: {error}") from error


def _declaration(name: str, given: Any) -> Declaration:
    what = f"KUBE_REFLECT['STORES'][{name!r}]"
    if not isinstance(given, Mapping):
        given = {"LIST": given}
    _check_keys(given, _STORE, what)
    if "LIST" not in given:
        raise ImproperlyConfigured(f"{what} needs LIST, a list function")
    options = {key: _function(value, f"{what}['OPTIONS'][{key!r}]") if key in _FUNCTIONS else value
               for key, value in dict(given.get("OPTIONS", {})).items()}
    if options.get("indexers"):
        options["indexers"] = {key: _function(value, f"{what}: the index {key!r}")
                               for key, value in options["indexers"].items()}
    source = _function(given["LIST"], f"{what}['LIST']")
    try:
        return Declaration(name, source, tuple(given.get("ARGS", ())), options)
    except TypeError as error:
        raise ImproperlyConfigured(f"{what}: {error}") from error


def declarations() -> dict[str, Declaration]:
    """Return what the settings declare, by name; imports it, and calls nothing of it.

    :raises ImproperlyConfigured: for settings that are wrong.
    """
    found = setting("STORES")
    if not isinstance(found, Mapping):
        raise ImproperlyConfigured(f"KUBE_REFLECT['STORES'] must be a dict, not {found!r}")
    return {name: _declaration(name, given) for name, given in found.items()}


def _new_client() -> Any:
    return (_function(setting("CLIENT"), "KUBE_REFLECT['CLIENT']") or default_client)()


class Stores(Mapping[str, Store[Any]]):
    """The stores of this process, by name; `stores` is the one instance.

    Any thread may use it.
    """

    def __init__(self) -> None:
        self._groups: dict[str, Group] = {}
        workers.add(self)

    @property
    def group(self) -> Group:
        """The reflectors behind the stores.

        :raises ImproperlyConfigured: for settings that are wrong.
        """
        found = self._groups.get("")
        return found if found is not None else self._groups.setdefault(
            "", Group(declarations(), _new_client))

    def __getitem__(self, name: str) -> Store[Any]:
        """Return a store that is ready; the first use in a process starts its reflector.

        :raises KeyError: for a name that is not in the settings.
        :raises NotReady: if it was not ready after ``WAIT`` seconds; the middleware answers 503.
        """
        return self.group.store(name, setting("WAIT"))

    def __iter__(self) -> Iterator[str]:
        return iter(self.group)

    def __len__(self) -> int:
        return len(self.group)

    def __contains__(self, name: object) -> bool:
        return name in list(self.group)

    # As an object that is found by what it is, not by its stores.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def start(self) -> None:
        """Start all; returns at once."""
        self.group.start()

    def wait_until_ready(self, timeout: float | None = None) -> None:
        """Start all, and wait until they are ready.

        :param timeout: seconds for all together; None waits for as long as it takes.
        :raises NotReady: if it took longer.
        """
        self.group.wait_until_ready(timeout)

    def close(self) -> None:
        """Close all; the next use starts anew, from the settings as they then are."""
        groups, self._groups = self._groups, {}
        for group in groups.values():
            group.close()


stores = Stores()


def forget(*, setting: str, **_: Any) -> None:
    """Forget a setting that a test has changed."""
    if setting == "KUBE_REFLECT":
        stores.close()
