"""Generator functions over a stream of events, for what happens between watcher and writer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Union

from kube_reflect.backoff import Backoff
from kube_reflect.errors import WatcherError
from kube_reflect.events import Apply, Delete, Event, InitApply, InitDone

__all__ = ["applied_objects", "backoff", "modify", "touched_objects"]

Item = Union[Event, WatcherError]
Object = Mapping[str, Any]


def backoff(stream: Iterable[Item], policy: Backoff | None = None, *,
            sleep: Callable[[float], object] = time.sleep) -> Iterator[Item]:
    """Pass everything on, and wait after each error before asking for the next item.

    :param stream: a watcher, or a stream made from one.
    :param policy: how long to wait; a `Backoff` of its own unless given.
    :param sleep: waits for a number of seconds; give one that can be interrupted.
    """
    policy = policy if policy is not None else Backoff()
    listed = False
    for item in stream:
        yield item
        if isinstance(item, InitDone):
            listed = True
        elif isinstance(item, WatcherError):
            # A list in between was a request more: a loop of list and 410 waits twice as long.
            sleep(policy.next_delay(item.retry_after, requests=2 if listed else 1))
            listed = False


def modify(stream: Iterable[Item], change: Callable[[Object], Object]) -> Iterator[Item]:
    """Pass everything on, with each object as the function returns it."""
    for item in stream:
        if isinstance(item, (InitApply, Apply, Delete)):
            item = replace(item, object=change(item.object))
        yield item


def applied_objects(stream: Iterable[Item]) -> Iterator[Object | WatcherError]:
    """Pass on the objects that are there or have changed, and the errors."""
    for item in stream:
        if isinstance(item, (InitApply, Apply)):
            yield item.object
        elif isinstance(item, WatcherError):
            yield item


def touched_objects(stream: Iterable[Item]) -> Iterator[Object | WatcherError]:
    """Pass on the objects that are there, have changed, or were deleted, and the errors."""
    for item in stream:
        if isinstance(item, (InitApply, Apply, Delete)):
            yield item.object
        elif isinstance(item, WatcherError):
            yield item
