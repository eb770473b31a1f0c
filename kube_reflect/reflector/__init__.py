"""The threads that run a watcher into a writer, and the public face of both: `Reflector`.

It may import every room but the leaves. Begin with `reflector`, what users call; `engine` starts
and closes, `namespaces` has the watches, `worker` is the thread of one, `health` its record,
`warm_start` the file that the next process begins with; `runner` is what their threads share.
"""

from kube_reflect.reflector.arguments import Unnamed
from kube_reflect.reflector.engine import close_all
from kube_reflect.reflector.reflector import CustomObjects, ListOf, Reflector
from kube_reflect.reflector.sharing import Shared, shared
from kube_reflect.reflector.warm_start import WarmStart

__all__ = ["CustomObjects", "ListOf", "Reflector", "Shared", "Unnamed", "WarmStart", "close_all",
           "shared"]
