"""A cluster in memory, with its past, and a source of pages and lines that fails when told to."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from kube_reflect.wire import RequestError, WatchLine

from tests.support.machine_scripts import (
    ScriptedPage, bookmark, error_line, line, list_end, refusal, status,
)

#: Namespace and name.
Key = tuple[str, str]
State = dict[Key, dict[str, Any]]


class Change(NamedTuple):
    """One write."""

    version: int
    key: Key
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class Cluster:
    """Objects by namespace and name, each version of all of them, and what will go wrong.

    :param selects: whether only objects with the label ``app=web`` are asked for.
    :param streams: whether it has streaming lists.
    """

    def __init__(self, selects: bool, streams: bool) -> None:
        self.selects = selects
        self.streams = streams
        self.version = 10
        self.floor = 10
        self.objects: State = {}
        self.log: list[Change] = []
        #: All objects, by version, as far as the history goes back.
        self.past: dict[int, State] = {10: {}}
        #: What a cache of a version may hold: one state, and one more for each restored backup.
        self.views: dict[int, list[State]] = {10: [{}]}
        #: Grows when all connections are cut.
        self.cuts = 0
        self.request_faults: deque[str] = deque()
        self.line_faults: deque[tuple[int, str]] = deque()
        self._uids = 0

    def is_selected(self, obj: dict[str, Any] | None) -> bool:
        return obj is not None and (not self.selects
                                    or obj["metadata"]["labels"].get("app") == "web")

    def view(self, objects: State | None = None) -> State:
        """What a cache is to hold of these objects, or of all there are now."""
        objects = self.objects if objects is None else objects
        return {key: obj for key, obj in objects.items() if self.is_selected(obj)}

    def put(self, key: Key, app: str) -> None:
        """Create an object, or change it."""
        before = self.objects.get(key)
        if before is None:
            self._uids += 1
        uid = before["metadata"]["uid"] if before else f"uid-{self._uids}"
        namespace, name = key
        self._write(key, {"apiVersion": "v1", "kind": "Pod", "metadata": {
            "name": name, "namespace": namespace, "uid": uid, "labels": {"app": app},
            "resourceVersion": str(self.version + 1)}})

    def remove(self, key: Key) -> None:
        self._write(key, None)

    def _write(self, key: Key, after: dict[str, Any] | None) -> None:
        self.version += 1
        before = self.objects.get(key)
        self.objects = {other: obj for other, obj in self.objects.items() if other != key}
        if after is not None:
            self.objects[key] = after
        self.log.append(Change(self.version, key, before, after))
        self._remember()

    def _remember(self) -> None:
        self.past[self.version] = self.objects
        self.views.setdefault(self.version, []).append(self.view())

    def compact(self) -> None:
        """Forget the past, as etcd does; the version of the compaction is a new one."""
        self.version += 1
        self._remember()
        self._forget()

    def _forget(self) -> None:
        self.floor = self.version
        self.past = {self.version: self.objects}
        self.log.clear()

    def restart(self) -> None:
        """Cut all connections and forget the past."""
        self.cuts += 1
        self._forget()

    def restore(self, version: int) -> None:
        """Go back to a version of the past, as from a backup; another history begins there."""
        self.cuts += 1
        self.version, self.objects = version, self.past[version]
        self.past = {known: state for known, state in self.past.items() if known <= version}
        self.log = [change for change in self.log if change.version <= version]


class Page:
    """A page that is cut off where all connections are."""

    def __init__(self, cluster: Cluster, items: list[Any], version: str | None,
                 token: str | None, error: RequestError | None) -> None:
        self._cluster, self._cuts = cluster, cluster.cuts
        self._page = ScriptedPage(items, version, token, error)

    def __iter__(self) -> Iterator[Any]:
        for item in self._page:
            yield item
            if self._cuts != self._cluster.cuts:
                raise RequestError("reset")

    @property
    def resource_version(self) -> str | None:
        return self._page.resource_version

    @property
    def continue_token(self) -> str | None:
        return self._page.continue_token

    @property
    def shard_selector(self) -> str | None:
        return self._page.shard_selector


class Source:
    """Asks a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        #: How many requests may come before the machine must have something to say.
        self.patience = 0
        #: Whether the last list had a version.
        self._said = False

    def page(self, *, limit: int | None, continue_token: str | None,
             resource_version: str | None) -> Any:
        cluster = self._cluster
        fault = self._refuse()
        version, start = cluster.version, 0
        if continue_token is not None:
            version, start = map(int, continue_token.split(":"))
            if version not in cluster.past:
                raise refusal(410, "Expired")
        objects = sorted(cluster.view(cluster.past[version]).items())
        end = len(objects) if limit is None else start + limit
        items: list[Any] = [obj for _, obj in objects[start:end]]
        error = None
        if fault == "cut":
            items, error = items[:1], RequestError("reset")
        elif fault == "duplicates":
            items += items
        elif fault == "nameless":
            items.insert(0, {"metadata": {}})
        token = f"{version}:{end}" if end < len(objects) else None
        # The list is as of its first page, whatever the later ones say.
        # Once it is left out by mistake; not always, as by a server that has none.
        self._said = fault != "versionless" or not self._said
        said = str(cluster.version) if self._said else None
        return Page(cluster, items, said, token, error)

    def lines(self, *, resource_version: str | None, initial: bool, brief: bool = False) -> Any:
        cluster = self._cluster
        fault = self._refuse()
        if initial and not cluster.streams:
            raise refusal(422, "Invalid")
        if not initial and int(resource_version or 0) < cluster.floor:
            if fault == "cut":
                raise refusal(410, "Expired")
            return Lines(cluster, None, [error_line(status(410, "Expired"))])
        if initial:
            shown = [line("ADDED", obj) for obj in cluster.view().values()]
            return Lines(cluster, cluster.version, shown, initial=True)
        return Lines(cluster, int(resource_version or 0), [])

    def wait_to_start(self) -> None:
        """Nobody else starts."""

    def wait(self, seconds: float) -> None:
        pass

    def close(self) -> None:
        pass

    def _refuse(self) -> str | None:
        assert self.patience, "request upon request, and nothing comes of them"
        self.patience -= 1
        faults = self._cluster.request_faults
        fault = faults.popleft() if faults else None
        if fault == "refused":
            raise RequestError("connection refused")
        if fault is not None and fault.isdecimal():
            raise refusal(int(fault))
        return fault


