"""Subscriptions and handlers: what threads wait on, fed by the writer, read at their own pace.

It may import the ground, the words, and of store/ what listeners need (`Cache`, `Entry`, `Delta`),
and the `Store` that a subscription is of. It knows nothing of the reflector, and holds no lock of
the cache. Begin with `subscription`: a thread's way to a change; `pending` is the queue behind it,
which the cache tells.
"""

from kube_reflect.dispatcher.changes import Applied, Change, Deleted, Resync
from kube_reflect.dispatcher.handlers import Handler
from kube_reflect.dispatcher.subscription import Subscription
from kube_reflect.store import Cache

__all__ = ["Applied", "Change", "Deleted", "Handler", "Resync", "Subscription"]

# The store's room does not know this one, and makes subscriptions all the same.
Cache.set_subscriptions(Subscription)
