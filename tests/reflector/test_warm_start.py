"""kube_reflect.reflector: starting warm, from what an earlier process has left."""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from kube_reflect import (
    Backoff, Config, NotReady, Phase, Reflector, Shard, StaleCache,
    WarmStart, drop_managed_fields, keep, shared,
)
from kube_reflect.reflector.cache_file import CacheFile
from kube_reflect.testing import FakeApiServer

from tests.support.cache_helpers import names as names_of
from tests.support.interrupts import Abort, Run, TimeLimit, interrupt_everywhere, ways
from tests.support.objects import new_pod as pod
from tests.support.reflector_helpers import LIST_WATCH, api_of, server, v1
from tests.support.waiting import DEADLINE, wait_until

__all__ = ["server", "v1"]

#: Where nobody answers, so that nothing is confirmed.
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pods"


def pods(api: client.CoreV1Api, warm_start: Any, **options: Any) -> Reflector[Any]:
    options = {"config": LIST_WATCH, "model": dict, "name": "pods",
               "backoff": Backoff(initial=0.05, maximum=0.1), **options}
    return Reflector(api.list_namespaced_pod, "ns", warm_start=warm_start, **options)


def run_once(api: client.CoreV1Api, warm_start: Any, **options: Any) -> None:
    with pods(api, warm_start, **options) as reflector:
        reflector.store.wait_until_ready(DEADLINE)


def names(reflector: Reflector[Any]) -> list[str]:
    return names_of(reflector.store.state())


@pytest.fixture
def away(server: FakeApiServer, v1: client.CoreV1Api, path: Path) -> Iterator[FakeApiServer]:
    """A server of which a process has left a file, and that accepts nobody any more."""
    run_once(v1, path)
    yield server


def test_all_can_be_read_while_nobody_answers(path: Path, server: FakeApiServer,
                                              v1: client.CoreV1Api) -> None:
    run_once(v1, path)
    server.close()
    with pods(v1, path, ready_timeout=DEADLINE) as reflector:
        # It waits for the file, and not for the server.
        assert names(reflector) == ["a", "b"]
        wait_until(lambda: reflector.status.phase in (Phase.CONNECTING, Phase.BACKING_OFF))
        store, status = reflector.store, reflector.status
        assert store.get("a", "ns") and len(store.snapshot()) == 2
        assert store.resource_version == status.resource_version is not None
        assert not store.ready and not status.ready and not status.live
        assert status.staleness is None and status.last_contact is None
        with pytest.raises(StaleCache, match="no contact"):
            store.get("a", "ns", max_staleness=1e6)
        with pytest.raises(NotReady):
            store.wait_until_ready(timeout=0)
        assert status.phase in (Phase.CONNECTING, Phase.BACKING_OFF)


@pytest.mark.parametrize("policy", ["raise", "empty"])
def test_it_is_as_good_as_a_list_for_every_policy(
        policy: str, away: FakeApiServer, v1: client.CoreV1Api, path: Path) -> None:
    with pods(v1, path, when_not_ready=policy) as reflector:
        wait_until(lambda: len(reflector.store) == 2)
        assert names(reflector) == ["a", "b"]


def test_what_happened_meanwhile_is_told(away: FakeApiServer, v1: client.CoreV1Api, path: Path
                                         ) -> None:
    v1.delete_namespaced_pod("a", "ns", grace_period_seconds=0)
    away.create(pod("c"))
    reflector = pods(v1, path)
    told = reflector.subscribe(overflow="block")
    with reflector:
        heard = [told.get(timeout=DEADLINE) for _ in range(4)]
        assert sorted((type(one).__name__, one.ref.name) for one in heard) == [
            ("Applied", "a"), ("Applied", "b"), ("Applied", "c"), ("Deleted", "a")]
        reflector.store.wait_until_live(DEADLINE)
        assert names(reflector) == ["b", "c"]
        assert reflector.status.relists == 0 and reflector.status.last_error is None


