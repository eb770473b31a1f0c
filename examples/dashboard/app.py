"""The application: one page, and one stream of server-sent events for each who looks at it."""

from __future__ import annotations

import collections
import itertools
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

from cluster import LivingCluster
from flask import Flask, Response, render_template, request
from kubernetes import client

from kube_reflect import Applied, Deleted, Resync, Status, Subscription
from kube_reflect.contrib.flask import Declared, KubeReflect, health

#: Seconds between two looks at how the reflector is.
EVERY = 0.25


class Journal:
    """The last changes of a reflector's phase, each with a number."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._entries: collections.deque[tuple[int, dict[str, Any]]] = collections.deque(maxlen=40)

    def add(self, status: Status) -> None:
        """Note a phase; called by the reflector's thread."""
        error = status.last_error if status.phase.value == "backing off" else None
        self._entries.append((next(self._numbers), {
            "phase": status.phase.value, "error": error and str(error),
            "at": datetime.now(timezone.utc).isoformat()}))

    def since(self, number: int) -> list[tuple[int, dict[str, Any]]]:
        """Return what came after a number."""
        return [entry for entry in self._entries.copy() if entry[0] > number]


def described(pod: client.V1Pod) -> dict[str, Any]:
    """Return what the page shows of a pod; nothing else of it is ever decoded."""
    assert pod.metadata is not None
    return {
        "namespace": pod.metadata.namespace, "name": pod.metadata.name,
        "node": pod.spec and pod.spec.node_name,
        "phase": ("Terminating" if pod.metadata.deletion_timestamp
                  else pod.status and pod.status.phase) or "Unknown",
    }


def message(event: str, data: Any) -> str:
    """Return a server-sent event."""
    return f"event: {event}\ndata: {json.dumps(data)}\n\n"


def messages(changes: Subscription[client.V1Pod], status: Callable[[], Status],
             journal: Journal) -> Iterator[str]:
    """Yield what one who looks at the page is told, until the one goes away."""
    told = 0
    with changes:
        yield message("hello", {})
        while True:
            try:
                change = changes.get(timeout=EVERY)
            except TimeoutError:
                change = None
            match change:
                case Applied(pod):
                    yield message("applied", described(pod) | {"new": change.is_new})
                    if changes.pending:
                        continue
                case Deleted():
                    yield message("deleted", {
                        "namespace": change.ref.namespace, "name": change.ref.name,
                        "inferred": change.inferred})
                case Resync():
                    yield message("hello", {})
                case None if changes.is_over:
                    return
            for told, entry in journal.since(told):
                yield message("phase", entry)
            yield message("status", status().to_dict())


def create_app(cluster: LivingCluster | None = None) -> tuple[Flask, Callable[[], None]]:
    """Make the application.

    :param cluster: a fake one, which the page's buttons may let fail; None for the cluster that
        the kubeconfig says.
    :return: the application, and what closes its reflector.
    """
    app = Flask(__name__)
    if cluster is not None:
        app.config["KUBE_REFLECT_CLIENT"] = cluster.server.api_client
    kube = KubeReflect()
    pods: Declared[client.V1Pod] = kube.reflector(
        "pods", client.CoreV1Api.list_pod_for_all_namespaces)
    kube.init_app(app)
    app.register_blueprint(health)
    journal = Journal()
    listening: list[Callable[[], None]] = []

    @app.get("/")
    def index() -> str:
        return render_template("index.html", faults=[] if cluster is None else cluster.FAULTS)

    @app.get("/events")
    def events() -> Response:
        reflector = pods.reflector
        if not listening:
            journal.add(reflector.status)
            listening.append(reflector.on_phase(journal.add))
        return Response(messages(pods.subscribe(overflow="resync"), lambda: reflector.status,
                                 journal),
                        mimetype="text/event-stream", headers={"Cache-Control": "no-store"})

    @app.post("/faults")
    def faults() -> tuple[str, int]:
        if cluster is None or request.form["what"] not in cluster.FAULTS:
            return "", 404
        cluster.fail(request.form["what"])
        return "", 204

    return app, lambda: kube.close(app)
