"""For the tests of a project: stores that are filled by hand."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

from kube_reflect.contrib.django.conf import stores
from kube_reflect.store import Writer

__all__ = ["stored"]


@contextlib.contextmanager
def stored(**objects: Iterable[Any]) -> Iterator[dict[str, Writer]]:
    """Put objects into stores, with no server, for a ``with`` block or, as decorator, a test.

    :param objects: mappings as on the wire, or models, by the name of the store.
    :return: the writers, whose ``apply_watcher_event`` changes what is there.
    :raises KeyError: for a name that is not in the settings.
    """
    with stores.group.stored(objects) as writers:
        yield writers