def test_where_nothing_happened_it_is_confirmed_all_the_same(
        away: FakeApiServer, v1: client.CoreV1Api, path: Path) -> None:
    with pods(v1, path) as reflector:
        reflector.store.wait_until_live(DEADLINE)
        assert names(reflector) == ["a", "b"]
        status = reflector.status
        assert status.relists == 0 and status.staleness is not None and status.failures == {}
        assert reflector.store.get("a", "ns", max_staleness=DEADLINE)


def test_a_version_that_is_forgotten_is_listed(away: FakeApiServer, v1: client.CoreV1Api,
                                               path: Path) -> None:
    v1.delete_namespaced_pod("a", "ns", grace_period_seconds=0)
    away.compact()
    with pods(v1, path) as reflector:
        assert {"b"} <= set(names(reflector))
        reflector.store.wait_until_live(DEADLINE)
        assert names(reflector) == ["b"]
        assert reflector.status.relists == 1
        assert [reason.endswith(":410") for reason in reflector.status.relist_reasons] == [True]


@pytest.mark.parametrize("damage", [
    lambda content: content[:-1], lambda content: b"", lambda content: b"x" * 1000,
    lambda content: content[:100] + b"?" + content[101:]])
def test_a_damaged_file_is_passed_over_with_one_line(
        damage: Any, away: FakeApiServer, v1: client.CoreV1Api, path: Path,
        caplog: pytest.LogCaptureFixture) -> None:
    path.write_bytes(damage(path.read_bytes()))
    check_cold(v1, path, caplog)


def check_cold(v1: client.CoreV1Api, path: Path, caplog: pytest.LogCaptureFixture,
               **options: Any) -> None:
    caplog.clear()
    with caplog.at_level(logging.INFO), pods(v1, path, **options) as reflector:
        reflector.store.wait_until_ready(DEADLINE)
        assert reflector.status.failures == {"WarmStartFailed": 1}
        wait_until(lambda: reflector.status.last_list_seconds is not None)
    [line] = [one.getMessage() for one in caplog.records if "warm start" in one.getMessage()]
    assert line.startswith(f"pods: warm start from {path}: starting without: it ")


@pytest.mark.parametrize("options", [
    {"transform": drop_managed_fields}, {"transform": keep("spec.nodeName")},
    {"transform": lambda obj: obj}, {"metadata_only": True, "model": None},
    {"config": Config(label_selector="app=web")},
    {"config": Config(shard=Shard(0, 2))}, {"field_selector": "spec.nodeName=a"}])
def test_a_file_of_something_else_is_passed_over(
        options: dict[str, Any], away: FakeApiServer, v1: client.CoreV1Api, path: Path,
        caplog: pytest.LogCaptureFixture) -> None:
    check_cold(v1, path, caplog, **options)


def test_another_server_is_something_else(away: FakeApiServer, path: Path,
                                          caplog: pytest.LogCaptureFixture) -> None:
    with pods(api_of(NOWHERE), path) as reflector:
        wait_until(lambda: reflector.status.failures.get("WarmStartFailed") == 1)
        assert len(reflector.store) == 0
    assert "it is of another server" in caplog.text


@pytest.mark.parametrize("transform", [
    drop_managed_fields, keep("spec.nodeName", "status"), lambda obj: obj])
def test_the_same_transform_is_known_again(transform: Any, server: FakeApiServer,
                                           v1: client.CoreV1Api, path: Path) -> None:
    run_once(v1, path, transform=transform)
    with pods(v1, path, transform=transform) as reflector:
        assert names(reflector) == ["a", "b"]
        reflector.store.wait_until_ready(DEADLINE)
        assert reflector.status.last_list_seconds is None


