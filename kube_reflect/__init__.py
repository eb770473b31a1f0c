"""A threaded, synchronous, client-side cache of Kubernetes objects."""

from kube_reflect._version import __version__
from kube_reflect.backoff import Backoff
from kube_reflect.config import Config, InitialListStrategy, ListSemantic
from kube_reflect.dispatcher import Applied, Change, Deleted, Resync, Subscription
from kube_reflect.errors import (
    ConditionFailed,
    FieldError,
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
from kube_reflect.events import Apply, Bookmark, Delete, Event, Init, InitApply, InitDone, Reason
from kube_reflect.object_ref import ApiResource, ObjectRef
from kube_reflect.reflector import Reflector, Shared, WarmStart, close_all, shared
from kube_reflect.shard import Shard
from kube_reflect.signals import stop_on_signals
from kube_reflect.status import Memory, NamespaceStatus, Phase, Status
from kube_reflect.store import Snapshot, Store, Writer
from kube_reflect.streams import reflect
from kube_reflect.transforms import drop_last_applied, drop_managed_fields, keep
from kube_reflect.watcher import Watcher

__all__ = [
    "ApiResource",
    "Applied",
    "Apply",
    "Backoff",
    "Bookmark",
    "Change",
    "ConditionFailed",
    "Config",
    "Delete",
    "Deleted",
    "Event",
    "FieldError",
    "Init",
    "InitApply",
    "InitDone",
    "InitialListFailed",
    "InitialListStrategy",
    "KubeReflectError",
    "ListSemantic",
    "Memory",
    "NamespaceStatus",
    "NoResourceVersion",
    "NotReady",
    "ObjectRef",
    "Phase",
    "Reason",
    "Reflector",
    "Resync",
    "Shard",
    "Shared",
    "Snapshot",
    "StaleCache",
    "Status",
    "Store",
    "Subscription",
    "WarmStart",
    "WatchError",
    "WatchFailed",
    "WatchStartFailed",
    "Watcher",
    "WatcherError",
    "Writer",
    "WriterDropped",
    "__version__",
    "close_all",
    "drop_last_applied",
    "drop_managed_fields",
    "keep",
    "reflect",
    "shared",
    "stop_on_signals",
]
