"""The threads that run a watcher into a writer, and the public face of both: `Reflector`.

It may import every room but the leaves. Begin with `reflector`.
"""

from kube_reflect.dispatcher.handlers import Handler
from kube_reflect.reflector.reflector import Reflector, reflect
from kube_reflect.reflector.sharing import Shared, shared

__all__ = ["Handler", "Reflector", "Shared", "reflect", "shared"]
