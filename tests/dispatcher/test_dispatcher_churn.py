"""kube_reflect.dispatcher: replay and changes together are the store, whatever happens."""

from __future__ import annotations

import random
import threading
from collections import Counter
from typing import Any

import pytest

from kube_reflect import Applied, Apply, Delete, Resync, Writer

from tests.support.cache_helpers import feed, listed, relist, running
from tests.support.follower import Follower, name_of, versions
from tests.support.objects import pod

pytest.importorskip("hypothesis", reason="property tests need hypothesis, of the extra [dev]")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

NAMES = ["a", "b", "c", "d"]
OPERATIONS = st.one_of(
    st.tuples(st.just("apply"), st.sampled_from(NAMES)),
    st.tuples(st.just("anew"), st.sampled_from(NAMES)),
    st.tuples(st.just("delete"), st.sampled_from(NAMES)),
    st.tuples(st.just("relist"), st.sets(st.sampled_from(NAMES))),
    st.tuples(st.just("join"), st.sampled_from(["coalesce", "resync"])),
    st.tuples(st.just("take"), st.integers(1, 5)),
)


class History:
    """A writer with subscribers, all of one thread."""

    def __init__(self, buffer_size: int) -> None:
        self.writer, self.store = listed()
        self.buffer_size = buffer_size
        self.subscribers: list[tuple[Any, Follower]] = []
        self.version = 0
        self.gone: Counter[str] = Counter()

    def object(self, name: str, anew: bool) -> dict[str, Any]:
        self.version += 1
        known = self.store.get(name, "ns")
        uid = f"uid-{self.version}" if anew or known is None else known["metadata"]["uid"]
        return pod(name, version=str(self.version), uid=uid)

    def do(self, what: str, argument: Any) -> None:
        writer = self.writer
        match what:
            case "apply" | "anew":
                feed(writer, Apply(self.object(argument, what == "anew")))
            case "delete":
                if self.store.get(argument, "ns") is not None:
                    feed(writer, Delete(self.object(argument, False)))
            case "relist":
                relist(writer, *(self.object(name, self.version % 3 == 0) for name in argument),
                       version=str(self.version))
            case "join":
                subscription = writer.subscribe(buffer_size=self.buffer_size, overflow=argument)
                self.subscribers.append((subscription, Follower()))
            case "take":
                for subscription, follower in self.subscribers:
                    follower.drain(subscription, argument)


@settings(max_examples=80)
@given(st.lists(OPERATIONS, max_size=50), st.integers(1, 6))
def test_replay_and_changes_are_the_store(operations: list[tuple[str, Any]],
                                          buffer_size: int) -> None:
    history = History(buffer_size)
    history.do("join", "coalesce")
    for what, argument in operations:
        history.do(what, argument)
    for subscription, follower in history.subscribers:
        follower.drain(subscription)
        assert follower.versions() == versions(history.store)


@settings(max_examples=80)
@given(st.lists(OPERATIONS, max_size=50), st.integers(1, 6))
def test_no_deletion_of_what_was_seen_is_lost(operations: list[tuple[str, Any]],
                                              buffer_size: int) -> None:
    history = History(buffer_size)
    subscription, follower = history.writer.subscribe(buffer_size=buffer_size), Follower()
    seen: set[str] = set()
    for what, argument in operations:
        history.do(what, argument)
        if what == "take":
            follower.drain(subscription, argument)
            seen |= {uid for uid, _ in follower.versions().values()}
    follower.drain(subscription)
    there = {uid for uid, _ in versions(history.store).values()}
    assert seen - there <= {uid for uid, _ in follower.deleted}
    uids = [uid for uid, _ in follower.deleted]
    assert len(uids) == len(set(uids)), "each deletion is told once"


def churn(writer: Writer, changes: int, seed: int) -> None:
    rng = random.Random(seed)
    uids: dict[str, str] = {}
    for version in range(1, changes + 1):
        name = f"p{rng.randrange(25)}"
        roll = rng.random()
        if roll < 0.02:
            uids = {f"p{number}": f"uid-{version}-{number}" for number in range(rng.randrange(25))}
            relist(writer, *(pod(one, version=str(version), uid=uid) for one, uid in uids.items()),
                   version=str(version))
        elif roll < 0.3 and name in uids:
            feed(writer, Delete(pod(name, version=str(version), uid=uids.pop(name))))
        else:
            if roll > 0.9:
                uids[name] = f"uid-{version}"
            uid = uids.setdefault(name, f"uid-{version}")
            feed(writer, Apply(pod(name, version=str(version), uid=uid)))
    writer.close()


@pytest.mark.parametrize(("overflow", "buffer_size"), [
    ("coalesce", 1), ("coalesce", 1000), ("block", 3), ("resync", 4), ("resync", 1000),
])
def test_threads_that_join_in_the_middle(overflow: str, buffer_size: int) -> None:
    writer, store = listed()
    followers: list[Follower] = []
    lock = threading.Lock()

    def join_often() -> None:
        while not writer._cache.ended:
            follower = Follower()
            subscription = writer.subscribe(overflow=overflow, buffer_size=buffer_size)
            with lock:
                followers.append(follower)
            if len(followers) % 5 and not writer._cache.ended:
                # This one leaves again.
                follower.drain(subscription, 20)
                subscription.close()
                with lock:
                    followers.remove(follower)
            else:
                follower.follow(subscription)

    # A writer that waits for its subscribers is switched to and fro.
    changes = 400 if overflow == "block" else 3000
    with running(lambda: churn(writer, changes, 7), join_often, join_often, join_often):
        pass
    last = writer.subscribe()
    follower = Follower()
    follower.follow(last)
    assert [one.versions() for one in [*followers, follower]] == (
        [versions(store)] * (len(followers) + 1))


@pytest.mark.parametrize("overflow", ["coalesce", "block", "resync"])
def test_threads_that_share_a_subscription(overflow: str) -> None:
    """One object is with one thread at a time, and in the end all have seen all."""
    writer, store = listed()
    subscription = writer.subscribe(overflow=overflow, buffer_size=20)
    in_hand: Counter[Any] = Counter()
    seen: dict[Any, Any] = {}
    lock = threading.Lock()
    resyncs: list[int] = []

    def work() -> None:
        for change in subscription:
            if isinstance(change, Resync):
                resyncs.append(1)
                continue
            name = name_of(change.object)
            with lock:
                in_hand[name] += 1
                assert in_hand[name] == 1, f"two threads have {name}"
            known = seen.get(name)
            if isinstance(change, Applied):
                seen[name] = change.object
            else:
                seen.pop(name, None)
            with lock:
                in_hand[name] -= 1
            assert known is None or int(known["metadata"]["resourceVersion"]) <= int(
                change.object["metadata"]["resourceVersion"]), "in order"

    with running(lambda: churn(writer, 3000, 11), *[work] * 4):
        pass
    if not resyncs:
        # Who gets a resync would have to begin anew, and which thread does is chance.
        assert versions(seen.values()) == versions(store)
    assert subscription.get() is None
