"""kube_reflect.dispatcher: replay and changes together are the store, whatever happens."""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from kube_reflect import Applied, Apply, Delete, Resync, Writer

from tests.support.cache_helpers import feed, listed, relist, running
from tests.support.follower import Follower, key_of, versions
from tests.support.objects import pod

pytest.importorskip("hypothesis", reason="property tests need hypothesis, of the extra [dev]")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

NAMES = st.sampled_from(["a", "b", "c", "d"])


class Put(NamedTuple):
    """An object is created or changed; anew: it was deleted and created again, unseen."""

    name: str
    anew: bool


class Remove(NamedTuple):
    """An object is deleted, if it is there."""

    name: str


class Relist(NamedTuple):
    """A list has these objects, and of each whether it was created anew."""

    names: dict[str, bool]


class Join(NamedTuple):
    """Somebody subscribes."""

    overflow: str


class Take(NamedTuple):
    """Each subscriber takes so many changes."""

    most: int


Operation = Put | Remove | Relist | Join | Take
OPERATIONS = st.lists(st.one_of(
    st.builds(Put, NAMES, st.booleans()),
    st.builds(Remove, NAMES),
    st.builds(Relist, st.dictionaries(NAMES, st.booleans())),
    st.builds(Join, st.sampled_from(["coalesce", "resync"])),
    st.builds(Take, st.integers(1, 5)),
), max_size=50)


class History:
    """A writer with subscribers, all of one thread; the first has subscribed before anything."""

    def __init__(self, buffer_size: int) -> None:
        self.writer, self.store = listed()
        self.buffer_size = buffer_size
        self.subscribers: list[Follower] = []
        self.version = 0
        self.do(Join("coalesce"))

    def object(self, name: str, anew: bool = False) -> dict[str, Any]:
        """Return the next version of an object; if it is new, or anew, with a uid of its own."""
        self.version += 1
        known = self.store.get(name, "ns")
        uid = f"uid-{self.version}" if anew or known is None else known["metadata"]["uid"]
        return pod(name, version=str(self.version), uid=uid)

    def do(self, operation: Operation) -> None:
        writer = self.writer
        match operation:
            case Put(name, anew):
                feed(writer, Apply(self.object(name, anew)))
            case Remove(name):
                if self.store.get(name, "ns") is not None:
                    feed(writer, Delete(self.object(name)))
            case Relist(names):
                objects = [self.object(name, anew) for name, anew in names.items()]
                relist(writer, *objects, version=str(self.version))
            case Join(overflow):
                subscription = writer.subscribe(buffer_size=self.buffer_size, overflow=overflow)
                self.subscribers.append(Follower(subscription))
            case Take(most):
                for follower in self.subscribers:
                    follower.drain(most)


@settings(max_examples=80)
@given(OPERATIONS, st.integers(1, 6))
def test_replay_and_changes_are_the_store(operations: list[Operation], buffer_size: int) -> None:
    history = History(buffer_size)
    for operation in operations:
        history.do(operation)
    for follower in history.subscribers:
        follower.drain()
        assert follower.versions() == versions(history.store)


@settings(max_examples=80)
@given(OPERATIONS, st.integers(1, 6))
def test_no_deletion_of_what_was_seen_is_lost(operations: list[Operation],
                                              buffer_size: int) -> None:
    history = History(buffer_size)
    [follower] = history.subscribers
    seen: set[str] = set()
    for operation in operations:
        history.do(operation)
        seen |= {uid for uid, _ in follower.versions().values()}
    follower.drain()
    there = {uid for uid, _ in versions(history.store).values()}
    deleted = [uid for uid, _ in follower.deleted]
    assert seen - there <= set(deleted)
    assert len(deleted) == len(set(deleted)), "each deletion is told once"


#: Of a hundred steps of `churn`, how many are what.
STEPS = {"relist": 2, "delete": 28, "replace": 10, "change": 60}
#: Among how many names it chooses.
PODS = 25


def churn(writer: Writer, changes: int, seed: int,
          is_enough: Callable[[], bool] = lambda: True) -> None:
    """Write so many changes or more, by chance, until it is enough, and close the writer."""
    rng = random.Random(seed)
    uids: dict[str, str] = {}
    for number in itertools.count(1):
        if number > changes and is_enough():
            break
        version = str(number)
        name = f"p{rng.randrange(PODS)}"
        [step] = rng.choices(list(STEPS), list(STEPS.values()))
        if step == "relist":
            uids = {f"p{at}": f"uid-{version}-{at}" for at in range(rng.randrange(PODS))}
            relist(writer, *(pod(one, version=version, uid=uid) for one, uid in uids.items()),
                   version=version)
        elif step == "delete" and name in uids:
            feed(writer, Delete(pod(name, version=version, uid=uids.pop(name))))
        else:
            if step == "replace" or name not in uids:
                uids[name] = f"uid-{version}"
            feed(writer, Apply(pod(name, version=version, uid=uids[name])))
    writer.close()


@pytest.mark.parametrize(("overflow", "buffer_size"), [
    ("coalesce", 1), ("coalesce", 1000), ("block", 3), ("resync", 4), ("resync", 1000),
])
def test_threads_that_join_in_the_middle(overflow: str, buffer_size: int) -> None:
    writer, store = listed()
    over = threading.Event()
    # Of those who stay to the end.
    followers: list[Follower] = []
    numbers = itertools.count()

    def change() -> None:
        try:
            # A writer that waits for its subscribers is switched to and fro.
            churn(writer, 400 if overflow == "block" else 3000, seed=7)
        finally:
            over.set()

    def join_often() -> None:
        while not over.is_set():
            follower = Follower(
                writer.subscribe(overflow=overflow, buffer_size=buffer_size))
            if next(numbers) % 5:
                follower.drain(20)
                follower.subscription.close()
            else:
                follower.follow()
                followers.append(follower)

    with running(change, join_often, join_often, join_often):
        pass
    # Who joins after the end is shown what there is, too.
    follower = Follower(writer.subscribe())
    follower.follow()
    followers.append(follower)
    assert all(one.versions() == versions(store) for one in followers)


@pytest.mark.parametrize("overflow", ["coalesce", "block", "resync"])
def test_threads_that_share_a_subscription(overflow: str) -> None:
    """One object is with one thread at a time, and in the end all have seen all."""
    writer, store = listed()
    subscription = writer.subscribe(overflow=overflow, buffer_size=20)
    processing: Counter[Any] = Counter()
    seen: dict[Any, Any] = {}
    lock = threading.Lock()
    resynced = threading.Event()

    def work() -> None:
        for change in subscription:
            if isinstance(change, Resync):
                resynced.set()
                continue
            name = key_of(change.object)
            with lock:
                processing[name] += 1
                assert processing[name] == 1, f"two threads have {name}"
            known = seen.get(name)
            if isinstance(change, Applied):
                seen[name] = change.object
            else:
                seen.pop(name, None)
            with lock:
                processing[name] -= 1
            assert known is None or int(known["metadata"]["resourceVersion"]) <= int(
                change.object["metadata"]["resourceVersion"]), "in order"

    with running(lambda: churn(writer, 3000, seed=11), *[work] * 4):
        pass
    if not resynced.is_set():
        # Who gets a resync would have to begin anew, and which thread does is chance.
        assert versions(seen.values()) == versions(store)
    assert subscription.get() is None
