"""kube_reflect.dispatcher.changes: values that can be copied, and sent to other processes."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from kube_reflect import Applied, Apply, Delete, Deleted, Resync
from kube_reflect.events import Reason

from tests.support.cache_helpers import feed, listed
from tests.support.objects import pod

COPIES: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda one: pickle.loads(pickle.dumps(one)), "copy": copy.copy,
    "deepcopy": copy.deepcopy}


@pytest.mark.parametrize("made", COPIES.values(), ids=COPIES.keys())
def test_changes_can_be_copied(made: Callable[[Any], Any]) -> None:
    writer, _ = listed(pod("a"))
    subscription = writer.subscribe(overflow="block")
    feed(writer, Apply(pod("a", version="2")), Apply(pod("a", version="3", uid="other")),
         Delete(pod("a", version="4")))
    writer.close()
    changes = list(subscription)
    assert [type(change) for change in changes] == [Applied, Applied, Deleted, Applied, Deleted]
    for change in [*changes, Resync(), Applied(pod("a"), pod("b")), Deleted(pod("a"), True)]:
        other = made(change)
        assert other == change and repr(other) == repr(change) and other is not change
        if not isinstance(change, Resync):
            assert other.ref == change.ref and other.ref.uid == change.ref.uid
        if isinstance(change, Deleted):
            assert other.reason is change.reason


def test_why_an_object_is_gone() -> None:
    assert Deleted({}).reason is Reason.DELETED and Deleted({}, True).reason is Reason.RELISTED
    writer, _ = listed(pod("a"))
    subscription = writer.subscribe(overflow="block")
    feed(writer, Apply(pod("a", version="3", uid="other")), Delete(pod("a", version="4")))
    writer.close()
    replaced, deleted = [one for one in subscription if isinstance(one, Deleted)]
    assert (replaced.inferred, replaced.reason) == (True, Reason.REPLACED)
    assert (deleted.inferred, deleted.reason) == (False, Reason.DELETED)
    assert repr(replaced) == "Deleted(Pod.v1./a.ns, inferred, replaced)"


def test_nothing_is_decoded_until_it_is_asked_for() -> None:
    decoded: list[str] = []

    def model(mapping: dict[str, Any]) -> dict[str, Any]:
        decoded.append(mapping["metadata"]["name"])
        return mapping

    writer, _ = listed(pod("a"), model=model)
    change = writer.subscribe().get(timeout=1)
    assert isinstance(change, Applied)
    assert change.is_new and change.ref.name == "a" and "a.ns" in repr(change) and decoded == []
    assert change.object["metadata"]["name"] == "a" and decoded == ["a"]
