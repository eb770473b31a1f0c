"""Bytes to pages of a LIST and lines of a WATCH, each parsed once.

It may import client/, the ground and the words. Forbidden here: caches, threads, sleeps but the
one of `Source.wait`, and any retry. Begin with `source`, which asks; `pages` and `lines` read what
is answered, and `record` has what that says of the server.
"""

from kube_reflect.client import Closed, RequestError
from kube_reflect.wire.lines import WatchLine
from kube_reflect.wire.source import ApiSource, Lines, Source

__all__ = ["ApiSource", "Closed", "Lines", "RequestError", "Source", "WatchLine"]
