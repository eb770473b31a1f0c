"""The public Writer, for whoever has a stream of events and no Reflector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kube_reflect.events import Event
from kube_reflect.ground.describe import no_value
from kube_reflect.ground.forgotten import when_forgotten
from kube_reflect.indexers import IndexFunction
from kube_reflect.object_ref import ApiResource
from kube_reflect.store.cache import Cache
from kube_reflect.store.options import StoreOptions
from kube_reflect.store.store import Store
from kube_reflect.store.writing import NamespaceWriter
from kube_reflect.transforms import Transform

__all__ = ["Writer"]


class Writer:
    """Applies a watcher's events to a cache, of which it hands out readers.

    A list is buffered from Init to InitDone, and swapped in whole; changes are applied one by
    one. It feeds from one stream, in one thread; its readers may be in any. An exception that
    interrupts it at any moment (Ctrl-C, a time limit) leaves the cache as it was before the event,
    or as it is after it.

    :param resource: the kind of object; else the first object tells.
    :param model: this and all that follow are documented by `StoreOptions`, and checked as there.
    """

    __reduce_ex__ = no_value("it has a cache of this process")

    def __init__(
        self,
        resource: ApiResource | None = None,
        *,
        model: Callable[[dict[str, Any]], Any] | None = None,
        view: Callable[[Any], Any] | None = None,
        transform: Transform | None = None,
        indexers: Mapping[str, IndexFunction] | None = None,
        copies: bool = False,
        detect_mutations: bool | None = None,
        when_not_ready: str = "empty",
        ready_timeout: float = 30.0,
        decoded_limit: int = 10_000,
    ) -> None:
        if resource is not None and not isinstance(resource, ApiResource):
            raise TypeError(f"resource must be an ApiResource: {resource!r}")
        self._cache = Cache(resource, StoreOptions(
            model=model, view=view, transform=transform, indexers=dict(indexers or {}),
            copies=copies, detect_mutations=detect_mutations, when_not_ready=when_not_ready,
            ready_timeout=ready_timeout, decoded_limit=decoded_limit))
        self._writer = NamespaceWriter(self._cache)
        self._claimed = False
        # Readers hear of it when their writer is simply forgotten, too.
        self._keep = when_forgotten(self, self._cache.end)

    def as_reader(self) -> Store[Any]:
        """Return a handle for readers; any number of times, from any thread."""
        return Store(self._cache)

    def apply_watcher_event(self, event: Event) -> None:
        """Apply one event; from the writer's thread.

        Costs some 20 us for an object the size of a pod with [fast], most of it for packing.

        :raises TypeError: for what is no event.
        """
        self._writer.apply(event)

    def subscribe(self, *, buffer_size: int = 1024, overflow: str = "coalesce") -> Any:
        """Return a subscription: all that is there, and then each change; see `Subscription`.

        :param buffer_size: pending changes at which the subscriber counts as slow.
        :param overflow: what then happens: ``coalesce``, ``block`` or ``resync``.
        :raises ValueError: for a buffer size below 1, or an unknown overflow.
        """
        return self._cache.subscriptions(self._cache, self.as_reader(),
                                         buffer_size=buffer_size, overflow=overflow)

    def add_index(self, name: str, function: IndexFunction) -> None:
        """Add an index over what is there and what will come; from any thread.

        It can be read as soon as this returns, and agrees with the objects from then on. Costs a
        call of the function, and some 50 us, for each object.

        :param name: of the index.
        :param function: gives, for a mapping, the values under which to find the object. It is
            called without a lock; where it raises, the object has no values in this index.
        :raises ValueError: if there is an index of that name.
        :raises TypeError: for what cannot be called.
        """
        self._cache.add_index(name, function)

    def failed(self, error: Exception) -> None:
        """Note an error of the stream, for those who wait for the first list."""
        self._cache.failed(error)  # type: ignore[arg-type]

    def claim(self) -> None:
        """Feed from one stream only.

        :raises ValueError: if there is another.
        """
        if self._claimed:
            raise ValueError("this Writer feeds a reflector already; make another Writer")
        self._claimed = True

    def close(self, reason: BaseException | None = None) -> None:
        """End the writer; its readers keep the last state. From any thread, any number of times.

        :param reason: why, for those who wait.
        """
        # A subscriber that has the writer's thread wait would have this one wait too.
        self._cache.unblock()
        if not self._writer.busy:
            self._writer.settle()
        self._cache.end(reason)
        self._keep()
