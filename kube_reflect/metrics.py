"""Metrics for Prometheus, of reflectors and subscriptions::

    from prometheus_client import REGISTRY
    from kube_reflect.metrics import Collector

    REGISTRY.register(Collector(pods, dashboard=pods.subscribe()))

Needs prometheus_client, which the [metrics] extra brings.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Union

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from kube_reflect.dispatcher import Subscription
from kube_reflect.reflector import Reflector, Shared
from kube_reflect.status import Phase, Status

__all__ = ["Collector"]

Watched = Union["Reflector[Any]", "Shared[Any]", "Subscription[Any]"]


class Collector:
    """What a scrape finds out about reflectors and subscriptions.

    A scrape takes some 20 us for each, asks no server, and waits for no lock that a reader or a
    writer may hold. The collector keeps none of them alive: what is gone is not on the page.

    :param watched: reflectors, handles of `shared`, and subscriptions. The label ``reflector`` is
        the reflector's name.
    :param named: more of them, with another label.
    :raises TypeError: for anything else, and for a subscription or a shared one without a name.
    """

    def __init__(self, *watched: Watched, **named: Watched) -> None:
        self._watched = [(_name_of(one), weakref.ref(one)) for one in watched]
        self._watched += [(name, weakref.ref(_checked(one))) for name, one in named.items()]

    def describe(self) -> Iterable[Metric]:
        """Return the families, without samples; a registry asks, to find names used twice."""
        return _families([], [])

    def collect(self) -> Iterator[Metric]:
        """Return the families with a sample of each; from any thread."""
        reflectors: list[tuple[str, Status]] = []
        subscriptions: list[tuple[str, Subscription[Any]]] = []
        for name, reference in self._watched:
            one = reference()
            if isinstance(one, Subscription):
                subscriptions.append((name, one))
            elif one is not None:
                reflectors.append((name, one.status))
        return _families(reflectors, subscriptions)


def _checked(one: Any) -> Any:
    if not isinstance(one, (Reflector, Shared, Subscription)):
        raise TypeError(f"there are no metrics of {one!r}; give reflectors and subscriptions")
    return one


def _name_of(one: Any) -> str:
    name = getattr(_checked(one), "name", None)
    if not isinstance(name, str):
        raise TypeError(f"{type(one).__name__} has no name; give it one: Collector(name=…)")
    return name


Rows = list[tuple[str, Status]]
Samples = Iterable[tuple[tuple[str, ...], float | bool | None]]


def _family(kind: Callable[..., Any], name: str, text: str, samples: Samples,
            *labels: str) -> Metric:
    family = kind(f"kube_reflect_{name}", text, labels=labels or ("reflector",))
    for values, value in samples:
        if value is not None:
            family.add_metric(values, float(value))
    return family


_gauge = functools.partial(_family, GaugeMetricFamily)
# The library puts _total behind the name.
_counter = functools.partial(_family, CounterMetricFamily)


def _of(rows: Rows, field: str) -> Samples:
    return [((name,), getattr(status, field)) for name, status in rows]


def _families(rows: Rows,
              subscriptions: list[tuple[str, Subscription[Any]]]) -> Iterator[Metric]:
    yield from _how_it_is(rows)
    yield from _what_went_on(rows)
    yield _gauge("subscription_pending", "Changes that a subscriber has not taken yet.",
                 [((name,), one.pending) for name, one in subscriptions], "subscription")
    yield _counter("subscription_dropped", "Changes that a subscriber was not told one by one.",
                   [((name,), one.dropped) for name, one in subscriptions], "subscription")


def _how_it_is(rows: Rows) -> Iterator[Metric]:
    yield _gauge("ready", "Whether the store is complete since it was started.", _of(rows, "ready"))
    yield _gauge("live", "Whether the store is being kept up at this moment.", _of(rows, "live"))
    yield _gauge("phase", "1 for the phase that the reflector is in, 0 for the others.",
                 [((name, phase.value), status.phase is phase)
                  for name, status in rows for phase in Phase], "reflector", "phase")
    yield _gauge("last_contact_timestamp_seconds",
                 "When the API server was last heard of, in seconds since the epoch.",
                 _of(rows, "last_contact"))
    yield _gauge("backoff_seconds", "How long the present pause after a failure is.",
                 _of(rows, "backoff"))
    yield _gauge("retry_timestamp_seconds",
                 "When the API server is tried again after a failure, in seconds since the epoch.",
                 _of(rows, "retry_at"))
    scopes = [((name, scope), one) for name, status in rows
              for scope, one in status.namespaces.items()]
    yield _gauge("namespace_ready", "Whether one of several namespaces has been listed.",
                 [(labels, one.ready) for labels, one in scopes], "reflector", "namespace")
    yield _gauge("namespace_live", "Whether one of several namespaces is being kept up.",
                 [(labels, one.live) for labels, one in scopes], "reflector", "namespace")
    yield _gauge("objects", "Objects in the store.", _of(rows, "objects"))
    yield _gauge("stored_bytes", "Bytes of these objects, as they are kept at rest.",
                 _of(rows, "bytes_at_rest"))


def _what_went_on(rows: Rows) -> Iterator[Metric]:
    yield _counter("events", "Events of watches that were applied, by type.",
                   [((name, kind), count) for name, status in rows
                    for kind, count in status.events_by_type.items()], "reflector", "type")
    yield _counter("relists", "Complete lists after the first.", _of(rows, "relists"))
    yield _counter("relists_begun", "Lists begun anew, by the error that led to it.",
                   [((name, reason), count) for name, status in rows
                    for reason, count in status.relist_reasons.items()], "reflector", "reason")
    yield _counter("reconnects", "Watches after the first, by what ended the one before.",
                   [((name, reason), count) for name, status in rows
                    for reason, count in status.reconnect_reasons.items()], "reflector", "reason")
    yield _counter("failures", "Requests and streams that failed, by error and HTTP status.",
                   _by_error(rows), "reflector", "error", "code")
    yield _counter("poisoned_objects", "Times an object could not be stored, indexed or decoded.",
                   _of(rows, "poisoned"))
    yield _gauge("event_lag_seconds",
                 "From the arrival of the last event to when it could be read.",
                 _of(rows, "event_lag"))
    yield _gauge("last_list_duration_seconds", "How long the last complete list took.",
                 _of(rows, "last_list_seconds"))


def _by_error(rows: Rows) -> Samples:
    for name, status in rows:
        for what, count in status.failures.items():
            error, _, code = what.partition(":")
            yield (name, error, code), count
