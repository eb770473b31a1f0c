"""kube_reflect.reflector.cache_file, of any bytes. FUZZ_SECONDS=300 looks for longer.

A file whose digest agrees was written by us, or by who may do anything else; it is read with the
same care, so most of what is tried here has a digest that agrees.
"""

from __future__ import annotations

import os
import random
import time
import tracemalloc
from pathlib import Path

import pytest

pytest.importorskip("hypothesis", reason="property tests need hypothesis, of the extra [dev]")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from kube_reflect.events import Apply  # noqa: E402
from kube_reflect.reflector.cache_file import DIGEST, MAGIC, BadFile, CacheFile  # noqa: E402
from kube_reflect.store import NamespaceWriter  # noqa: E402

from tests.support.objects import pod  # noqa: E402
from tests.support.cache_file_helpers import (  # noqa: E402
    OF, contents, filled, new_cache, read_back, sealed,
)

SECONDS = float(os.environ.get("FUZZ_SECONDS", "3"))
#: Bytes that one reading may take at its height: what one object may become, and some more.
MOST = 80 << 20
#: Seconds that one may take at most, on a busy machine.
LONGEST = 20.0

pytestmark = pytest.mark.timeout(SECONDS + 120)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path: Path = tmp_path_factory.mktemp("saved") / "pods"
    CacheFile(path, filled(40)).save(OF)
    return path.read_bytes()


def check_read(content: bytes) -> bool:
    """Read it; return whether it was taken. Whatever it holds, nothing else comes of it."""
    cache = new_cache()
    began = time.monotonic()
    try:
        found = read_back(content, cache)
    except BadFile:
        assert not cache.maker.compressor.dictionaries()
        found = None
    else:
        assert found is not None
        for namespace, (version, entries) in found.namespaces.items():
            NamespaceWriter(cache, namespace).restore(entries, version)
        for _, (_, entries) in found.namespaces.items():
            assert all(cache.read(entry) for entry in entries)
    assert time.monotonic() - began < LONGEST
    return found is not None


def mutated(rng: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 5, 50))):
        at = rng.randrange(len(changed) + 1)
        match rng.randrange(6):
            case 0:
                changed[at:at + 1] = bytes((rng.randrange(256),))
            case 1:
                # Lengths are four bytes.
                changed[at:at + 4] = rng.choice((0, 1, 2**31, 2**32 - 1, len(content))).to_bytes(
                    4, "big")
            case 2:
                del changed[at:at + rng.choice((1, 4, 100))]
            case 3:
                changed[at:at] = rng.randbytes(rng.choice((1, 4, 100)))
            case 4:
                end = rng.randrange(len(changed) + 1)
                changed[at:at] = changed[end:end + rng.choice((10, 1000))]
            case _ if changed:
                changed[at:at + 1] = bytes((changed[at % len(changed)] ^ 1 << rng.randrange(8),))
    return bytes(changed)


def test_no_mutation_crashes_hangs_or_grows(whole: bytes) -> None:
    seed = int.from_bytes(os.urandom(4), "big")
    rng = random.Random(seed)
    body = whole[:-DIGEST]
    assert check_read(whole)
    tracemalloc.start()
    try:
        until, tried, taken = time.monotonic() + SECONDS, 0, 0
        kept, _ = tracemalloc.get_traced_memory()
        while time.monotonic() < until or tried < 20:
            tried += 1
            # Past the first line, which is soon said of.
            content = MAGIC + mutated(rng, body[len(MAGIC):])
            tracemalloc.reset_peak()
            taken += check_read(sealed(content))
            assert tracemalloc.get_traced_memory()[1] - kept < MOST, f"seed {seed}, {tried}"
            if content != body:
                assert not check_read(content + whole[-DIGEST:]), f"seed {seed}, {tried}"
        assert tracemalloc.get_traced_memory()[0] - kept < 4 << 20, f"seed {seed}"
    finally:
        tracemalloc.stop()
    print(f"{tried} mutations, {taken} of which change nothing that is checked; seed {seed}")


@given(content=st.binary(max_size=300), magic=st.booleans())
@settings(deadline=None, max_examples=200)
def test_any_bytes_are_refused(content: bytes, magic: bool) -> None:
    content = MAGIC * magic + content
    with pytest.raises(BadFile):
        read_back(content)
    with pytest.raises(BadFile):
        read_back(sealed(content))


TEXTS = st.text(max_size=20)


@given(objects=st.dictionaries(
    st.tuples(st.sampled_from(["a", "b"]), st.text(min_size=1, max_size=9)),
    st.tuples(TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=3)), max_size=40))
@settings(deadline=None, max_examples=60)
def test_whatever_is_stored_comes_back(
        objects: dict[tuple[str, str], tuple[str, dict[str, str]]], tmp_path_factory:
        pytest.TempPathFactory) -> None:
    cache = filled(1)
    writer = NamespaceWriter(cache)
    for number, ((namespace, name), (text, labels)) in enumerate(objects.items()):
        writer.apply(Apply(pod(name, namespace, str(number + 2000), labels=labels, text=text)))
    path = tmp_path_factory.mktemp("any") / "file"
    CacheFile(path, cache).save(OF)
    other = new_cache()
    found = read_back(path.read_bytes(), other)
    assert found is not None
    version, entries = found.namespaces[None]
    NamespaceWriter(other).restore(entries, version)
    assert contents(other) == contents(cache)
