"""The cache: a Writer that changes it, Stores that threads read, Snapshots of one moment.

It may import the ground and the words, no other room. Forbidden here: the client, the network,
threads, sleeps; under a lock also log calls, decoding, and any code of the user's. Whoever is to
hear of changes has the methods of `listener.Listener`.

Begin with `cache`: the one state, what guards it, and what an interrupt leaves of a change. Then
`writing` (events in), `entry` (an event's object becomes an entry, at rest), `reading` and `store`
(objects out), `decoder` (the K that readers share), `saved` (a cache in a file).

It has three doors in one: programs use `Writer`, `Store`, `Snapshot`, `Memory`; a listener needs
`Cache`, `Entry`, `Delta` and `Reason`; who runs a reflector needs the rest.
"""

from kube_reflect.store.cache import Cache
from kube_reflect.store.entry import Entry
from kube_reflect.store.listener import Delta, Reason, set_subscriptions
from kube_reflect.store.options import StoreOptions
from kube_reflect.store.saved import CacheFile
from kube_reflect.store.snapshot import Snapshot
from kube_reflect.store.store import Memory, Store
from kube_reflect.store.writer import Writer, add_index
from kube_reflect.store.writing import Forgotten, NamespaceWriter

__all__ = ["Cache", "CacheFile", "Delta", "Entry", "Forgotten", "Memory", "NamespaceWriter",
           "Reason", "Snapshot", "Store", "StoreOptions", "Writer", "add_index",
           "set_subscriptions"]
