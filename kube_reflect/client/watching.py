"""The official Watch, as an adapter: its loop, and somebody else's way with a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from kubernetes import watch

__all__ = ["Body", "OfficialWatch"]

T = TypeVar("T")


class Body(Protocol):
    """What the official Watch needs of a response."""

    def stream(self, amt: int | None, decode_content: bool) -> Iterator[bytes | str]: ...

    def close(self) -> None: ...

    def release_conn(self) -> None: ...


class OfficialWatch(watch.Watch, Generic[T]):
    """A `watch.Watch` that has each line parsed by a function, once.

    Its own parser would make a model of each object, and of a line too long a traceback; its
    constructor would make an ApiClient for each watch. What it does with a body costs about 1 us
    for each line, if that comes by itself: of many lines at once it copies the rest for each.

    :param parse: called with each line, without its newline.
    """

    #: Where the parent would go on by itself; that is left to the caller.
    resource_version = None

    def __init__(self, parse: Callable[[str], T]) -> None:
        self._parse = parse

    def read(self, body: Body) -> Iterator[T]:
        """Yield what parsing gives of each line; close and release the body at the end."""
        # Given timeout_seconds, the parent does not retry.
        events: Iterator[T] = self.stream(  # type: ignore[no-untyped-call]
            lambda **_: body, timeout_seconds=1)
        return events

    def get_return_type(self, func: Any) -> None:
        """Return no type: nothing is to be made of an object."""

    def get_watch_argument_name(self, func: Any) -> str:
        """Return the name by which the parent knows that lines are events."""
        return "watch"

    def unmarshal_event(self, data: str, return_type: Any) -> T:
        """Return what the function makes of a line."""
        return self._parse(data)
