"""What a watcher asks for, and how patient it is."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from kube_reflect.selector import parse, parse_field_selector
from kube_reflect.shard import Shard

__all__ = ["Config", "InitialListStrategy", "ListSemantic"]

#: The API server closes any watch after five minutes or more; below this, ours ends first.
MAX_TIMEOUT = 295.0


class ListSemantic(enum.Enum):
    """How fresh the initial list must be."""

    #: As the storage has it at the moment of the request.
    MOST_RECENT = "most-recent"
    #: As the API server has it in memory (``resourceVersion=0``): cheaper for the cluster, and
    #: possibly older. A relist asks for the most recent all the same, or the cache could go back
    #: in time.
    ANY = "any"


class InitialListStrategy(enum.Enum):
    """How to get the objects that are already there."""

    #: A streaming list where the server has it, else a LIST; what the server has is remembered.
    AUTO = "auto"
    #: A LIST in pages, then a WATCH.
    LIST_WATCH = "list-watch"
    #: A WATCH that begins with what is there (Kubernetes 1.32 and later, and nothing else).
    STREAMING_LIST = "streaming-list"


_SECONDS = (int, float), "a number of seconds"
_NONE = type(None)
#: The types of each setting, and what errors call them. (To Python, True is an integer.)
_TYPES: dict[str, tuple[Any, str]] = {
    "label_selector": ((str, _NONE), "a string"), "field_selector": ((str, _NONE), "a string"),
    "timeout": _SECONDS, "idle_timeout": _SECONDS, "connect_timeout": _SECONDS,
    "poll_interval": _SECONDS, "start_jitter": _SECONDS,
    "list_semantic": (ListSemantic, "one of ListSemantic"),
    "initial_list_strategy": (InitialListStrategy, "one of InitialListStrategy"),
    "page_size": ((int, _NONE), "an integer or None"), "max_objects": (int, "an integer"),
    "shard": ((Shard, _NONE), "a Shard or None"),
    "bookmarks": (bool, "True or False"), "gzip": (bool, "True or False"),
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings of a `Watcher`; checked when made.

    :param label_selector: in the API server's grammar, for instance ``app in (web, db),!canary``.
    :param field_selector: for instance ``spec.nodeName=node-3``.
    :param timeout: seconds after which the server is to end a watch, from 1 to below 295. Each
        request asks for somewhat less, at random, so that not all watches end at once.
    :param list_semantic: how fresh the initial list must be.
    :param initial_list_strategy: how to get the objects that are already there.
    :param page_size: objects in a page of a LIST, or None for all in one.
    :param bookmarks: ask for bookmarks, which keep the resource version of a quiet watch fresh.
    :param idle_timeout: seconds of silence, on a connection that should speak, after which it is
        taken for dead. The API server sends a bookmark every 60 to 75 seconds, so the default of
        150 means that two have not come. Where there are no bookmarks, a quiet watch is taken
        for dead after this time too: nothing is lost, it is resumed from the last version.
        The headers of an answer take this and the connect_timeout together at most, and its body
        this and the timeout, however many bytes come now and then.
    :param connect_timeout: seconds to connect, name lookup and TLS included.
    :param poll_interval: seconds between two lists of what cannot be watched, such as
        metrics.k8s.io; the status says that it is polled.
    :param gzip: have the pages of a LIST compressed, which pays where the network carries less
        than some 100 MB a second: it spares nine tenths of the bytes, and costs both sides CPU.
        Neither a WATCH nor a streaming list is ever compressed.
    :param shard: only the objects of this shard; see `Shard`. The server is asked to leave out the
        others, which Kubernetes 1.36 does behind a feature gate, and those that come all the same
        are dropped here: of what happens to them there is a `Bookmark`.
    :param start_jitter: seconds over which the first requests of many replicas that start at once
        are spread: each waits for a part of them, at random, before its first list. With `shard`
        each shard has its own stretch of that time. 0: nobody waits.
    :param max_objects: how many objects there may be, so that a server that never ends a list, or
        makes up objects, cannot fill the memory. A list of more has failed, and is tried again; of
        a watch, an object too many is left out, counted and logged.
    :raises ValueError: for a value out of its range, or a selector that does not parse.
    :raises TypeError: for a value of the wrong type.
    """

    label_selector: str | None = None
    field_selector: str | None = None
    timeout: float = 290
    list_semantic: ListSemantic = ListSemantic.MOST_RECENT
    initial_list_strategy: InitialListStrategy = InitialListStrategy.AUTO
    page_size: int | None = 500
    bookmarks: bool = True
    idle_timeout: float = 150.0
    connect_timeout: float = 10.0
    poll_interval: float = 30.0
    gzip: bool = False
    shard: Shard | None = None
    start_jitter: float = 0.0
    max_objects: int = 1_000_000

    def __post_init__(self) -> None:
        for name, (kinds, what) in _TYPES.items():
            value = getattr(self, name)
            if not isinstance(value, kinds) or isinstance(value, bool) and kinds is not bool:
                raise TypeError(f"{name} must be {what}: {value!r}")
        parse(self.label_selector)
        parse_field_selector(self.field_selector)
        if not 1 <= self.timeout < MAX_TIMEOUT:
            raise ValueError(
                f"timeout must be from 1 to below {MAX_TIMEOUT:g} seconds: {self.timeout}")
        for name in ("idle_timeout", "connect_timeout", "poll_interval"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be above 0 seconds: {getattr(self, name)}")
        if not 0 <= self.start_jitter < float("inf"):
            raise ValueError(f"start_jitter must be 0 seconds or more: {self.start_jitter}")
        for name, suffix in (("page_size", ", or None"), ("max_objects", "")):
            number = getattr(self, name)
            if number is not None and number <= 0:
                raise ValueError(f"{name} must be 1 or more{suffix}: {number}")
