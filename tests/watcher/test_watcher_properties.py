"""kube_reflect.watcher, whatever breaks: the store ends as the server is."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("hypothesis", reason="property tests need hypothesis, of the extra [dev]")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from kube_reflect.config import Config, InitialListStrategy, ListSemantic  # noqa: E402
from kube_reflect.errors import WatcherError  # noqa: E402
from kube_reflect.events import Apply, Bookmark, Delete, Init, InitApply, InitDone  # noqa: E402
from kube_reflect.store import Writer  # noqa: E402
from kube_reflect.streams import reflect  # noqa: E402
from kube_reflect.watcher import Machine  # noqa: E402
from kube_reflect.wire import Closed, RequestError, WatchLine  # noqa: E402

from tests.support.machine_scripts import (  # noqa: E402
    ScriptedLines, ScriptedPage, bookmark, error_line, line, list_end, pod, refusal, status,
)

CONFIGS = st.builds(Config, page_size=st.sampled_from([1, 2, 500, None]),
                    list_semantic=st.sampled_from(ListSemantic),
                    initial_list_strategy=st.sampled_from(InitialListStrategy))
CODES = [None, 400, 401, 403, 404, 410, 422, 429, 500, 503]
GARBAGE = [line("CHANGED", {}), line("ADDED", {}), error_line(status(500)),
           error_line(status(410, "Expired")), error_line({}), bookmark(None)]


class Server:
    """Tells the truth, except for faults by chance; there is an end to the faults."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.faults = self.rng.randint(0, 15)
        self.version = 1
        self.objects: dict[str, dict[str, Any]] = {}
        self.log: list[WatchLine] = []
        self.oldest = 0
        self.idle = 0
        self.tokens: dict[str, list[dict[str, Any]]] = {}

    def change(self) -> None:
        """Let the cluster live on a little, and now and then forget its history."""
        for name in self.rng.choices("abcdefg", k=self.rng.randint(0, 3)):
            self.version += 1
            old = self.objects.pop(name, None)
            if old is not None and self.rng.random() < 0.5:
                self.log.append(line("DELETED", pod(name, str(self.version))))
                continue
            self.objects[name] = pod(name, str(self.version), uid=f"{name}-{self.version}")
            self.log.append(line("MODIFIED" if old else "ADDED", self.objects[name]))
        if self.rng.random() < 0.15:
            self.oldest, self.tokens = self.version, {}

    def fault(self) -> bool:
        if not self.faults or self.rng.random() < 0.5:
            return False
        self.faults -= 1
        return True

    def begin(self) -> None:
        if self.faults:
            self.change()
            if self.fault():
                code = self.rng.choice(CODES)
                raise RequestError("refused") if code is None else refusal(code)
            return
        # Quiet for long enough that whatever must be found out is.
        self.idle += 1
        if self.idle > 12:
            raise Closed

    def page(self, *, limit: int | None, continue_token: str | None,
             resource_version: str | None) -> Any:
        self.begin()
        if continue_token is not None and continue_token not in self.tokens:
            raise refusal(410, "Expired")
        items = (self.tokens[continue_token] if continue_token is not None
                 else list(self.objects.values()))
        token = None
        if limit is not None and len(items) > limit:
            token = f"{self.version}-{len(self.tokens)}"
            self.tokens[token] = items[limit:]
            items = items[:limit]
        if self.fault():
            return ScriptedPage(items[:1], error=RequestError("cut"))
        return ScriptedPage(items, str(self.version), token)

    def lines(self, *, resource_version: str | None, initial: bool, brief: bool = False) -> Any:
        self.begin()
        found = list(self.stream(initial, int(resource_version or 0)))
        if self.fault():
            found = found[:self.rng.randint(0, len(found))]
            if self.rng.random() < 0.5:
                return ScriptedLines(*found, self.rng.choice(GARBAGE))
            return ScriptedLines(*found, error=RequestError("cut"))
        return ScriptedLines(*found)

    def stream(self, initial: bool, since: int) -> Iterator[WatchLine]:
        if initial:
            yield from (line("ADDED", one) for one in list(self.objects.values()))
            yield list_end(str(self.version))
            since = self.version
        elif since < self.oldest:
            yield error_line(status(410, "Expired"))
            return
        if self.faults:
            self.change()
        for shown in self.log:
            if int(shown.object.resource_version or 0) > since:
                yield shown

    def wait_to_start(self) -> None:
        """Nobody else starts."""

    def wait(self, seconds: float) -> None:
        """Let the cluster live on."""
        if self.faults:
            self.change()

    def close(self) -> None:
        self.faults = 0


def check_grammar(items: list[Any]) -> None:
    """Lists are whole or broken off by an error, and changes come only after a list."""
    listing = listed = False
    last = 0
    for item in items:
        match item:
            case Init():
                assert not listing
                listing = True
            case InitApply():
                assert listing
            case InitDone(version):
                assert listing and version
                listing, listed, last = False, True, int(version)
            case Apply(obj) if not obj:
                assert listed and not listing
            case Apply(obj):
                assert listed and not listing
                version = int(obj["metadata"]["resourceVersion"])
                assert version > last
                last = version
            case Bookmark(version):
                assert listed and not listing and int(version) >= last
                last = int(version)
            case Delete():
                assert listed or listing
            case _:
                assert isinstance(item, WatcherError)
                listing = False


@settings(max_examples=500)
@given(st.integers(0), CONFIGS)
def test_the_store_ends_as_the_server_is(seed: int, config: Config) -> None:
    server, writer = Server(seed), Writer()
    store = writer.as_reader()
    check_grammar(list(reflect(writer, Machine(server, config).run())))
    assert store.ready
    assert {one["metadata"]["name"]: one for one in store} == server.objects
