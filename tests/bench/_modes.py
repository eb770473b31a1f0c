"""The ways in which a Store may keep its objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Mode(NamedTuple):
    """One way to keep objects.

    :param label: what it is called in the table.
    :param options: makes the arguments of Reflector.
    :param read: everything has been read once before memory is taken.
    """

    label: str
    options: Callable[[], dict[str, Any]]
    read: bool = False


def _drop_managed_fields() -> Any:
    from kube_reflect import drop_managed_fields
    return drop_managed_fields


def _keep() -> Any:
    from kube_reflect import keep
    return keep("spec.nodeName", "status.phase", "status.podIP")


MODES = {
    "default": Mode("packed", dict),
    "slim": Mode("packed, without managed fields",
                 lambda: {"transform": _drop_managed_fields()}),
    "keep": Mode("packed, three fields kept", lambda: {"transform": _keep(), "model": dict}),
    "compress": Mode("deflated", lambda: {"compress": True}),
    "compress-slim": Mode("deflated, without managed fields",
                          lambda: {"compress": True, "transform": _drop_managed_fields()}),
    "dict": Mode("packed, and read as dicts", lambda: {"model": dict}, read=True),
    "slim-dict": Mode("packed without managed fields, and read as dicts",
                      lambda: {"model": dict, "transform": _drop_managed_fields()}, read=True),
    "model": Mode("packed, and read as V1Pod", dict, read=True),
}
