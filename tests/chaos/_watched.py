"""The reflectors under test, and what is measured of each."""

from __future__ import annotations

import threading
import time
from typing import Any

from kubernetes import client

from kube_reflect import Applied, Backoff, Config, Deleted, InitialListStrategy, Reflector

Key = tuple[str, str]
Versions = dict[Key, str]


def quick() -> Backoff:
    return Backoff(initial=0.2, maximum=5.0)


def key_of(obj: Any) -> Key:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]


def versions(objects: Any) -> Versions:
    return {key_of(obj): obj["metadata"]["resourceVersion"] for obj in objects}


class Watched:
    """A reflector of config maps, a subscriber of it, and the longest staleness seen.

    :param api_client: by way of the proxy.
    :param namespaces: those that the run writes to.
    """

    def __init__(self, name: str, api_client: client.ApiClient, namespaces: list[str], *,
                 app: str | None = None, several: bool = False, backoff: Any = quick,
                 **settings: Any) -> None:
        self.name = name
        self._app = app
        self._namespaces = namespaces
        v1 = client.CoreV1Api(api_client)
        reflector = {"metadata_only": settings.pop("metadata_only", False), "model": dict,
                     "backoff": backoff, "name": name, "indexers": {"app": _by_app}}
        config = Config(label_selector=",".join(filter(None, (
            "chaos=yes", f"app={app}" if app else ""))), **settings)
        self.reflector = (
            Reflector(v1.list_namespaced_config_map, namespaces=namespaces, config=config,
                      **reflector) if several else
            Reflector(v1.list_config_map_for_all_namespaces, config=config, **reflector))
        self.longest_staleness = 0.0
        self.longest_not_live = 0.0
        self._live_at = time.monotonic()
        self.told: Versions = {}
        self.violations: list[str] = []
        self._thread = threading.Thread(target=self._listen, name=f"listener-{name}", daemon=True)

    def start(self) -> None:
        self._subscription = self.reflector.subscribe()
        self.reflector.start()
        self._thread.start()

    def close(self) -> None:
        began = time.monotonic()
        self.reflector.close()
        self._thread.join(10)
        if time.monotonic() - began > 2:
            self.violations.append(f"close took {time.monotonic() - began:.1f} s")

    def _listen(self) -> None:
        for change in self._subscription:
            if isinstance(change, Applied):
                self.told[key_of(change.object)] = change.object["metadata"]["resourceVersion"]
            elif isinstance(change, Deleted):
                self.told.pop(key_of(change.object), None)
            else:
                self.told.clear()

    def sample(self) -> None:
        """Look at it, as a reader would, and take its measures."""
        status = self.reflector.status
        now = time.monotonic()
        if status.live:
            self._live_at = now
        self.longest_staleness = max(self.longest_staleness, status.staleness or 0.0)
        self.longest_not_live = max(self.longest_not_live, now - self._live_at)
        if not status.thread_alive:
            self.violations.append("the thread is dead")
        snapshot = self.reflector.store.snapshot()
        indexed = [obj for value in snapshot.index_values("app")
                   for obj in snapshot.by_index("app", value)]
        if versions(indexed) != versions(snapshot.state()):
            self.violations.append("index and objects differ")

    def difference(self, server: Versions, apps: dict[Key, str]) -> str | None:
        """Say in what the store, or what its subscriber was told, is not the server (None: it is).

        :param server: the versions of all objects.
        :param apps: the label ``app`` of each.
        """
        expected = {key: version for key, version in server.items()
                    if self._app in (None, apps[key])}
        for what, found in (("store", versions(self.reflector.store.state())),
                            ("subscriber", dict(self.told))):
            if found != expected:
                return (f"{what}: {len(found.keys() - expected.keys())} too many, "
                        f"{len(expected.keys() - found.keys())} missing, "
                        f"{sum(found[key] != expected[key] for key in found.keys() & expected)} "
                        "of another version")
        return None

    def figures(self) -> str:
        status = self.reflector.status
        return (f"{self.name:<14}{status.objects:>8}{status.events:>9}{status.relists:>9}"
                f"{status.reconnects:>12}{self.longest_staleness:>12.1f}"
                f"{self.longest_not_live:>12.1f}")


HEADINGS = (f"{'reflector':<14}{'objects':>8}{'events':>9}{'relists':>9}{'reconnects':>12}"
            f"{'stale s':>12}{'not live s':>12}")


def _by_app(obj: Any) -> list[str]:
    return [obj["metadata"]["labels"]["app"]]


def all_kinds(api_client: client.ApiClient, namespaces: list[str]) -> list[Watched]:
    """Make one of each kind."""
    list_watch = InitialListStrategy.LIST_WATCH
    return [
        Watched("list-watch", api_client, namespaces, initial_list_strategy=list_watch,
                page_size=20, idle_timeout=10),
        Watched("auto", api_client, namespaces, idle_timeout=20, backoff=None),
        Watched("selector", api_client, namespaces, app="web", idle_timeout=10),
        Watched("metadata-only", api_client, namespaces, metadata_only=True, idle_timeout=10),
        Watched("short-idle", api_client, namespaces, idle_timeout=3),
        Watched("short-watch", api_client, namespaces, timeout=8, idle_timeout=10),
        Watched("namespaces", api_client, namespaces, several=True, idle_timeout=10),
    ]
