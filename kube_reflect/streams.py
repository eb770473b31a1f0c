"""Generator functions over a stream of events, for what happens between watcher and writer."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Protocol, TypeVar, Union

from kube_reflect.backoff import Backoff
from kube_reflect.config import Config
from kube_reflect.errors import (
    InitialListFailed, NoResourceVersion, WatcherError, WatchError, WatchFailed,
)
from kube_reflect.events import Apply, Delete, Event, Init, InitApply, InitDone
from kube_reflect.ground.objects import BadObject, Object as Known
from kube_reflect.watcher import Watcher, is_expired

__all__ = ["EventWriter", "ObjectWatch", "applied_objects", "backoff", "modify",
           "predicate_filter", "reflect", "touched_objects", "watch_object"]

Item = Union[Event, WatcherError]
Object = Mapping[str, Any]
T = TypeVar("T")


class EventWriter(Protocol):
    """What `reflect` applies events to: a `Writer`, or a cache of one's own."""

    def claim(self) -> object:
        """Note that a stream feeds it; raise ValueError if another does already."""

    def apply_watcher_event(self, event: Event) -> object:
        """Apply one event."""

    def failed(self, error: WatcherError) -> object:
        """Note an error of the stream."""

    def close(self, reason: BaseException | None = None) -> object:
        """End: nothing more will come, for this reason if there is one."""


def backoff(stream: Iterable[T], policy: Backoff | None = None, *,
            sleep: Callable[[float], object] = time.sleep) -> Iterator[T]:
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
            policy.listed()
        elif isinstance(item, WatcherError):
            sleep(_pause(policy, item, listed))
            listed = False


def _pause(policy: Backoff, error: WatcherError, listed: bool) -> float:
    """Return how long to wait after an error.

    :param listed: a list was complete since the last error.
    """
    if isinstance(error, InitialListFailed):
        return policy.next_delay(error.retry_after)
    watched = isinstance(error, (WatchFailed, WatchError))
    relists = isinstance(error, NoResourceVersion) or is_expired(error)
    # A list and a watch are two requests, whether in this try or in the next.
    return policy.next_delay(
        error.retry_after, requests=2 if listed or relists else 1,
        furthest=2 if watched else 1, resumes=watched and not relists)


def reflect(writer: EventWriter, stream: Iterable[Item]) -> Iterator[Item]:
    """Apply each event of a stream to a writer, and pass it on, errors too.

    Nothing happens unless somebody iterates. When the iteration ends, so does the writer.

    :param writer: what to apply them to; it feeds from this stream only.
    :param stream: a watcher, or a stream made from one.
    :raises ValueError: at once, if the writer feeds from a stream already.
    :raises TypeError: at once, for what is no writer.
    """
    if not callable(getattr(writer, "apply_watcher_event", None)):
        raise TypeError(f"writer must be a Writer: {writer!r}")
    writer.claim()
    return _reflected(writer, stream)


def _reflected(writer: EventWriter, stream: Iterable[Item]) -> Iterator[Item]:
    try:
        for item in stream:
            if isinstance(item, WatcherError):
                writer.failed(item)
            else:
                writer.apply_watcher_event(item)
            yield item
    except Exception as error:
        # Let those who wait raise the reason.
        writer.close(error)
        raise
    finally:
        writer.close()


def modify(stream: Iterable[Item], change: Callable[[Object], Object]) -> Iterator[Item]:
    """Pass everything on, with each object as the function returns it.

    An object that cannot be read, too deep for the parser for instance, is passed on as it is.
    """
    for item in stream:
        if isinstance(item, (InitApply, Apply, Delete)):
            try:
                item = replace(item, object=change(item.object))
            except BadObject:
                pass
        yield item


def applied_objects(stream: Iterable[Item]) -> Iterator[Object | WatcherError]:
    """Pass on the objects that are there or have changed, and the errors."""
    return (item if isinstance(item, WatcherError) else item.object for item in stream
            if isinstance(item, (InitApply, Apply, WatcherError)))


def touched_objects(stream: Iterable[Item]) -> Iterator[Object | WatcherError]:
    """Pass on the objects that are there, have changed, or were deleted, and the errors."""
    return (item if isinstance(item, WatcherError) else item.object for item in stream
            if isinstance(item, (InitApply, Apply, Delete, WatcherError)))


def predicate_filter(stream: Iterable[T], predicate: Callable[[Object], Hashable],
                     ttl: float = 3600.0, *,
                     timer: Callable[[], float] = time.monotonic) -> Iterator[T]:
    """Pass an object on only when the predicate's value for it is another than before.

    An object that is new, also under an old name, passes; so does one for which the predicate is
    None, every deletion, and whatever is no object. What a new list does not have is forgotten.
    It takes streams of events and streams of objects. Do not put it before `reflect`: what it
    holds back would be missing in the cache.

    :param stream: a watcher, or a stream made from one.
    :param predicate: one of `kube_reflect.predicates`, or any function of a mapping that gives
        something to compare.
    :param ttl: seconds after which the value of an object that was not seen is forgotten.
    :param timer: seconds on a monotonic clock.
    :raises TypeError: at once, for a predicate that cannot be called.
    :raises ValueError: at once, for a ttl that is not above 0.
    """
    if not callable(predicate):
        raise TypeError(f"a predicate must be callable: {predicate!r}")
    if not ttl > 0:
        raise ValueError(f"ttl must be above 0 seconds: {ttl}")
    return _filtered(stream, predicate, _Values(ttl, timer))