def test_secrets_are_written_only_if_that_is_said(v1: client.CoreV1Api, path: Path) -> None:
    with pytest.raises(ValueError, match="WarmStart.*secrets=True"):
        Reflector(v1.list_secret_for_all_namespaces, warm_start=path)
    with pytest.raises(ValueError, match="Secrets"):
        Reflector(v1.list_namespaced_secret, namespaces=["a"], warm_start=path,
                  metadata_only=True)
    with Reflector(v1.list_secret_for_all_namespaces,
                   warm_start=WarmStart(path, secrets=True)) as reflector:
        reflector.store.wait_until_ready(DEADLINE)
    assert path.exists()


def test_secrets_of_a_function_that_does_not_say_so_are_not_written(
        server: FakeApiServer, v1: client.CoreV1Api, path: Path,
        caplog: pytest.LogCaptureFixture) -> None:
    server.create({"apiVersion": "v1", "kind": "Secret",
                   "metadata": {"name": "s", "namespace": "ns"}})

    def list_them(**options: Any) -> Any:
        return v1.list_namespaced_secret("ns", **options)

    with Reflector(list_them, warm_start=path) as reflector:
        reflector.store.wait_until_ready(DEADLINE)
    assert not path.exists() and "it would hold Secrets" in caplog.text


@pytest.mark.parametrize("warm_start, error", [
    (5, TypeError), (b"x", TypeError), ("", ValueError), ("/", ValueError),
    ("/nowhere/at/all", ValueError), ("/tmp", ValueError)])
def test_a_path_that_no_file_can_have_is_refused_at_once(
        warm_start: Any, error: type[Exception], v1: client.CoreV1Api) -> None:
    with pytest.raises(error):
        pods(v1, warm_start)


@pytest.mark.parametrize("options, error", [
    ({"every": 0}, ValueError), ({"every": -1}, ValueError), ({"every": "a"}, TypeError),
    ({"every": None}, ValueError), ({"secrets": 1}, TypeError)])
def test_options_are_checked_when_they_are_made(options: dict[str, Any], path: Path,
                                                error: type[Exception]) -> None:
    with pytest.raises(error):
        WarmStart(path, **options)


