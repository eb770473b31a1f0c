"""Subscriptions and handlers: what threads wait on, fed by the writer, read at their own pace.

It may import store/, the ground and the words. Begin with `subscription`.
"""

from kube_reflect.dispatcher.handlers import Handler
from kube_reflect.dispatcher.subscription import Applied, Change, Deleted, Resync, Subscription

__all__ = ["Applied", "Change", "Deleted", "Handler", "Resync", "Subscription"]
