"""Metrics for Prometheus, of reflectors and subscriptions::

    from prometheus_client import REGISTRY
    from kube_reflect.metrics import Collector

    REGISTRY.register(Collector(pods, dashboard=pods.subscribe()))

Needs prometheus_client, which the [metrics] extra brings.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from kube_reflect.dispatcher import Subscription
from kube_reflect.reflector import Reflector, Shared
from kube_reflect.status import Phase, Status

__all__ = ["Collector"]


class Collector:
    """What a scrape finds out about reflectors and subscriptions.

    A scrape takes some 20 us for each, asks no server, and waits for no lock that a reader or a
    writer may hold. The collector keeps none of them alive: what is gone is not on the page.

    :param watched: reflectors, handles of `shared`, and subscriptions. The label ``reflector`` is
        the reflector's name.
    :param named: more of them, with another label.
    :raises TypeError: for anything else, and for a subscription or a shared one without a name.
    """

    def __init__(self, *watched: Reflector | Shared | Subscription[Any],
                 **named: Reflector | Shared | Subscription[Any]) -> None:
        self._watched = [(_name_of(one), weakref.ref(one)) for one in watched]
        self._watched += [(name, weakref.ref(_checked(one))) for name, one in named.items()]

    def describe(self) -> Iterable[Metric]:
        """Give the families, without samples; a registry asks, to find names used twice."""
        return _families([], [])

    def collect(self) -> Iterator[Metric]:
        """Give the families with a sample of each; from any thread."""
        reflectors: list[tuple[str, Reflector | Shared]] = []
        subscriptions: list[tuple[str, Subscription[Any]]] = []
        for name, reference in self._watched:
            one = reference()
            if isinstance(one, Subscription):
                subscriptions.append((name, one))
            elif one is not None:
                reflectors.append((name, one))
        return _families([(name, one, one.status) for name, one in reflectors], subscriptions)


def _checked(one: Any) -> Any:
    if not isinstance(one, (Reflector, Shared, Subscription)):
        raise TypeError(f"there are no metrics of {one!r}; give reflectors and subscriptions")
    return one


def _name_of(one: Any) -> str:
    name = getattr(_checked(one), "name", None)
    if not isinstance(name, str):
        raise TypeError(f"{type(one).__name__} has no name; give it one: Collector(name=…)")
    return name


Rows = list[tuple[str, "Reflector | Shared", Status]]
Samples = Iterable[tuple[tuple[str, ...], float | bool | None]]

_PREFIX = "kube_reflect_"


def _filled(family: Any, samples: Samples) -> Metric:
    for labels, value in samples:
        if value is not None:
            family.add_metric(labels, float(value))
    return family


def _gauge(name: str, text: str, samples: Samples, *labels: str) -> Metric:
    return _filled(GaugeMetricFamily(_PREFIX + name, text, labels=labels or ("reflector",)),
                   samples)


def _counter(name: str, text: str, samples: Samples, *labels: str) -> Metric:
    # The library puts _total behind the name.
    return _filled(CounterMetricFamily(_PREFIX + name, text, labels=labels or ("reflector",)),
                   samples)


def _of(rows: Rows, field: str) -> Samples:
    return [((name,), getattr(status, field)) for name, _, status in rows]


def _families(rows: Rows, subscriptions: list[tuple[str, Subscription[Any]]],
              ) -> Iterator[Metric]:
    yield from _how_it_is(rows)
    yield from _what_is_there(rows)
    yield from _what_went_on(rows)
    yield _gauge("subscription_pending", "Changes that a subscriber has not taken yet.",
                 [((name,), _number(one, "pending")) for name, one in subscriptions],
                 "subscription")
    yield _counter("subscription_dropped", "Changes that a subscriber was not told one by one.",
                   [((name,), _number(one, "dropped")) for name, one in subscriptions],
                   "subscription")


def _how_it_is(rows: Rows) -> Iterator[Metric]:
    yield _gauge("ready", "Whether the store has ever been complete.", _of(rows, "ready"))
    yield _gauge("live", "Whether the store is being kept up at this moment.", _of(rows, "live"))
    yield _gauge("phase", "1 for the phase that the reflector is in, 0 for the others.",
                 [((name, phase.value), status.phase is phase)
                  for name, _, status in rows for phase in Phase], "reflector", "phase")
    yield _gauge("last_contact_timestamp_seconds",
                 "When the API server was last heard of, in seconds since the epoch.",
                 _of(rows, "last_contact"))
    yield _gauge("retry_timestamp_seconds",
                 "When the API server is tried again after a failure, in seconds since the epoch.",
                 [((name,), _number(status, "retry_at")) for name, _, status in rows])
    scopes = [((name, scope), one) for name, _, status in rows
              for scope, one in status.namespaces.items()]
    yield _gauge("namespace_ready", "Whether one of several namespaces has been listed.",
                 [(labels, one.ready) for labels, one in scopes], "reflector", "namespace")
    yield _gauge("namespace_live", "Whether one of several namespaces is being kept up.",
                 [(labels, one.live) for labels, one in scopes], "reflector", "namespace")


def _what_is_there(rows: Rows) -> Iterator[Metric]:
    yield _gauge("objects", "Objects in the store.", _of(rows, "objects"))
    memory = [(name, one.store.memory()) for name, one, _ in rows]
    yield _gauge("stored_bytes", "Bytes of these objects, as they are kept.",
                 [((name,), held.bytes_at_rest) for name, held in memory])
    yield _gauge("decoded_objects", "Objects that are kept decoded, since somebody reads them.",
                 [((name,), held.decoded) for name, held in memory])


def _what_went_on(rows: Rows) -> Iterator[Metric]:
    yield _counter("events", "Events of watches that were applied, bookmarks included.",
                   _of(rows, "events"))
    yield _counter("relists", "Complete lists after the first, by what they were for.",
                   _by_reason(rows), "reflector", "reason")
    yield _counter("reconnects", "Watches after the first.", _of(rows, "reconnects"))
    yield _counter("failures", "Requests and streams that failed, by error and HTTP status.",
                   _by_error(rows), "reflector", "error", "code")
    yield _counter("poisoned_objects", "Times an object could not be stored, indexed or decoded.",
                   _of(rows, "poisoned"))
    yield _gauge("last_list_duration_seconds", "How long the last complete list took.",
                 [((name,), _number(status, "last_list_seconds")) for name, _, status in rows])


def _number(one: Any, name: str) -> float | None:
    value = getattr(one, name, None)
    return value if isinstance(value, (int, float)) else None


def _by_reason(rows: Rows) -> Samples:
    for name, _, status in rows:
        reasons: Mapping[Any, int] = getattr(status, "relist_reasons", {"": status.relists})
        yield from (((name, str(reason)), count) for reason, count in reasons.items())


def _by_error(rows: Rows) -> Samples:
    for name, _, status in rows:
        failures: Mapping[Any, int] = getattr(status, "failures", {})
        for (error, code), count in failures.items():
            yield (name, str(error), "" if code is None else str(code)), count
