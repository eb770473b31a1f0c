"""Whether the cache equals the server, told from lists of the server's own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from kube_reflect.store import Snapshot, Store

__all__ = ["Listing", "Proof", "compare", "list_pods", "prove"]

#: By namespace and name, what tells one state of an object from all others: uid and
#: resourceVersion.
States = Mapping[tuple[str, str], tuple[str, str]]

_PAGE = 500


@dataclass(frozen=True)
class Listing:
    """Objects of one moment, and the resource version of that moment."""

    version: str | None
    states: States


@dataclass(frozen=True)
class Proof:
    """The cache of one moment, against a LIST before and a LIST after it.

    :param before: the LIST before.
    :param cached: the cache.
    :param after: the LIST after.
    :param changed: objects that changed on the server between the lists, and may be either way.
    :param wrong: objects that did not, and are otherwise in the cache.
    """

    before: Listing
    cached: Listing
    after: Listing
    changed: int
    wrong: tuple[str, ...]

    @property
    def exact(self) -> bool:
        """Whether all three are of one resource version, and equal."""
        return (self.before == self.cached == self.after and not self.wrong)


def list_pods(v1: client.CoreV1Api) -> Listing:
    """List the pods of all namespaces with the official client alone.

    :raises ApiException: if the server refuses.
    """
    # Typed as a V1PodList, which without preloading it is not.
    request: Any = v1.list_pod_for_all_namespaces
    states: dict[tuple[str, str], tuple[str, str]] = {}
    following: dict[str, str] = {}
    while True:
        answer = request(limit=_PAGE, _preload_content=False, _request_timeout=(5, 15),
                         **following)
        try:
            if answer.status != 200:
                raise ApiException(http_resp=answer)
            page = json.loads(answer.data)
        finally:
            answer.release_conn()
        states.update(map(_state, page["items"]))
        if not page["metadata"].get("continue"):
            return Listing(page["metadata"].get("resourceVersion"), states)
        following = {"_continue": page["metadata"]["continue"]}


def _state(pod: Mapping[str, Any]) -> tuple[tuple[str, str], tuple[str, str]]:
    metadata = pod["metadata"]
    return ((metadata["namespace"], metadata["name"]),
            (metadata["uid"], metadata["resourceVersion"]))


def _cached(snapshot: Snapshot[dict[str, Any]]) -> Listing:
    return Listing(snapshot.resource_version, dict(map(_state, snapshot.state())))


def compare(before: Listing, cached: Listing, after: Listing) -> Proof:
    """Compare the cache with a list before and a list after it."""
    changed = 0
    wrong = []
    for key in sorted({*before.states, *cached.states, *after.states}):
        old, here, new = (one.states.get(key) for one in (before, cached, after))
        if old != new or (old is None and here is not None and _is_newer(here, before)):
            changed += 1
        elif here != old:
            what = ("only in the cache" if old is None else
                    "only on the server" if here is None else "of another version")
            wrong.append(f"{key[0]}/{key[1]}: {what}")
    return Proof(before, cached, after, changed, tuple(wrong))


def _is_newer(state: tuple[str, str], listing: Listing) -> bool:
    """Return whether it was made after a list, and so may have come and gone between two."""
    try:
        return int(state[1]) > int(listing.version or "")
    except ValueError:
        return False


def prove(v1: client.CoreV1Api, store: Store[dict[str, Any]], *, exact: bool, patience: float
          ) -> Proof:
    """Compare until the cache equals the server, or patience ends.

    :param exact: wait until all is of one resource version; where the server never rests, that
        cannot be had.
    :param patience: seconds that the cache has to come up with the first list.
    :raises ApiException: if the server refuses to list.
    """
    deadline = time.monotonic() + patience
    pause = threading.Event()
    before = list_pods(v1)
    while True:
        cached = _cached(store.snapshot())
        proof = compare(before, cached, list_pods(v1))
        if (proof.exact if exact else not proof.wrong) or time.monotonic() > deadline:
            return proof
        pause.wait(0.2)
