"""The cache: a Writer that changes it, Stores that threads read, Snapshots of one moment.

It stands on the ground and the words, and knows nothing of the client, the wire, subscriptions or
the threads that run a reflector; whoever is to hear of changes implements `Listener`.

Begin with `cache`: the one state, what guards it, and what an interrupt leaves of a change. Then
`writing` (events in), `reading` and `store` (objects out), `entry` (an object at rest), `decoder`
(the K that readers share).
"""

from kube_reflect.store.cache import Cache
from kube_reflect.store.entry import Entry
from kube_reflect.store.listener import Delta, Keeper, Listener, Reason, set_subscriptions
from kube_reflect.store.options import IndexFunction, StoreOptions, Transform
from kube_reflect.store.snapshot import Snapshot
from kube_reflect.store.store import Memory, Store
from kube_reflect.store.writer import Writer, add_index
from kube_reflect.store.writing import Forgotten, NamespaceWriter

__all__ = ["Cache", "Delta", "Entry", "Forgotten", "IndexFunction", "Keeper",
           "Listener", "Memory", "NamespaceWriter", "Reason", "Snapshot", "Store", "StoreOptions",
           "Transform", "Writer", "add_index", "set_subscriptions"]