class Lines:
    """A watch, which says bookmarks when it has nothing to say, and so never blocks.

    :param position: the version after which it begins; None: it shows these lines and ends.
    """

    def __init__(self, cluster: Cluster, position: int | None, first: list[WatchLine],
                 initial: bool = False) -> None:
        self._cluster = cluster
        self._position = position
        self._first = deque(first)
        self._initial = initial
        self._cuts = cluster.cuts
        self._left, self._fault = (cluster.line_faults.popleft() if cluster.line_faults
                                   else (-1, ""))

    def __iter__(self) -> Iterator[WatchLine]:
        return self

    def __next__(self) -> WatchLine:
        if self._cuts != self._cluster.cuts:
            raise RequestError("reset")
        if self._left == 0:
            self._left = -1
            return self._fail()
        self._left -= 1
        if self._first:
            return self._first.popleft()
        if self._position is None or self._position > self._cluster.version:
            raise StopIteration
        return self._following(self._position)

    def _following(self, position: int) -> WatchLine:
        cluster = self._cluster
        if position < cluster.floor:
            return error_line(status(410, "Expired"))
        for change in cluster.log:
            if change.version > position:
                self._position = change.version
                shown = self._line(change)
                if shown is not None:
                    return shown
        self._position = cluster.version
        if self._initial:
            self._initial = False
            return list_end(str(cluster.version))
        return bookmark(str(cluster.version))

    def _line(self, change: Change) -> WatchLine | None:
        had = self._cluster.is_selected(change.before)
        if self._cluster.is_selected(change.after):
            assert change.after is not None
            return line("MODIFIED" if had else "ADDED", change.after)
        if not had:
            return None
        assert change.before is not None
        metadata = {**change.before["metadata"], "resourceVersion": str(change.version)}
        return line("DELETED", {**change.before, "metadata": metadata})

    def _fail(self) -> WatchLine:
        match self._fault:
            case "end":
                raise StopIteration
            case "expired":
                return error_line(status(410, "Expired"))
            case "error":
                return error_line(status(500))
            case "blank error":
                return error_line({})
            case "unknown":
                return line("SURPRISE", {})
            case "versionless":
                return bookmark(None)
            case "behind":
                # A replica that is behind; a list is never cut from one.
                if self._initial or self._position is None:
                    raise RequestError("reset")
                return bookmark("1")
        raise RequestError("cut within a line")

    @property
    def served(self) -> bool:
        return False

    def listed(self) -> None:
        pass

    def close(self) -> None:
        pass
