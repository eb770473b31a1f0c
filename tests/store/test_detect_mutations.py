"""kube_reflect.store.mutations: readers who change what they share are found."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
from kubernetes import client

from kube_reflect import Applied, Apply, Delete, Reflector, Writer
from kube_reflect.testing import FakeApiServer

from tests.support.cache_helpers import feed, listed, relist, running
from tests.support.models import eager_maker
from tests.support.objects import new_pod, pod
from tests.support.reflector_helpers import LIST_WATCH
from tests.support.waiting import DEADLINE

VARIABLE = "KUBE_REFLECT_DETECT_MUTATIONS"


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


def guarded(*objects: Any, **settings: Any) -> Any:
    return listed(*objects, detect_mutations=True, **settings)


def test_whoever_changes_what_he_read_is_found_when_it_is_read_again(
        caplog: pytest.LogCaptureFixture) -> None:
    _, store = guarded(pod("a", labels={"app": "web"}), pod("b"))
    read = store.get("a", "ns")
    read["metadata"]["labels"]["app"] = "mine"
    assert not errors(caplog)
    again = store.get("a", "ns")
    assert again == pod("a", labels={"app": "web"}) and again is not read
    [message] = errors(caplog)
    assert "Pod.v1./a.ns" in message and "metadata.labels.app" in message
    assert "version 1" in message and "b.ns" not in message


def test_those_who_only_read_share_one_and_nothing_is_said(
        caplog: pytest.LogCaptureFixture) -> None:
    writer, store = guarded(pod("a"), pod("b"))
    read = store.get("a", "ns")
    for again in (store.get("a", "ns"), store.find(lambda one: one is read),
                  store.snapshot().get("a", "ns"), store.state(namespace="ns")[0]):
        assert again is read
    assert any(one is read for one in store)
    feed(writer, Apply(pod("a", version="2")), Delete(pod("b")))
    assert store.get("a", "ns") is store.get("a", "ns") is not read and read == pod("a")
    relist(writer, pod("a", version="2"), pod("c"))
    store.state()
    writer.close()
    assert not errors(caplog)


@pytest.mark.parametrize("end", [
    lambda writer: feed(writer, Apply(pod("a", version="2"))),
    lambda writer: feed(writer, Delete(pod("a"))),
    lambda writer: relist(writer, pod("b")),
    lambda writer: writer.close(),
], ids=["change", "deletion", "relist", "end"])
def test_it_is_found_without_another_read_too(
        end: Any, caplog: pytest.LogCaptureFixture) -> None:
    writer, store = guarded(pod("a"))
    store.get("a", "ns")["spec"]["mine"] = True
    end(writer)
    [message] = errors(caplog)
    assert "a.ns" in message and "spec.mine" in message


def test_it_is_said_once_a_version(caplog: pytest.LogCaptureFixture) -> None:
    writer, store = guarded(pod("a"), pod("b"))
    for _ in range(3):
        store.get("a", "ns")["spec"]["mine"] = True
    assert store.get("a", "ns") == pod("a")
    assert len(errors(caplog)) == 1
    feed(writer, Apply(pod("a", version="2")))
    store.get("a", "ns")["spec"]["mine"] = True
    assert store.get("a", "ns") == pod("a", version="2")
    store.get("b", "ns").clear()
    writer.close()
    assert ["version 1" in one for one in errors(caplog)] == [True, False, True]


def test_what_was_read_before_a_change_may_be_changed_after_it(
        caplog: pytest.LogCaptureFixture) -> None:
    writer, store = guarded(pod("a"))
    kept, read = store.snapshot(), store.get("a", "ns")
    feed(writer, Apply(pod("a", version="2")))
    read["spec"]["mine"] = True
    assert kept.get("a", "ns") == pod("a") is not kept.get("a", "ns")
    assert store.get("a", "ns") == pod("a", version="2")
    writer.close()
    assert not errors(caplog)


@pytest.mark.parametrize("change", [
    lambda pod: setattr(pod.spec, "node_name", "mine"),
    lambda pod: setattr(pod.spec, "containers", []),
    lambda pod: pod.spec.containers.append(pod.spec.containers[0]),
    lambda pod: pod.metadata.labels.update(app="mine"),
    lambda pod: setattr(pod, "status", client.V1PodStatus(phase="Running")),
], ids=["field", "list", "element", "label", "part"])
def test_models_of_the_client_are_looked_through(
        change: Any, caplog: pytest.LogCaptureFixture) -> None:
    _, store = guarded(pod("a", labels={"app": "web"}, containers=[{"name": "c", "image": "i"}]),
                       model=eager_maker(client.V1Pod))
    read = store.get("a", "ns")
    assert isinstance(read, client.V1Pod) and store.get("a", "ns") is read
    change(read)
    again = store.get("a", "ns")
    assert again is not read and again.spec.node_name is None and again.status is None
    assert len(errors(caplog)) == 1 and "a.ns" in errors(caplog)[0]


def test_what_subscribers_and_conditions_are_given_is_guarded(
        caplog: pytest.LogCaptureFixture) -> None:
    writer, store = guarded(pod("a"))
    with writer.subscribe() as changes:
        first = changes.get(DEADLINE)
        assert isinstance(first, Applied) and first.object is store.get("a", "ns")
        first.object["spec"]["mine"] = True
        assert store.wait_for("a", lambda one: one is not None, 5, namespace="ns") == pod("a")
    assert len(errors(caplog)) == 1


def test_copies_are_everybodys_own_to_change(caplog: pytest.LogCaptureFixture) -> None:
    writer, store = guarded(pod("a"), copies=True)
    store.get("a", "ns").clear()
    assert store.get("a", "ns") == pod("a")
    writer.close()
    assert not errors(caplog)


def test_switched_off_it_finds_nothing_and_costs_nothing(
        caplog: pytest.LogCaptureFixture) -> None:
    writer, store = listed(pod("a"))
    store.get("a", "ns")["spec"]["mine"] = True
    assert store.get("a", "ns") != pod("a") and writer._cache.detector is None
    assert writer._cache.listeners == ()
    writer.close()
    assert not errors(caplog)


@pytest.mark.parametrize(("said", "argument", "expected"), [
    ("1", None, True), ("true", None, True), ("ON", None, True), (" yes ", None, True),
    ("0", None, False), ("no", None, False), ("", None, False), (None, None, False),
    ("1", False, False), ("0", True, True), (None, True, True), ("?", True, True)])
def test_the_environment_decides_where_the_argument_does_not(
        said: str | None, argument: bool | None, expected: bool,
        monkeypatch: pytest.MonkeyPatch) -> None:
    if said is None:
        monkeypatch.delenv(VARIABLE, raising=False)
    else:
        monkeypatch.setenv(VARIABLE, said)
    writer = Writer(detect_mutations=argument)
    assert (writer._cache.detector is not None) is expected


def test_what_is_neither_yes_nor_no_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "perhaps")
    with pytest.raises(ValueError, match=VARIABLE):
        Writer()
    with pytest.raises(TypeError, match="detect_mutations"):
        Writer(detect_mutations="yes")  # type: ignore[arg-type]


def test_a_reflector_takes_the_switch_too(caplog: pytest.LogCaptureFixture) -> None:
    with FakeApiServer() as server:
        server.create(new_pod("a"))
        v1 = client.CoreV1Api(server.api_client())
        with Reflector(v1.list_namespaced_pod, "ns", config=LIST_WATCH,
                       detect_mutations=True) as reflector:
            reflector.store.wait_until_ready(DEADLINE)
            reflector.store.get("a", "ns").metadata.labels = {"mine": "1"}
            assert reflector.store.get("a", "ns").metadata.labels != {"mine": "1"}
    assert ["a.ns" in one and "metadata.labels" in one for one in errors(caplog)] == [True]


def test_threads_share_one_under_churn_and_nobody_is_blamed(
        caplog: pytest.LogCaptureFixture) -> None:
    writer, store = guarded(*[pod(f"p{number}") for number in range(5)])
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            assert len(store.state()) == len(store.snapshot().state()) == 5
            one = store.get("p1", "ns")
            assert one["spec"]["at"] == one["metadata"]["resourceVersion"]

    def write() -> None:
        try:
            for version in map(str, range(2, 300)):
                feed(writer, *[Apply(pod(f"p{number}", version=version, at=version))
                               for number in range(5)])
        finally:
            stop.set()

    feed(writer, Apply(pod("p1", at="1")))
    with running(read, read, write):
        pass
    writer.close()
    assert not errors(caplog)


def test_memory_counts_what_is_shared() -> None:
    _, store = guarded(pod("a"), pod("b"))
    store.get("a", "ns")
    assert store.memory().decoded == 1
