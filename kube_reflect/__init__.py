"""A threaded, synchronous, client-side cache of Kubernetes objects."""

from kube_reflect.backoff import Backoff
from kube_reflect.config import Config, InitialListStrategy, ListSemantic
from kube_reflect.errors import (
    InitialListFailed,
    KubeReflectError,
    NoResourceVersion,
    NotReady,
    StaleCache,
    WatchError,
    WatcherError,
    WatchFailed,
    WatchStartFailed,
    WriterDropped,
)
from kube_reflect.events import Apply, Bookmark, Delete, Event, Init, InitApply, InitDone
from kube_reflect.object_ref import ApiResource, ObjectRef
from kube_reflect.reflector import Reflector, reflect
from kube_reflect.status import Phase, Status
from kube_reflect.store import Snapshot, Store, Writer
from kube_reflect.watcher import Watcher

__all__ = [
    "ApiResource",
    "Apply",
    "Backoff",
    "Bookmark",
    "Config",
    "Delete",
    "Event",
    "Init",
    "InitApply",
    "InitDone",
    "InitialListFailed",
    "InitialListStrategy",
    "KubeReflectError",
    "ListSemantic",
    "NoResourceVersion",
    "NotReady",
    "ObjectRef",
    "Phase",
    "Reflector",
    "Snapshot",
    "StaleCache",
    "Status",
    "Store",
    "WatchError",
    "WatchFailed",
    "WatchStartFailed",
    "Watcher",
    "WatcherError",
    "Writer",
    "WriterDropped",
    "reflect",
]
