"""Bytes to pages of a LIST and lines of a WATCH, each parsed once.

It may import client/, the ground and the words, and knows nothing of caches or threads. Begin with
`source`, which asks; `pages` and `lines` read what is answered.
"""

from kube_reflect.client import Closed, RequestError
from kube_reflect.wire.lines import WatchLine
from kube_reflect.wire.pages import Page
from kube_reflect.wire.source import ApiSource, Items, Lines, Source

__all__ = ["ApiSource", "Closed", "Items", "Lines", "Page", "RequestError", "Source", "WatchLine"]
