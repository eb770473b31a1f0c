"""A source that follows a script, so that a Machine runs without sockets, threads or time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from kube_reflect.config import Config, InitialListStrategy
from kube_reflect.ground.objects import Object
from kube_reflect.watcher import Machine
from kube_reflect.wire import Closed, RequestError, WatchLine

from tests.support import objects

T = TypeVar("T")

LIST = Config(initial_list_strategy=InitialListStrategy.LIST_WATCH)
STREAM = Config(initial_list_strategy=InitialListStrategy.STREAMING_LIST)
AUTO = Config()


def pod(name: str, version: str = "1", **more: Any) -> dict[str, Any]:
    return objects.pod(name, version=version, **more)


def status(code: int | None = None, reason: str | None = None, **fields: Any) -> dict[str, Any]:
    found = {"code": code, "reason": reason, **fields}
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure",
            **{name: value for name, value in found.items() if value is not None}}


def refusal(code: int, reason: str | None = None, **fields: Any) -> RequestError:
    return RequestError(f"HTTP {code}", code=code, status=status(code, reason), **fields)


def line(kind: str, content: Any) -> WatchLine:
    """Return the line of a watch for a mapping."""
    return WatchLine(kind, Object.of(content))


def added(name: str, version: str = "1") -> WatchLine:
    return line("ADDED", pod(name, version))


def modified(name: str, version: str) -> WatchLine:
    return line("MODIFIED", pod(name, version))


def deleted(name: str, version: str) -> WatchLine:
    return line("DELETED", pod(name, version))


def bookmark(version: str | None, **annotations: str) -> WatchLine:
    metadata: dict[str, Any] = {} if version is None else {"resourceVersion": version}
    if annotations:
        metadata["annotations"] = annotations
    return line("BOOKMARK", {"apiVersion": "v1", "kind": "Pod", "metadata": metadata})


def list_end(version: str | None) -> WatchLine:
    return bookmark(version, **{"k8s.io/initial-events-end": "true"})


def error_line(content: dict[str, Any]) -> WatchLine:
    return line("ERROR", content)


@dataclass
class ScriptedPage:
    """A page that knows its version and token only when it has been read, as a real one."""

    items: Sequence[Any] = ()
    version: str | None = "10"
    token: str | None = None
    error: RequestError | None = None
    selector: str | None = None
    resource_version: str | None = field(default=None, init=False)
    continue_token: str | None = field(default=None, init=False)
    shard_selector: str | None = field(default=None, init=False)

    def __iter__(self) -> Iterator[Any]:
        yield from self.items
        if self.error is not None:
            raise self.error
        self.resource_version, self.continue_token = self.version, self.token
        self.shard_selector = self.selector


class ScriptedLines:
    """The lines of one watch, which ends cleanly or with an error; perhaps after a while."""

    def __init__(self, *lines: WatchLine, error: Exception | None = None,
                 served: bool = False) -> None:
        self._lines = iter(lines)
        self._error = error
        self.served = served
        self.closed = 0
        self.heard_listed = False

    def __iter__(self) -> Iterator[WatchLine]:
        return self

    def __next__(self) -> WatchLine:
        for line in self._lines:
            return line
        if self._error is not None:
            raise self._error
        raise StopIteration

    def listed(self) -> None:
        self.heard_listed = True

    def close(self) -> None:
        self.closed += 1


class List(NamedTuple):
    """A request for a page."""

    limit: int | None = None
    continue_token: str | None = None
    resource_version: str | None = None


class Wait(NamedTuple):
    """Time that passes between two polls."""

    seconds: float


class Watch(NamedTuple):
    """A request for a watch."""

    resource_version: str | None = None
    initial: bool = False
    brief: bool = False


Answer = ScriptedPage | ScriptedLines | Exception


class Script:
    """Answers one after the other; when there are no more, it is closed."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = deque(answers)
        self.requests: list[List | Watch | Wait] = []

    def page(self, *, limit: int | None, continue_token: str | None,
             resource_version: str | None) -> Any:
        self.requests.append(List(limit, continue_token, resource_version))
        return self._next(ScriptedPage)

    def lines(self, *, resource_version: str | None, initial: bool, brief: bool = False) -> Any:
        self.requests.append(Watch(resource_version, initial, brief))
        return self._next(ScriptedLines)

    def wait_to_start(self) -> None:
        """Nobody else starts."""

    def wait(self, seconds: float) -> None:
        self.requests.append(Wait(seconds))

    def close(self) -> None:
        self._answers.clear()

    def _next(self, kind: type[T]) -> T:
        if not self._answers:
            raise Closed
        answer = self._answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, kind), f"asked for {kind.__name__}, the script has {answer}"
        return answer


class Played(NamedTuple):
    """What came of a script."""

    items: list[Any]
    states: list[str]
    requests: list[List | Watch | Wait]
    machine: Machine

    @property
    def kinds(self) -> list[str]:
        return [type(item).__name__ for item in self.items]


def play(*answers: Answer, config: Config = LIST, since: str | None = None) -> Played:
    """Run a machine until its script is at its end."""
    script = Script(*answers)
    states: list[str] = []
    machine = Machine(script, config, states.append, since)
    items = list(machine.run())
    unused = len(script._answers)
    assert not unused, f"{unused} answers were not asked for; requests: {script.requests}"
    return Played(items, states, script.requests, machine)
