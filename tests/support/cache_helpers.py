"""What the tests of the writer and the store share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kube_reflect.events import Init, InitApply, InitDone
from kube_reflect.store import Store, Writer

from tests.support.waiting import DEADLINE


def feed(writer: Writer, *events: Any) -> None:
    for event in events:
        writer.apply_watcher_event(event)


def relist(writer: Writer, *objects: Any, version: str = "100") -> None:
    feed(writer, Init(), *map(InitApply, objects), InitDone(version))


def listed(*objects: Any, version: str = "100", **settings: Any) -> tuple[Writer, Store[Any]]:
    """Make a writer that has seen a list, and a reader of it."""
    writer = Writer(**settings)
    relist(writer, *objects, version=version)
    return writer, writer.as_reader()


def names(objects: Any) -> list[str]:
    """Name what was read, sorted; the namespace is left out."""
    return sorted(one["metadata"]["name"] for one in objects)


@contextmanager
def running(*bodies: Callable[[], object]) -> Iterator[list[BaseException]]:
    """Run each in a thread while the block runs; then wait for them and raise what they raised."""
    raised: list[BaseException] = []

    def guarded(body: Callable[[], object]) -> None:
        try:
            body()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=guarded, args=(body,), daemon=True) for body in bodies]
    for thread in threads:
        thread.start()
    try:
        yield raised
    finally:
        for thread in threads:
            thread.join(DEADLINE)
    assert not [thread for thread in threads if thread.is_alive()], "a thread did not end"
    if raised:
        raise raised[0]
