"""kube_reflect.store.waiting, through Store.wait_for and Store.wait_for_version"""

from __future__ import annotations

import threading
from typing import Any

import pytest

from kube_reflect import (
    ApiResource, Apply, Bookmark, Delete, InitialListFailed, NotReady, ObjectRef, Writer,
    WriterDropped,
)
from kube_reflect.conditions import Condition, is_created, is_deleted
from kube_reflect.store import Cache

from tests.support.cache_helpers import feed, listed, relist, running
from tests.support.objects import node, pod
from tests.support.waiting import DEADLINE, wait_until


def has_version(version: str) -> Condition:
    return Condition(lambda obj: obj is not None and obj["metadata"]["resourceVersion"] == version,
                     f"has_version({version})")


def waits(writer: Writer, count: int = 1) -> bool:
    return len(writer._cache.listeners) + len(writer._cache.waiters._waiting) == count


def test_what_holds_already_returns_at_once() -> None:
    writer, store = listed(pod("a"))
    assert store.wait_for("a", is_created, 0, namespace="ns") is store.get("a", "ns")
    assert store.wait_for(ObjectRef("a", "ns"), is_created) is store.get("a", "ns")
    assert store.wait_for("b", ~is_created, 0, namespace="ns") is None
    assert waits(writer, 0)


def test_objects_without_a_namespace() -> None:
    writer, store = listed(node("n"))
    assert store.wait_for("n", is_created, 0) == node("n")
    assert store.wait_for("n", is_created, 0, namespace="whatever") == node("n")
    with running(lambda: store.wait_for("n", has_version("2"), DEADLINE, namespace="whatever")):
        wait_until(lambda: waits(writer))
        feed(writer, Apply(node("n", "2")))


def test_it_wakes_on_the_change() -> None:
    writer, store = listed(pod("a"))
    found: list[Any] = []
    with running(lambda: found.append(
            store.wait_for("a", has_version("3"), DEADLINE, namespace="ns"))):
        wait_until(lambda: waits(writer))
        feed(writer, Apply(pod("a", version="2")), Apply(pod("b", version="3")))
        assert not found
        feed(writer, Apply(pod("a", version="3")))
    assert found == [pod("a", version="3")] and found[0] is store.get("a", "ns")
    assert waits(writer, 0)


def test_no_state_is_missed() -> None:
    writer, store = listed(pod("a"))
    entered, may_go_on = threading.Event(), threading.Event()
    seen: list[str] = []

    def slow(obj: Any) -> bool:
        seen.append(obj["metadata"]["resourceVersion"] if obj else "gone")
        entered.set()
        may_go_on.wait(DEADLINE)
        return len(seen) == 5

    with running(lambda: store.wait_for("a", slow, DEADLINE, namespace="ns")):
        assert entered.wait(DEADLINE)
        feed(writer, Apply(pod("a", version="2")), Delete(pod("a", version="3")),
             Apply(pod("a", version="4", uid="other")), Apply(pod("a", version="5", uid="other")))
        may_go_on.set()
    assert seen == ["1", "2", "gone", "4", "5"]


def test_deleted() -> None:
    writer, store = listed(pod("a", uid="one"))
    found: list[Any] = []
    with running(lambda: found.append(
            store.wait_for("a", is_deleted("one"), DEADLINE, namespace="ns"))):
        wait_until(lambda: waits(writer))
        feed(writer, Apply(pod("a", version="2", uid="one")))
        feed(writer, Delete(pod("a", version="3", uid="one")))
    assert found == [None]


def test_deleted_as_a_list_found_out() -> None:
    writer, store = listed(pod("a", uid="one"))
    found: list[Any] = []
    with running(lambda: found.append(
            store.wait_for("a", is_created & is_deleted("one"), DEADLINE, namespace="ns"))):
        wait_until(lambda: waits(writer))
        relist(writer, pod("a", version="9", uid="two"))
    assert found == [pod("a", version="9", uid="two")]


def test_an_empty_cache_is_not_a_deletion() -> None:
    writer = Writer()
    store = writer.as_reader()
    found: list[Any] = []
    with running(lambda: found.append(
            store.wait_for("a", ~is_created | has_version("2"), DEADLINE, namespace="ns"))):
        with pytest.raises(NotReady):
            store.wait_for("a", is_deleted("uid-a"), 0.01, namespace="ns")
        assert not found
        relist(writer, pod("a", version="2"))
    assert found == [pod("a", version="2")]


