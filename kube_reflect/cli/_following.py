"""A reflector of what is asked for, and its changes one by one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, Union

from kube_reflect.cli._connection import Connection
from kube_reflect.cli._discovery import Kind
from kube_reflect.cli._failure import CommandFailed
from kube_reflect.cli._scope import Scope
from kube_reflect.config import Config
from kube_reflect.dispatcher import Applied, Deleted, Resync
from kube_reflect.errors import NotReady
from kube_reflect.reflector import Reflector
from kube_reflect.status import Status

__all__ = ["AllListed", "changes", "check", "following"]

#: Seconds after which one looks up from waiting.
_TICK = 0.2
#: HTTP statuses that no patience mends.
_HOPELESS = (400, 401, 403, 404, 405, 406, 422)


class AllListed:
    """In a stream of changes: what comes now is new."""


@contextlib.contextmanager
def following(connection: Connection, kind: Kind, scope: Scope,
              transform: Callable[[Any], Any] | None = None) -> Iterator[Reflector[dict[str, Any]]]:
    """Return a running reflector of a kind, which is closed in the end."""
    kind.check("list", "watch")
    config = Config(label_selector=scope.labels, field_selector=scope.fields, shard=scope.shard)
    with Reflector(kind.list_function(connection, scope.namespace), config=config, model=dict,
                   when_not_ready="empty",
                   name="cli", transform=transform, new_client=connection.again) as reflector:
        try:
            yield reflector
        finally:
            # Who pressed Ctrl-C waits for it.
            reflector.close(0.8)


def check(kind: Kind, status: Status) -> None:
    """Raise for a first list that will never come; the library would go on.

    :raises CommandFailed: so it is.
    """
    if not status.ready and status.code in _HOPELESS:
        raise CommandFailed(f"{kind.qualified}: {status.last_error}")


def changes(kind: Kind, reflector: Reflector[Any], until: float | None,
            ) -> Iterator[Union[Applied[Any], Deleted[Any], AllListed, None]]:
    """Yield all that is there, `AllListed`, and each change; None now and then, in between.

    :param until: when to end, by ``time.monotonic()``; None for never.
    :raises CommandFailed: the first list will never come.
    """
    while not reflector.store.ready:
        with contextlib.suppress(NotReady):
            reflector.store.wait_until_ready(_left(until))
        check(kind, reflector.status)
        if until is not None and time.monotonic() >= until:
            return
        yield None
    with reflector.subscribe() as subscription:
        missing = {(ref.name, ref.namespace) for ref in reflector.store.keys()}
        listed = not missing
        if listed:
            yield AllListed()
        while until is None or time.monotonic() < until:
            try:
                change = subscription.get(_left(until))
            except TimeoutError:
                missing.clear()
                change = Resync()
            if change is None:
                return
            if not isinstance(change, Resync):
                missing.discard((change.ref.name, change.ref.namespace))
                yield change
            if not listed and not missing:
                listed = True
                yield AllListed()
            elif isinstance(change, Resync):
                yield None


def _left(until: float | None) -> float:
    return _TICK if until is None else max(0.0, min(_TICK, until - time.monotonic()))