def _filtered(stream: Iterable[T], predicate: Callable[[Object], Hashable],
              known: _Values) -> Iterator[T]:
    for item in stream:
        match item:
            case InitApply(obj) | Apply(obj) | (Mapping() as obj):
                if not known.is_news(obj, predicate):
                    continue
            case Delete(obj):
                known.forget(obj)
            case Init():
                known.begin_list()
            case InitDone():
                known.end_list()
        yield item


_Name = tuple[Any, Any]


class _Values:
    """What a predicate said of each object when it was last seen."""

    def __init__(self, ttl: float, timer: Callable[[], float]) -> None:
        self._ttl = ttl
        self._timer = timer
        #: uid, value and time by name, the longest unseen first.
        self._known: OrderedDict[_Name, tuple[Any, Hashable, float]] = OrderedDict()
        #: The names in the list under way.
        self._listed: set[_Name] | None = None

    def is_news(self, obj: Object, predicate: Callable[[Object], Hashable]) -> bool:
        """Remember an object's value; return whether it is another than before."""
        now = self._timer()
        while self._known and now - next(iter(self._known.values()))[2] >= self._ttl:
            self._known.popitem(last=False)
        known = Known.of(obj)
        name = known.namespace, known.name
        if self._listed is not None:
            self._listed.add(name)
        try:
            value = predicate(obj)
        except BadObject:
            # It passes: whoever stores it will find out what is wrong.
            value = None
        if value is None:
            return True
        before = self._known.pop(name, None)
        self._known[name] = known.uid, value, now
        return before is None or before[:2] != (known.uid, value)

    def forget(self, obj: Object) -> None:
        """Forget an object that is gone."""
        known = Known.of(obj)
        name = known.namespace, known.name
        self._known.pop(name, None)
        if self._listed is not None:
            self._listed.discard(name)

    def begin_list(self) -> None:
        """Note that a list begins."""
        self._listed = set()

    def end_list(self) -> None:
        """Note that a list is complete: what it does not have is gone."""
        listed, self._listed = self._listed, None
        if listed is not None:
            for name in self._known.keys() - listed:
                del self._known[name]


def watch_object(list_func: Any, name: str, *args: Any, config: Config | None = None,
                 **kwargs: Any) -> ObjectWatch:
    """Watch the life of one object; see `ObjectWatch`.

    :param list_func: what one gives a `Watcher`; it lists where the object is.
    :param name: of the object.
    :param args: for the list function.
    :param config: as of a `Watcher`; the name is added to its field selector.
    :param kwargs: for the list function.
    :raises TypeError: for what is no list function, or lacks arguments.
    :raises ValueError: for an empty name.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of an object is needed, not {name!r}")
    if not name:
        raise ValueError("the name of an object must not be empty")
    config = config if config is not None else Config()
    selector = ",".join(filter(None, (config.field_selector, f"metadata.name={name}")))
    config = replace(config, field_selector=selector)
    return ObjectWatch(Watcher(list_func, *args, config=config, **kwargs))


class ObjectWatch:
    """The life of one object: iterate it for the object as it is, or None where there is none.

    It begins with one of the two, and tells it again after each relist. An object that took the
    name of another comes after a None. Errors come as items; the next item is the next try, at
    once, so put `backoff` around it. It ends by `close` only. Made by `watch_object`.

    One thread iterates it; any may call `close`.
    """

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._items = _life(watcher)

    def __iter__(self) -> ObjectWatch:
        return self

    def __next__(self) -> Object | None | WatcherError:
        return next(self._items)

    def close(self) -> None:
        """End the iteration, whatever it is waiting for; from any thread, any number of times."""
        self._watcher.close()


def _life(stream: Iterable[Item]) -> Iterator[Object | None | WatcherError]:
    present: Object | None = None
    listed: Object | None = None
    for item in stream:
        match item:
            case WatcherError():
                yield item
            case Init():
                listed = None
            case InitApply(obj):
                listed = obj
            case Delete(obj) if present is None:
                # The list under way had it, and it was deleted before the end of the list.
                listed = None
            case Delete():
                present = listed = None
                yield None
            case InitDone() | Apply():
                found = item.object if isinstance(item, Apply) else listed
                if present is not None and found is not None and (
                        Known.of(present).uid != Known.of(found).uid):
                    yield None
                present = found
                yield found
