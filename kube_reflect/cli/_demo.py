"""The demonstration: a cluster, a reflector, readers, a view, and a proof in the end."""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from kube_reflect.cli._arguments import seconds as some_seconds
from kube_reflect.cli._connection import client_from
from kube_reflect.cli._failure import CommandFailed, in_one_line
from kube_reflect.cli._frames import Frame, Rates, line
from kube_reflect.cli._living import LivingCluster
from kube_reflect.cli._proof import Proof, prove
from kube_reflect.reflector import Reflector
from kube_reflect.store import Store

__all__ = ["add_to", "run"]

_DESCRIPTION = """\
Show a cache of pods that follows a cluster, while several threads read it. In the end, compare
the cache with the server. Without a kubeconfig, the cluster is a small API server in this
process, whose pods come, change and go. With one, it is that cluster, which is only read."""

#: How long it runs where nobody can press Ctrl-C, in seconds.
_UNATTENDED = 8.0
#: Seconds until the first list must be complete, and for the cache to catch up in the end.
_READY, _CATCH_UP = 10.0, 3.0
_READERS = 4
#: Objects that a reader reads in a burst, and seconds between two bursts.
_BURST, _PAUSE = 200, 0.01


class _Target(NamedTuple):
    """What is followed; ``living`` is None for a real cluster."""

    title: str
    note: str
    api_client: client.ApiClient
    living: LivingCluster | None


class _Readers:
    """Threads that read the cache, and count how often."""

    def __init__(self, store: Store[dict[str, Any]]) -> None:
        self._store = store
        self._stop = threading.Event()
        #: Each thread counts in a place of its own.
        self._counts = [0] * _READERS
        self._threads = [threading.Thread(target=self._read, args=(number,), daemon=True,
                                          name=f"kube-reflect-demo:reader-{number}")
                         for number in range(_READERS)]

    def __enter__(self) -> _Readers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def count(self) -> int:
        """How many reads there were."""
        return sum(self._counts)

    def _read(self, number: int) -> None:
        chance = random.Random(number)
        store = self._store
        chosen: list[tuple[str, str | None]] = []
        choose_at = 0.0
        while not self._stop.wait(_PAUSE):
            if time.monotonic() >= choose_at:
                choose_at = time.monotonic() + 1
                refs = store.keys()
                chosen = [(ref.name, ref.namespace)
                          for ref in chance.sample(refs, min(_BURST, len(refs)))]
            for name, namespace in chosen:
                store.get(name, namespace)
            self._counts[number] += len(chosen)


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "demo", help="show a cache that follows a cluster", description=_DESCRIPTION)
    parser.add_argument(
        "--kubeconfig", metavar="PATH", default=os.environ.get("KUBECONFIG") or None,
        help="follow the pods of this cluster, reading only (default: $KUBECONFIG, if set)")
    parser.add_argument(
        "--seconds", metavar="N", type=some_seconds,
        help="end after so many (default: on a terminal with Ctrl-C, else after 8)")
    parser.set_defaults(run=lambda options: run(kubeconfig=options.kubeconfig,
                                                seconds=options.seconds))


def run(*, kubeconfig: str | None, seconds: float | None) -> int:
    """Run the demonstration on standard output, and return the exit code.

    :param kubeconfig: of the cluster to follow; None for one in this process.
    :param seconds: how long; None until it is interrupted or, where standard output is no
        terminal, for some seconds.
    :raises CommandFailed: if the cluster cannot be followed.
    """
    on_terminal = sys.stdout.isatty()
    if seconds is None and not on_terminal:
        seconds = _UNATTENDED
    with _target(kubeconfig) as target:
        v1 = client.CoreV1Api(target.api_client)
        with Reflector(v1.list_pod_for_all_namespaces, model=dict, name="demo",
                       when_not_ready="empty") as pods:
            with _Readers(pods.store) as readers:
                _follow(target, pods, readers, seconds, on_terminal)
                reads = readers.count
            if target.living is not None:
                target.living.stop()
            status = pods.status
            print(f"{reads:,} reads, {status.events:,} events, {status.reconnects} reconnects, "
                  f"{status.relists} relists", flush=True)
            try:
                proof = prove(v1, pods.store, exact=target.living is not None,
                              patience=_CATCH_UP)
            except (ApiException, HTTPError) as error:
                raise CommandFailed("the pods cannot be listed, to compare the cache with them: "
                                    + in_one_line(error)) from error
    return _report(proof, target)


