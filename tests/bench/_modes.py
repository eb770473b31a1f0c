"""The ways in which a Store may keep its objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Mode(NamedTuple):
    """One way to keep objects.

    :param label: what it is called in the table.
    :param by: how a user asks for it.
    :param options: makes the arguments of Reflector.
    :param read: everything has been read once before memory is taken.
    """

    label: str
    by: str
    options: Callable[[], dict[str, Any]]
    read: bool = False


def _drop_managed_fields() -> Any:
    from kube_reflect import drop_managed_fields
    return drop_managed_fields


def _keep() -> Any:
    from kube_reflect import keep
    return keep("spec.nodeName", "status.phase", "status.podIP")


MODES = {
    "default": Mode("packed", "``Reflector(…)``", dict),
    "slim": Mode("packed, without managed fields", "``transform=drop_managed_fields``",
                 lambda: {"transform": _drop_managed_fields()}),
    "keep": Mode("packed, three fields kept", "``transform=keep(…), model=dict``",
                 lambda: {"transform": _keep(), "model": dict}),
    "dict": Mode("packed, and read as dicts", "``model=dict``", lambda: {"model": dict}, read=True),
    "slim-dict": Mode("packed without managed fields, and read as dicts",
                      "``transform=drop_managed_fields, model=dict``",
                      lambda: {"model": dict, "transform": _drop_managed_fields()}, read=True),
    "touched": Mode("packed, and all handed out as V1Pod", "``Reflector(…)``", dict, read=True),
}
