"""The cache: a Writer that changes it, Stores that threads read, Snapshots of one moment.

It stands on the ground and the words, and knows nothing of the client, the wire or threads; whoever
is to hear of changes implements `Listener`.
"""

from kube_reflect.store.snapshot import Snapshot
from kube_reflect.store.store import Memory, Store, Writer

__all__ = ["Memory", "Snapshot", "Store", "Writer"]