def test_never_ready_is_said_with_its_cause() -> None:
    writer = Writer(ApiResource("", "v1", "Pod"))
    cause = InitialListFailed("no such permission", code=403)
    writer.failed(cause)
    with pytest.raises(NotReady) as caught:
        writer.as_reader().wait_for("a", is_created, 0.01, namespace="ns")
    assert str(caught.value) == ("waited for Pod.v1./a.ns to meet is_created; the store was not "
                                 "ready within 0.01 s: no such permission")
    assert caught.value.__cause__ is cause and isinstance(caught.value, TimeoutError)


def test_a_timeout_says_what_was_last_seen() -> None:
    writer, store = listed(pod("a"))
    with pytest.raises(TimeoutError) as caught:
        store.wait_for("a", has_version("9"), 0.01, namespace="ns")
    assert str(caught.value) == ("waited for Pod.v1./a.ns to meet has_version(9), and it did not "
                                 "within 0.01 s; last seen: Pod.v1./a.ns at version 1")
    with pytest.raises(TimeoutError, match="last seen: Pod.v1./b.ns not there"):
        store.wait_for("b", is_created, 0, namespace="ns")
    assert not isinstance(caught.value, NotReady) and waits(writer, 0)


def test_the_time_is_up_also_where_much_happens() -> None:
    writer, store = listed(pod("a"))

    def meanwhile(obj: Any) -> bool:
        number = int(obj["metadata"]["resourceVersion"])
        feed(writer, Apply(pod("a", version=str(number + 1))))
        return False

    with pytest.raises(TimeoutError, match="last seen: Pod.v1./a.ns at version"):
        store.wait_for("a", meanwhile, 0.05, namespace="ns")
    assert waits(writer, 0)


def test_the_end_of_the_writer_ends_the_wait() -> None:
    writer, store = listed(pod("a"))
    with pytest.raises(WriterDropped, match="last seen: Pod.v1./a.ns at version 2"):
        with running(lambda: store.wait_for("a", has_version("9"), DEADLINE, namespace="ns")):
            wait_until(lambda: waits(writer))
            feed(writer, Apply(pod("a", version="2")))
            writer.close()
    with pytest.raises(WriterDropped):
        store.wait_for("a", has_version("9"), namespace="ns")
    # What holds still holds.
    assert store.wait_for("a", has_version("2"), namespace="ns") == pod("a", version="2")
    assert waits(writer, 0)


def test_what_a_condition_raises_comes_out() -> None:
    writer, store = listed(pod("a"))
    with pytest.raises(ZeroDivisionError):
        store.wait_for("a", lambda obj: 1 / 0, namespace="ns")
    assert waits(writer, 0)


def test_a_condition_may_use_the_store() -> None:
    writer, store = listed(pod("a"))

    def both_there(obj: Any) -> bool:
        feed(writer, Apply(pod("c", version="7")))
        return store.get("b", "ns") is not None and len(store.state()) > 2

    with running(lambda: store.wait_for("a", both_there, DEADLINE, namespace="ns")):
        wait_until(lambda: waits(writer))
        feed(writer, Apply(pod("b", version="5")), Apply(pod("a", version="6")))
    assert store.get("c", "ns") is not None


@pytest.mark.parametrize(("arguments", "error"), [
    (("a", None), TypeError), (("a", "is_created"), TypeError), ((7, is_created), TypeError),
    (("", is_created), ValueError), (("a", is_created, -1), ValueError),
    ((ObjectRef("a", resource=ApiResource("apps", "v1", "Deployment")), is_created), ValueError),
])
def test_mistakes_are_said_at_once(arguments: Any, error: type[Exception]) -> None:
    _, store = listed(pod("a"))
    with pytest.raises(error):
        store.wait_for(*arguments)


