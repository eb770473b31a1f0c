"""Bytes to pages of a LIST and lines of a WATCH, each parsed once.

It may import client/, the ground and the words, and knows nothing of caches or threads. Begin with
`source`, which asks; `pages` and `lines` read what is answered.
"""

from kube_reflect.client.failures import RequestError
from kube_reflect.client.connection import Closed
from kube_reflect.client.kind import resource_of
from kube_reflect.client.list_func import identity_of, model_of
from kube_reflect.wire.source import ApiSource, Lines, Page, Source, WatchLine

__all__ = ["ApiSource", "Closed", "Lines", "Page", "RequestError", "Source", "WatchLine",
           "identity_of", "model_of", "resource_of"]
