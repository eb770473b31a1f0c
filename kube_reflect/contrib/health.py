"""What health endpoints answer, for whatever web framework serves them."""

from __future__ import annotations

from typing import Any

from kube_reflect.contrib.declared import Group
from kube_reflect.reflector import Reflector
from kube_reflect.status import Phase, Status

__all__ = ["liveness", "metrics", "readiness", "statuses", "table"]


def _brief(status: Status) -> dict[str, Any]:
    return {"phase": status.phase.value, "ready": status.ready, "live": status.live}


def liveness(group: Group) -> tuple[bool, dict[str, Any]]:
    """Return whether the process is in order: no thread of a reflector has died.

    An API server that is away is no reason to restart anything, and neither is a reflector that
    nobody has used yet.

    :return: whether it is, and what to show.
    """
    found = {name: reflector.status for name, reflector in group.made().items()}
    return (all(status.phase is not Phase.DEAD for status in found.values()),
            {name: _brief(status) for name, status in found.items()})


def readiness(group: Group, max_staleness: float | None = None) -> tuple[bool, dict[str, Any]]:
    """Return whether all reflectors have objects to serve; starts them, and does not wait.

    :param max_staleness: seconds since the last contact with the API server at most; None for a
        process that is to go on with what it knows.
    :return: whether they are, and what to show.
    """
    group.start()
    found = {name: group.reflector(name).status for name in group
             if name not in group.replaced()}
    return (all(_is_ready(status, max_staleness) for status in found.values()),
            {name: _brief(status) for name, status in found.items()})


def _is_ready(status: Status, max_staleness: float | None) -> bool:
    if max_staleness is None or not status.ready:
        return status.ready
    return status.staleness is not None and status.staleness <= max_staleness


def statuses(group: Group) -> dict[str, Any]:
    """Return the whole status of each reflector, as JSON has it; None for one not used yet."""
    made = group.made()
    return {name: made[name].status.to_dict() if name in made else None for name in group}


def metrics(group: Group) -> tuple[bytes, str]:
    """Return a text page for Prometheus about the reflectors of this process, and its media type.

    :raises ImportError: without prometheus_client, which the [metrics] extra brings.
    """
    from prometheus_client import CollectorRegistry, exposition

    from kube_reflect.metrics import Collector

    registry = CollectorRegistry()
    registry.register(Collector(*group.made().values()))
    return exposition.generate_latest(registry), exposition.CONTENT_TYPE_LATEST


def table(group: Group) -> str:
    """Return the state of each reflector in lines, for a terminal."""
    rows: list[tuple[str, ...]] = [("NAME", "PHASE", "READY", "OBJECTS", "VERSION", "ERROR")]
    rows += [_row(name, group.reflector(name)) for name in group]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _row(name: str, reflector: Reflector[Any]) -> tuple[str, ...]:
    status = reflector.status
    return (name, status.phase.value, "yes" if status.ready else "no", str(status.objects),
            status.resource_version or "-", str(status.last_error or "-"))
