"""kube_reflect._deflate, and stores that compress"""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
from kubernetes import client

from kube_reflect import Applied, Apply, Delete, Reflector, Writer
from kube_reflect.store.deflate import Deflater
from kube_reflect.testing import FakeApiServer

from tests.support.cache_helpers import DEADLINE, feed, listed, pod, relist, running, wait_until
from tests.support.reflector_helpers import LIST_WATCH

WORDS = random.Random(1).choices([f"word-{number}" for number in range(500)], k=600)


def wordy(name: str, version: str = "1") -> dict[str, Any]:
    return pod(name, version=version, words=WORDS, seed=name)


def sample(number: int) -> bytes:
    return f"{number} {' '.join(WORDS)} {number * 7}".encode()


def trained() -> Deflater:
    deflater = Deflater()
    while deflater.deflate(sample(0)) is None:
        pass
    return deflater


def test_the_first_are_left_as_they_are() -> None:
    deflater = Deflater()
    found = [deflater.deflate(sample(number)) for number in range(20)]
    first = found.index(next(one for one in found if one is not None))
    assert first >= 4 and all(one is None for one in found[:first])
    assert all(one is not None and len(one) < 300 for one in found[first:])


def test_what_is_deflated_is_inflated_again() -> None:
    deflater = trained()
    for data in (sample(9), b"x" * 100_000, b"<" * 50 + bytes(range(256)) * 300):
        deflated = deflater.deflate(data)
        assert deflated is not None and deflater.inflate(deflated) == data
    assert deflater.deflate(random.Random(2).randbytes(500)) is None


def test_a_dictionary_holds_something_of_long_objects_too() -> None:
    deflater = Deflater()
    data = random.Random(3).randbytes(100_000)
    assert [deflater.deflate(data) for _ in range(4)] == [None] * 4
    deflated = deflater.deflate(data[:10_000])
    assert deflated is not None and len(deflated) < 500


def test_there_is_one_dictionary_however_many_threads_make_it() -> None:
    for _ in range(20):
        deflater, barrier = Deflater(), threading.Barrier(4)
        made: list[tuple[bytes, bytes]] = []

        def work() -> None:
            barrier.wait(DEADLINE)
            for number in range(12):
                data = sample(number) + threading.current_thread().name.encode()
                deflated = deflater.deflate(data)
                if deflated is not None:
                    made.append((data, deflated))

        with running(*[work] * 4):
            pass
        assert len(made) > 12
        assert all(deflater.inflate(deflated) == data for data, deflated in made)


def test_in_a_child_process_the_dictionary_is_the_same_and_the_locks_are_new() -> None:
    deflater, untrained = trained(), Deflater()
    before = deflater.deflate(sample(1))
    deflater._lock.acquire()
    untrained._lock.acquire()
    for one in (deflater, untrained):
        one.after_fork()
        assert one._lock.acquire(blocking=False)
        one._lock.release()
    assert before is not None and deflater.inflate(before) == sample(1)
    assert deflater.deflate(sample(1)) == before
    assert untrained.deflate(sample(1)) is None


def test_a_store_that_compresses_reads_the_same_and_takes_less() -> None:
    objects = [wordy(f"p{number}") for number in range(50)]
    _, plain = listed(*objects)
    writer, store = listed(*objects, compress=True)
    assert store.memory().bytes_at_rest < plain.memory().bytes_at_rest / 4
    assert store.state() == plain.state() and store.get("p7", "ns") is store.get("p7", "ns")
    kept = store.snapshot()
    feed(writer, Apply(wordy("p7", version="2")), Delete(wordy("p8")))
    assert kept.get("p7", "ns") == wordy("p7") and kept.get("p8", "ns") == wordy("p8")
    assert store.get("p7", "ns") == wordy("p7", version="2") and store.get("p8", "ns") is None
    relist(writer, *objects)
    assert {one["spec"]["seed"]: one for one in store} == {one["spec"]["seed"]: one
                                                           for one in objects}


@pytest.mark.parametrize("settings", [
    {"copies": True}, {"transform": lambda obj: {**obj, "spec": {"words": WORDS}}},
    {"indexers": {"name": lambda obj: [obj["metadata"]["name"]]}}, {"detect_mutations": True}])
def test_it_goes_with_the_other_settings(settings: dict[str, Any]) -> None:
    objects = [wordy(f"p{number}") for number in range(20)]
    _, plain = listed(*objects, **settings)
    writer, store = listed(*objects, compress=True, **settings)
    assert store.state() == plain.state()
    writer.add_index("seed", lambda obj: [obj["metadata"]["uid"]])
    assert store.by_index("seed", "uid-p19") == [plain.get("p19", "ns")]
    assert store.memory().bytes_at_rest < plain.memory().bytes_at_rest / 2


def test_a_subscriber_gets_what_was_compressed() -> None:
    writer, store = listed(*[wordy(f"p{number}") for number in range(20)], compress=True)
    with writer.subscribe() as changes:
        seen = [changes.get(DEADLINE) for _ in range(20)]
        feed(writer, Apply(wordy("p1", version="2")), Delete(wordy("p2")))
        seen += [changes.get(DEADLINE), changes.get(DEADLINE)]
    assert [one.object["metadata"]["name"] for one in seen if isinstance(one, Applied)] == [
        *(f"p{number}" for number in range(20)), "p1"]
    applied, deleted = seen[-2:]
    assert applied.object == wordy("p1", version="2") and applied.old == wordy("p1")
    assert deleted.object == wordy("p2")


def test_a_reflector_that_compresses() -> None:
    with FakeApiServer() as server:
        for number in range(20):
            server.create({**wordy(f"p{number}"), "metadata": {
                "name": f"p{number}", "namespace": "ns"}})
        v1 = client.CoreV1Api(server.api_client())
        with Reflector(v1.list_namespaced_pod, "ns", config=LIST_WATCH, model=dict,
                       compress=True) as reflector:
            store = reflector.store
            store.wait_until_ready(DEADLINE)
            for number in range(20, 60):
                server.create({**wordy(f"p{number}"), "metadata": {
                    "name": f"p{number}", "namespace": "ns"}})
            wait_until(lambda: len(store) == 60)
            assert store.memory().bytes_at_rest < 60 * 4000
            assert {one["spec"]["seed"] for one in store} == {f"p{n}" for n in range(60)}


def test_compress_is_a_switch() -> None:
    with pytest.raises(TypeError, match="compress"):
        Writer(compress=9)  # type: ignore[arg-type]