def test_many_wait_for_different_things() -> None:
    writer, store = listed()
    found: list[str] = []

    def wait(name: str) -> None:
        obj = store.wait_for(name, is_created, DEADLINE, namespace="ns")
        found.append(obj["metadata"]["name"])

    count = 20
    with running(*(lambda name=f"p{number}": wait(name) for number in range(count))):
        wait_until(lambda: waits(writer, count))
        for number in range(count):
            feed(writer, Apply(pod(f"p{number}", version=str(number + 1))))
    assert sorted(found) == sorted(f"p{number}" for number in range(count)) and waits(writer, 0)


def test_a_version_that_is_there_returns_at_once() -> None:
    writer, store = listed(pod("a"))
    for version in ("1", "99", "100"):
        store.wait_for_version(version, 0)
    assert waits(writer, 0)


@pytest.mark.parametrize("event", [Bookmark("200"), Apply(pod("b", version="200")),
                                   Delete(pod("a", version="200"))], ids=repr)
def test_it_returns_when_the_version_comes(event: Any) -> None:
    writer, store = listed(pod("a"))
    with running(lambda: store.wait_for_version("150", DEADLINE)):
        wait_until(lambda: waits(writer))
        feed(writer, event)
    assert store.resource_version == "200" and waits(writer, 0)


def test_what_is_written_is_read() -> None:
    writer, store = listed()
    read: list[Any] = []

    def read_own_write() -> None:
        store.wait_for_version("123", DEADLINE)
        read.append(store.get("mine", "ns"))

    with running(read_own_write):
        wait_until(lambda: waits(writer))
        feed(writer, Apply(pod("mine", version="123")))
    assert read == [pod("mine", version="123")]


def test_versions_are_numbers_of_any_length() -> None:
    writer = Writer()
    store = writer.as_reader()
    relist(writer, version="9" * 30)
    store.wait_for_version("1" + "0" * 29, 0)
    with pytest.raises(TimeoutError):
        store.wait_for_version("1" + "0" * 30, 0)
    with pytest.raises(TimeoutError):
        store.wait_for_version("1" + "0" * 6000, 0)


@pytest.mark.parametrize(
    "version", ["", "abc", "1.5", "-1", "+1", " 1", "0x1", "1_000", "\u0661\u0662", "007"])
def test_versions_that_cannot_be_compared_are_refused(version: str) -> None:
    _, store = listed()
    with pytest.raises(ValueError, match="not a resource version that can be compared"):
        store.wait_for_version(version, 0)


@pytest.mark.parametrize("version", [None, 5])
def test_what_is_no_version_is_refused(version: Any) -> None:
    _, store = listed()
    with pytest.raises(TypeError, match="string"):
        store.wait_for_version(version, 0)


def test_a_version_that_does_not_come() -> None:
    writer, store = listed()
    with pytest.raises(TimeoutError) as caught:
        store.wait_for_version("101", 0.01)
    assert str(caught.value) == ("waited for resource version 101, and it did not come within "
                                 "0.01 s; last seen: version 100")
    assert waits(writer, 0)


def test_a_version_of_a_store_that_is_not_ready() -> None:
    writer = Writer()
    with pytest.raises(NotReady, match="waited for resource version 5; the store was not ready"):
        writer.as_reader().wait_for_version("5", 0.01)
    assert waits(writer, 0)


def test_the_end_of_the_writer_ends_the_wait_for_a_version() -> None:
    writer, store = listed()
    with pytest.raises(WriterDropped, match="last seen: version 100"):
        with running(lambda: store.wait_for_version("200", DEADLINE)):
            wait_until(lambda: waits(writer))
            writer.close()
    with pytest.raises(WriterDropped):
        store.wait_for_version("200")
    store.wait_for_version("50")
    assert waits(writer, 0)


def test_the_state_at_the_beginning_comes_before_all_later_ones(
        monkeypatch: pytest.MonkeyPatch) -> None:
    writer, store = listed(pod("a", version="1"))
    listen = Cache.listen
    seen: list[str] = []

    def listen_and_change(cache: Any, *args: Any) -> Any:
        found = listen(cache, *args)
        feed(writer, Apply(pod("a", version="2")))
        return found

    def both(obj: Any) -> bool:
        seen.append(obj["metadata"]["resourceVersion"])
        return len(seen) == 2

    monkeypatch.setattr(Cache, "listen", listen_and_change)
    assert store.wait_for("a", both, DEADLINE, namespace="ns")
    assert seen == ["1", "2"]
