"""The two caches behind one face, so that the same figures are taken of both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from kubernetes.client import ApiClient, Configuration, CoreV1Api

from tests.bench._pods import name_of
from tests.support.waiting import wait_until

#: A pod by name and namespace.
Key = tuple[str, str]


def core_api(port: int) -> CoreV1Api:
    """An official client of the canned server."""
    return CoreV1Api(ApiClient(Configuration(host=f"http://127.0.0.1:{port}")))


class Client(ABC):
    """A cache of all pods of the canned server."""

    @abstractmethod
    def start(self) -> None:
        """Begin to sync."""

    @abstractmethod
    def wait_ready(self) -> None:
        """Return when everything can be read."""

    @abstractmethod
    def version(self, index: int) -> str:
        """The resource version of the cached pod with this index."""

    @abstractmethod
    def applied(self) -> int:
        """The resource version of the last event that can be read."""

    @abstractmethod
    def reader(self, keys: Sequence[Key]) -> Callable[[], Any]:
        """A function that gets each of these pods once, as directly as a user would."""

    @abstractmethod
    def everything(self) -> Sequence[Any]:
        """All pods, by the public call for it."""

    @abstractmethod
    def follow(self, told: Callable[[Any], None]) -> None:
        """Let a function be called with the pod of each event, as a controller has."""


class Official(Client):
    """kubernetes.informer.SharedInformer."""

    def __init__(self, port: int) -> None:
        from kubernetes.informer import SharedInformer

        self._informer = SharedInformer(core_api(port).list_pod_for_all_namespaces)

    def start(self) -> None:
        self._informer.start()

    def wait_ready(self) -> None:
        # It has no way to wait, so its user polls; the list appears at once as a whole.
        wait_until(self._informer.cache.list_keys, "the list", deadline=600)

    def version(self, index: int) -> str:
        name, namespace = name_of(index)
        pod = self._informer.cache.get_by_key(f"{namespace}/{name}")
        return str(pod.metadata.resource_version)

    def applied(self) -> int:
        return max(int(pod.metadata.resource_version) for pod in self._informer.cache.list())

    def reader(self, keys: Sequence[Key]) -> Callable[[], Any]:
        get = self._informer.cache.get_by_key
        paths = [f"{namespace}/{name}" for name, namespace in keys]

        def read() -> None:
            for path in paths:
                get(path)

        return read

    def everything(self) -> Sequence[Any]:
        pods: list[Any] = self._informer.cache.list()
        return pods

    def follow(self, told: Callable[[Any], None]) -> None:
        for event in ("ADDED", "MODIFIED"):
            self._informer.add_event_handler(event, told)


class Ours(Client):
    """kube_reflect.Reflector, with its defaults unless told otherwise.

    :param listing: list and watch, rather than a streaming list.
    :param options: further arguments of Reflector.
    """

    def __init__(self, port: int, *, listing: bool = False, **options: Any) -> None:
        from kube_reflect import Config, InitialListStrategy, Reflector

        strategy = InitialListStrategy.LIST_WATCH if listing else InitialListStrategy.AUTO
        self._reflector = Reflector(core_api(port).list_pod_for_all_namespaces,
                                    config=Config(initial_list_strategy=strategy), **options)
        self.store = self._reflector.store

    def start(self) -> None:
        self._reflector.start()

    def wait_ready(self) -> None:
        self.store.wait_until_ready(timeout=600)

    def version(self, index: int) -> str:
        name, namespace = name_of(index)
        pod = self.store.get(name, namespace)
        assert pod is not None
        metadata = pod["metadata"] if isinstance(pod, dict) else pod.metadata
        return str(metadata["resourceVersion"] if isinstance(metadata, dict)
                   else metadata.resource_version)

    def applied(self) -> int:
        return int(self.store.resource_version or 0)

    def reader(self, keys: Sequence[Key]) -> Callable[[], Any]:
        get = self.store.get

        def read() -> None:
            for name, namespace in keys:
                get(name, namespace)

        return read

    def everything(self) -> Sequence[Any]:
        pods: list[Any] = self.store.state()
        return pods

    def follow(self, told: Callable[[Any], None]) -> None:
        self._reflector.add_handler(on_update=lambda old, new: told(new))
