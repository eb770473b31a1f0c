"""The cache: a Writer that changes it, Stores that threads read, Snapshots of one moment.

It may import the ground and the words, no other room. Forbidden here: the client, the network,
threads, sleeps; under a lock also log calls, decoding, and any code of the user's. Whoever is to
hear of changes has the methods of `listener.Listener`.

Begin with `cache`: the one state, what guards it, and what an interrupt leaves of a change. Then
`writing` (events in), `entry` (an event's object becomes an entry, at rest), `reading` and `store`
(objects out), `decoder` (the K that readers share).

Programs use `Writer`, `Store` and `Snapshot`; a listener needs `Cache`, `Entry` and `Delta`; who
runs a reflector needs `NamespaceWriter` and `StoreOptions` besides.
"""

from kube_reflect.store.cache import Cache
from kube_reflect.store.entry import Entry
from kube_reflect.store.listener import Delta
from kube_reflect.store.options import StoreOptions
from kube_reflect.store.snapshot import Snapshot
from kube_reflect.store.store import Store
from kube_reflect.store.writer import Writer
from kube_reflect.store.writing import NamespaceWriter

__all__ = ["Cache", "Delta", "Entry", "NamespaceWriter", "Snapshot", "Store", "StoreOptions",
           "Writer"]