def test_it_is_written_now_and_then_and_only_if_something_has_changed(
        server: FakeApiServer, v1: client.CoreV1Api, path: Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    real = CacheFile.save

    def count(*arguments: Any) -> bool:
        written.append(threading.current_thread().name)
        return real(*arguments)

    monkeypatch.setattr(CacheFile, "save", count)
    with pods(v1, WarmStart(path, every=0.01)) as reflector:
        wait_until(path.exists)
        reflector.store.wait_until_live(DEADLINE)
        wait_until(lambda: path.read_bytes().count(b'"1') >= 0 and len(written) >= 1)
        before = path.stat().st_mtime_ns
        server.create(pod("c"))
        wait_until(lambda: names(reflector) == ["a", "b", "c"])
        wait_until(lambda: path.stat().st_mtime_ns != before)
    assert set(written) == {"kube-reflect:pods:warm-start"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == [path.name]
    server.close()
    with pods(v1, path) as reflector:
        assert names(reflector) == ["a", "b", "c"]


def test_a_disk_that_does_not_take_it_is_said_once_and_breaks_nothing(
        server: FakeApiServer, v1: client.CoreV1Api, path: Path,
        monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def full(number: int) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "fsync", full)
    with pods(v1, WarmStart(path, every=0.01)) as reflector:
        reflector.store.wait_until_live(DEADLINE)
        wait_until(lambda: reflector.status.failures.get("WarmStartFailed", 0) >= 3)
        server.create(pod("c"))
        wait_until(lambda: names(reflector) == ["a", "b", "c"])
    assert caplog.text.count("it was not written: the disk is full") == 1
    assert os.listdir(path.parent) == []


def test_a_slow_disk_does_not_hold_up_a_close_beyond_its_timeout(
        server: FakeApiServer, v1: client.CoreV1Api, path: Path,
        monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    quick, real = threading.Event(), os.fsync

    def slow(number: int) -> None:
        assert quick.wait(DEADLINE)
        real(number)

    monkeypatch.setattr(os, "fsync", slow)
    reflector = pods(v1, path).start()
    reflector.store.wait_until_ready(DEADLINE)
    reflector.close(timeout=0.2)
    assert "the writing of the warm start did not end within 0.2 s" in caplog.text
    assert not path.exists()
    quick.set()
    wait_until(path.exists)
    reflector.close()


def test_several_namespaces_go_on_each_from_its_own(server: FakeApiServer, v1: client.CoreV1Api,
                                                    path: Path) -> None:
    server.create(pod("x", "other"))

    def both(*namespaces: str) -> Reflector[Any]:
        return Reflector(v1.list_namespaced_pod, namespaces=namespaces, model=dict,
                         config=LIST_WATCH, warm_start=path)

    with both("ns", "other") as reflector:
        reflector.store.wait_until_ready(DEADLINE)
    v1.delete_namespaced_pod("a", "ns", grace_period_seconds=0)
    server.create(pod("y", "third"))
    # One that was not there is listed; one that is not watched any more is passed over.
    with both("ns", "third") as reflector:
        reflector.store.wait_until_live(DEADLINE)
        assert names(reflector) == ["b", "y"]
        assert reflector.status.relists == 0
        assert reflector.status.namespaces["ns"].ready


def test_another_start_lists_and_reads_no_file(away: FakeApiServer, v1: client.CoreV1Api,
                                               path: Path) -> None:
    reflector = pods(v1, path)
    with reflector:
        reflector.store.wait_until_ready(DEADLINE)
    assert reflector.status.last_list_seconds is None
    with reflector:
        assert names(reflector) == ["a", "b"]
        reflector.store.wait_until_ready(DEADLINE)
        wait_until(lambda: reflector.status.last_list_seconds is not None)


def test_a_reflector_that_was_never_ready_leaves_the_file(away: FakeApiServer, path: Path
                                                          ) -> None:
    content = path.read_bytes()
    with pods(api_of(NOWHERE), path) as reflector:
        wait_until(lambda: reflector.status.last_error is not None)
    assert path.read_bytes() == content


def test_shared_reflectors_take_it_too(server: FakeApiServer, v1: client.CoreV1Api, path: Path
                                       ) -> None:
    with shared(v1.list_namespaced_pod, "ns", warm_start=str(path)) as one, \
            shared(v1.list_namespaced_pod, "ns", warm_start=str(path)) as other:
        assert one.store is other.store
        one.store.wait_until_ready(DEADLINE)
    assert path.exists()


@pytest.mark.parametrize("how", ways(Abort, TimeLimit))
def test_an_interrupted_close_leaves_a_whole_file_and_no_other(
        how: Any, server: FakeApiServer, v1: client.CoreV1Api, path: Path) -> None:
    run_once(v1, path)

    def make() -> Reflector[Any]:
        reflector = pods(v1, path).start()
        assert names(reflector) == ["a", "b"]
        return reflector

    def check(reflector: Reflector[Any], run: Run) -> None:
        reflector.close()
        wait_until(lambda: os.listdir(path.parent) == [path.name])
        with pods(v1, path) as other:
            assert names(other) == ["a", "b"]
            assert "WarmStartFailed" not in other.status.failures

    interrupt_everywhere(make, lambda reflector: reflector.close(), check, **how)


def test_an_index_function_that_ends_the_thread_spoils_one_object(
        path: Path, server: FakeApiServer, v1: client.CoreV1Api) -> None:
    def by_name(obj: Any) -> list[str]:
        if obj["metadata"]["name"] == "a":
            raise SystemExit
        return [str(obj["metadata"]["name"])]

    run_once(v1, path)
    with pods(v1, path, indexers={"name": by_name}) as reflector:
        reflector.store.wait_until_ready(DEADLINE)
        assert names(reflector) == ["b"] and reflector.status.thread_alive
