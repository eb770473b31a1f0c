"""kube_reflect.store.compression"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import tracemalloc
from collections.abc import Iterator

import pytest

from kube_reflect.store import compression
from kube_reflect.store.backends import BACKENDS, Backend, StandardLibrary
from kube_reflect.store.compression import Compressor
from tests.support.cache_helpers import running
from tests.support.fork_helpers import Child
from tests.support.waiting import DEADLINE


def backported() -> list[Backend]:
    """Return that of Python 3.14, where its module is installed as a package."""
    try:
        return [StandardLibrary("backports.zstd")]
    except ImportError:
        return []


ALL = [*BACKENDS, *backported()]
WORDS = [f"{number:x}-word" for number in range(1000, 3000)]
# Tags that say something else than the number of a dictionary.
RAW, PLAIN = 0, 1


def stranger(number: int, kind: str = "Pod", length: int = 300) -> bytes:
    """An object that is like others of its kind, and unlike all others."""
    alike = random.Random(kind).choices(WORDS, k=length)
    return json.dumps({"kind": kind, "metadata": {"name": f"{kind}-{number}", "uid": number * 7919},
                       "spec": alike, "status": {"number": number}}).encode()


def tags(packed: list[bytes]) -> set[int]:
    return {one[0] for one in packed}


@pytest.fixture(params=ALL, ids=lambda backend: backend.name)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    yield request.param


@pytest.fixture
def compressor(backend: Backend) -> Compressor:
    return Compressor(backend=backend)


def fed(compressor: Compressor, objects: list[bytes]) -> list[bytes]:
    packed = [compressor.compress(one) for one in objects]
    assert [compressor.decompress(one) for one in packed] == objects
    return packed


def test_what_resembles_what_came_before_takes_a_tenth(compressor: Compressor) -> None:
    packed = fed(compressor, [stranger(number) for number in range(300)])
    assert tags(packed[:16]) == {PLAIN} and tags(packed[-200:]) == {2}
    assert max(map(len, packed[-200:])) < len(stranger(1)) / 10
    assert 0 < compressor.dictionary_bytes <= 32 * 1024


def test_what_is_like_nothing_is_kept_as_it_came(compressor: Compressor) -> None:
    objects = [random.Random(number).randbytes(number) for number in range(200)]
    packed = fed(compressor, objects)
    assert tags(packed) == {RAW}
    assert all(len(small) == len(one) + 1 for small, one in zip(packed, objects))


def test_a_few_objects_are_worth_no_dictionary(backend: Backend) -> None:
    few, many = Compressor(backend=backend), Compressor(backend=backend)
    small = Compressor(lambda: 3, backend=backend)
    fed(few, [stranger(number) for number in range(15)])
    # Three objects, that change all the time.
    fed(small, [stranger(number) for number in range(400)])
    fed(many, [stranger(number) for number in range(400)])
    assert few.dictionary_bytes == small.dictionary_bytes == 0 < many.dictionary_bytes


def test_after_an_odd_start_the_dictionary_is_made_anew(compressor: Compressor) -> None:
    packed = fed(compressor, [stranger(number, "Odd", 2000) for number in range(20)]
                 + [stranger(number) for number in range(500)])
    assert max(map(len, packed[-100:])) < len(stranger(1)) / 10


@pytest.mark.slow
def test_dictionaries_follow_what_drifts_and_stay_few(compressor: Compressor) -> None:
    packed = [small for phase in range(40)
              for small in fed(compressor, [stranger(n, f"Kind{phase}", 900) for n in range(300)])]
    assert 1 < len(tags(packed) - {PLAIN}) <= 8
    assert compressor.dictionary_bytes <= 8 * 32 * 1024


def test_there_are_few_dictionaries_whatever_comes(backend: Backend,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    # As one that looks every 16 objects for ever, and takes whatever is any better.
    monkeypatch.setattr(compression, "_STEP", 16)
    monkeypatch.setattr(compression, "_GAIN", 0)
    compressor = Compressor(backend=backend)
    packed = [small for phase in range(30)
              for small in fed(compressor, [stranger(n, f"Kind{phase}", 900) for n in range(40)])]
    assert len(tags(packed) - {RAW, PLAIN}) == 8


@pytest.mark.parametrize("packed", [
    b"\x01", b"\x01\x05", b"\x01\x00abc", b"\x09\x05abc", b"\x01\xff\xff\xff\xff\xff\xff\xff",
    b"\x01\xff\xff\xff\x7f" + b"a" * 100, b"\x01\x81\x80\x80\x80\x80\x00abc", b""])
def test_no_damage_takes_memory(compressor: Compressor, packed: bytes) -> None:
    fed(compressor, [stranger(1)])
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="not packed by this cache, or damaged"):
            compressor.decompress(packed)
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_what_became_short_cannot_become_longer_than_it_was(compressor: Compressor) -> None:
    bomb = compressor.compress(b"x" * 50_000_000)
    assert len(bomb) < 300_000
    # As if it had been 60 KB: what it says is what it may become.
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="damaged"):
            compressor.decompress(bomb[:1] + (60_000).to_bytes(4, "little") + bomb[5:])
        assert tracemalloc.get_traced_memory()[1] < 1024 * 1024
    finally:
        tracemalloc.stop()


def test_any_number_of_threads(backend: Backend) -> None:
    compressor = Compressor(backend=backend)
    done: list[list[bytes]] = []
    barrier = threading.Barrier(6)

    def work() -> None:
        barrier.wait(DEADLINE)
        kind = threading.current_thread().name[-1]
        done.append(fed(compressor, [stranger(number, kind) for number in range(150)]))

    with running(*[work] * 6):
        pass
    assert len(done) == 6 and len(set().union(*map(tags, done))) > 1


class Interrupt(BaseException):
    """What a time limit or Ctrl-C raises in a thread."""


def test_an_interrupt_at_any_moment_leaves_nothing_broken(backend: Backend) -> None:
    objects = [stranger(number) for number in range(17)]
    for moment in range(0, 400, 3):
        compressor, left = Compressor(backend=backend), moment
        packed = [compressor.compress(one) for one in objects[:14]]

        def trace(*_: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                sys.settrace(None)
                raise Interrupt
            return trace

        try:
            sys.settrace(trace)  # type: ignore[arg-type]
            packed += [compressor.compress(one) for one in objects[14:]]
            compressor.decompress(packed[0])
        except Interrupt:
            pass
        finally:
            sys.settrace(None)
        packed += [compressor.compress(one) for one in objects]
        assert {compressor.decompress(one) for one in packed} == set(objects)


def test_an_error_of_the_thread_is_not_taken_for_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    class TimeLimit(Exception):
        pass

    def interrupted(*_: object) -> bytes:
        raise TimeLimit

    compressor = Compressor()
    packed = compressor.compress(stranger(1))
    with monkeypatch.context() as patch:
        patch.setattr(compression, "_taken", lambda *_: interrupted)
        with pytest.raises(TimeLimit):
            compressor.decompress(packed)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_process_goes_on(backend: Backend) -> None:
    compressor = Compressor(backend=backend)
    packed = fed(compressor, [stranger(number) for number in range(100)])
    ended = threading.Event()

    def busy() -> None:
        while not ended.is_set():
            fed(compressor, [stranger(5)])

    with running(busy):
        try:
            for _ in range(5):
                child = Child(lambda: fed(compressor, [
                    *map(compressor.decompress, packed), stranger(200)]))
                child.join()
            assert compressor.decompress(packed[-1]) == stranger(99)
        finally:
            ended.set()


def test_there_is_always_one_that_works() -> None:
    assert BACKENDS[-1].name == "zlib"
    assert len({backend.name for backend in BACKENDS}) == len(BACKENDS)
