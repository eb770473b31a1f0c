"""The application that gunicorn serves while faults are played: five reflectors of five shapes.

Each has a subscriber and a handler that note what they are told. Requests read in all ways, and
are interrupted amid that: by a soft time limit in the main thread, by an exception that is thrown
into another.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import random
import signal
import threading
import traceback
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from kubernetes import client, config

from kube_reflect import Applied, Config, Deleted, InitialListStrategy, NotReady, Reflector
from kube_reflect.contrib import workers

from ._watched import Key, Versions, quick

NAMESPACES = os.environ["CHAOS_NAMESPACES"].split(",")
#: What the shape that watches some namespaces watches, and what the selector selects.
SOME = NAMESPACES[:3]
SELECTED = ("web", "db")

_draw = random.Random()

# The faults are meant.
logging.basicConfig(level=logging.ERROR)


class Limit(Exception):
    """The time of a request is over."""


def identity(obj: Any) -> tuple[Key, str]:
    """Return the key and the version of an object, typed or not."""
    if isinstance(obj, dict):
        metadata = obj["metadata"]
        return (metadata["namespace"], metadata["name"]), metadata["resourceVersion"]
    metadata = obj.metadata
    return (metadata.namespace, metadata.name), metadata.resource_version


def _by_app(obj: dict[str, Any]) -> list[str]:
    return [obj["metadata"]["labels"]["app"]]


def _without_spec(obj: dict[str, Any]) -> dict[str, Any]:
    obj["metadata"].pop("managedFields", None)
    return {key: obj[key] for key in ("apiVersion", "kind", "metadata")}


class Watched:
    """A reflector, and who listens to it, by a subscription and by a handler."""

    def __init__(self, reflector: Reflector[Any]) -> None:
        self.reflector = workers.add(reflector)
        self.subscribed: Versions = {}
        self.handled: Versions = {}
        reflector.add_handler(self._set, lambda old, new: self._set(new), self._remove,
                              self.handled.clear)
        self._subscription = reflector.subscribe()
        threading.Thread(target=self._listen, name=f"listener-{reflector.name}",
                         daemon=True).start()

    def _set(self, obj: Any) -> None:
        key, version = identity(obj)
        self.handled[key] = version

    def _remove(self, obj: Any) -> None:
        self.handled.pop(identity(obj)[0], None)

    def _listen(self) -> None:
        for change in self._subscription:
            if isinstance(change, Applied):
                key, version = identity(change.object)
                self.subscribed[key] = version
            elif isinstance(change, Deleted):
                self.subscribed.pop(identity(change.object)[0], None)
            else:
                self.subscribed.clear()

    def differences(self, expected: Versions) -> list[str]:
        """Say in what it is not the server; nothing if it is."""
        store = self.reflector.store
        found = {"store": dict(map(identity, store.state())),
                 "index": dict(identity(obj) for app in store.index_values("app")
                               for obj in store.by_index("app", app)),
                 # (Refs tell no version, so what is found is the key.)
                 "keys": {key: expected.get(key, "") for ref in store.keys()
                          for key in [(ref.namespace or "", ref.name)]},
                 "subscriber": dict(self.subscribed), "handler": dict(self.handled)}
        return [f"{self.reflector.name}: {what}: {len(have.keys() - expected.keys())} too many, "
                f"{len(expected.keys() - have.keys())} missing, "
                f"{sum(have[key] != expected[key] for key in have.keys() & expected)} of another "
                "version" for what, have in found.items() if have != expected]


def _all() -> dict[str, Watched]:
    config.load_kube_config()
    v1 = client.CoreV1Api()
    everywhere = v1.list_pod_for_all_namespaces
    made: list[Reflector[Any]] = [
        Reflector(everywhere, name="typed", config=Config(idle_timeout=20), backoff=quick(),
                  indexers={"app": _by_app}),
        Reflector(everywhere, name="plain", model=dict, copies=True, backoff=quick(),
                  config=Config(initial_list_strategy=InitialListStrategy.LIST_WATCH,
                                idle_timeout=30, gzip=True), indexers={"app": _by_app}),
        Reflector(everywhere, name="metadata", metadata_only=True, backoff=quick(),
                  config=Config(idle_timeout=30, timeout=60), indexers={"app": _by_app}),
        Reflector(v1.list_namespaced_pod, name="namespaces", namespaces=SOME, backoff=quick,
                  config=Config(idle_timeout=30), indexers={"app": _by_app}),
        Reflector(everywhere, name="selector", transform=_without_spec, model=dict,
                  config=Config(label_selector=f"app in ({','.join(SELECTED)})", idle_timeout=30),
                  indexers={"app": _by_app}),
    ]
    return {one.name: Watched(one) for one in made}


watched = _all()


def _read() -> None:
    """Read in some way, and check what must be true at any moment."""
    reflector = _draw.choice(list(watched.values())).reflector
    store = reflector.store
    way = _draw.randrange(7)
    if way == 0:
        for obj in store.state(namespace=_draw.choice(NAMESPACES)):
            identity(obj)
    elif way == 1:
        snapshot = store.snapshot()
        indexed = sum(len(snapshot.by_index("app", app)) for app in snapshot.index_values("app"))
        assert indexed == len(snapshot), f"{indexed} in the index of {len(snapshot)} objects"
    elif way == 2:
        with reflector.subscribe(buffer_size=16) as subscription:
            for count, _ in enumerate(subscription):
                if count > 200:
                    break
    elif way == 3:
        store.find(lambda obj: identity(obj)[0][1].endswith("77"))
    elif way == 4:
        store.state(labels="app=web")
    elif way == 5:
        for ref in store.keys()[:500]:
            store.get(ref)
    status = reflector.status
    assert status.thread_alive, f"{reflector.name}: the thread is dead"


def _reads() -> None:
    for _ in range(10):
        _read()


def _limited(seconds: float) -> str:
    """Read, until the time is over; in the main thread."""
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            _reads()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except Limit:
        return "interrupted"
    return "finished"


def _thrown(seconds: float) -> str:
    """Likewise, in another thread, into which the exception is thrown."""
    outcome: list[str] = []

    def run() -> None:
        try:
            try:
                _reads()
                outcome.append("finished")
            except Limit:
                outcome.append("interrupted")
            except NotReady:
                outcome.append("not ready")
            except BaseException:
                outcome.append(traceback.format_exc())
        except Limit:
            outcome.append("interrupted")

    thread = threading.Thread(target=run, name="reading")
    thread.start()
    thread.join(seconds)
    if thread.is_alive() and thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident),
                                                   ctypes.py_object(Limit))
    thread.join(90)
    assert not thread.is_alive(), "the thread is stuck"
    assert outcome[-1:] in (["finished"], ["interrupted"], ["not ready"]), outcome
    return outcome[-1]


def _compare(path: str) -> list[str]:
    with open(path) as file:
        expected = json.load(file)
    return [found for name, one in watched.items()
            for found in one.differences({tuple(key.split("/")): version
                                          for key, version in expected[name].items()})]


def _expire(*_: object) -> None:
    raise Limit


signal.signal(signal.SIGALRM, _expire)


def _status() -> dict[str, Any]:
    return {name: {"objects": status.objects, "events": status.events, "relists": status.relists,
                   "reconnects": status.reconnects, "phase": status.phase.value,
                   "ready": status.ready, "live": status.live, "last_error":
                   status.last_error and str(status.last_error)[:200]}
            for name, one in watched.items() for status in [one.reflector.status]}


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer, as WSGI has it."""
    query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    pages: dict[str, Callable[[], Any]] = {
        "/limited": lambda: _limited(float(query["seconds"])),
        "/thrown": lambda: _thrown(float(query["seconds"])),
        "/compare": lambda: _compare(query["path"]),
        "/status": _status,
    }
    try:
        code, found = "200 OK", pages[environ["PATH_INFO"]]()
    except NotReady as error:
        code, found = "503 Service Unavailable", str(error)
    except Exception:
        code, found = "500 Internal Server Error", traceback.format_exc()
    body = json.dumps({"pid": os.getpid(), "found": found}).encode()
    start_response(code, [("Content-Type", "application/json"),
                          ("Content-Length", str(len(body)))])
    return [body]