@contextlib.contextmanager
def _target(kubeconfig: str | None) -> Iterator[_Target]:
    if kubeconfig is None:
        living = LivingCluster()
        try:
            living.start()
            with living.server.api_client() as api_client:
                yield _Target(f"pods of an API server in this process, {living.server.url}",
                              "Early on, its connections are cut.", api_client, living)
        finally:
            living.close()
        return
    with client_from(kubeconfig) as api_client:
        yield _Target(f"pods of {api_client.configuration.host}", "It is only read.",
                      api_client, None)


def _follow(target: _Target, pods: Reflector[Any], readers: _Readers, seconds: float | None,
            on_terminal: bool) -> None:
    """Show the cache until the time is over, or Ctrl-C is pressed."""
    began = time.monotonic()
    rates = Rates(time.monotonic)
    camera = _Camera(target, pods, readers, rates, began)
    with _shown(target, rates, on_terminal) as (show, every):
        pause = threading.Event()
        try:
            while seconds is None or time.monotonic() - began < seconds:
                left = every if seconds is None else began + seconds - time.monotonic()
                pause.wait(max(0.0, min(every, left)))
                show(camera.take())
                _check_ready(pods, time.monotonic() - began)
        except KeyboardInterrupt:
            if not pods.store.ready:
                raise
    if not pods.store.ready:
        raise _not_ready(pods)


@contextlib.contextmanager
def _shown(target: _Target, rates: Rates, on_terminal: bool
           ) -> Iterator[tuple[Callable[[Frame], object], float]]:
    """Return what shows a frame, and the seconds between two."""
    if on_terminal and os.environ.get("TERM") != "dumb":
        with contextlib.suppress(ImportError):
            from kube_reflect.cli._view import View
            with View(target.title, target.note, rates) as view:
                yield view.show, 0.25
            return
    print(f"{target.title}. {target.note}", flush=True)
    yield lambda frame: print(line(frame), flush=True), 1.0


def _check_ready(pods: Reflector[Any], elapsed: float) -> None:
    """Raise for a list that will not come; the library would go on."""
    if not pods.store.ready and (pods.status.code == 403 or elapsed > _READY):
        raise _not_ready(pods)


def _not_ready(pods: Reflector[Any]) -> CommandFailed:
    status = pods.status
    if status.last_error is None:
        return CommandFailed("the first list of pods did not come to its end in time")
    advice = {
        401: "; the credentials of the kubeconfig are not accepted",
        403: "; the user of the kubeconfig needs the verbs list and watch on pods in all "
             "namespaces",
    }.get(status.code or 0, "")
    return CommandFailed(f"the pods cannot be listed: {status.last_error}{advice}")


class _Camera:
    """Takes frames."""

    def __init__(self, target: _Target, pods: Reflector[Any], readers: _Readers, rates: Rates,
                 began: float) -> None:
        self._target = target
        self._pods = pods
        self._readers = readers
        self._rates = rates
        self._began = began
        self._error: BaseException | None = None
        self._error_at = 0.0
        rates.update(0, 0)

    def take(self) -> Frame:
        now = time.monotonic()
        status = self._pods.status
        events, reads = self._rates.update(status.events, self._readers.count)
        if status.last_error is not self._error:
            self._error, self._error_at = status.last_error, now
        counted: dict[str, Counter[str]] = {}
        for pod in self._pods.store.state():
            phase = pod.get("status", {}).get("phase", "Unknown")
            counted.setdefault(pod["metadata"]["namespace"], Counter())[phase] += 1
        living = self._target.living
        server = None if living is None else (len(living), living.server.resource_version)
        age = None if self._error is None else now - self._error_at
        return Frame(now - self._began, status, max(0.0, time.time() - status.since), events,
                     reads, server, age, counted)


def _report(proof: Proof, target: _Target) -> int:
    before, cached, after = proof.before, proof.cached, proof.after
    if proof.exact:
        print(f"server: {len(after.states):,} pods in a LIST at version {after.version}\n"
              f"cache:  {len(cached.states):,} pods at version {cached.version}\n"
              "compared object by object (uid, resourceVersion): the cache equals the server")
        return 0
    print(f"server: {len(before.states):,} pods in a LIST at version {before.version}, "
          f"{len(after.states):,} in one at {after.version}\n"
          f"cache:  {len(cached.states):,} pods at version {cached.version}, in between")
    for what in proof.wrong[:10]:
        print(f"  {what}")
    if proof.wrong or target.living is not None:
        print(f"the cache does NOT equal the server: {len(proof.wrong):,} objects differ")
        return 1
    print("compared object by object (uid, resourceVersion): the cache equals the server"
          + (f" ({proof.changed:,} that changed in between left out)" if proof.changed else ""))
    return 0
