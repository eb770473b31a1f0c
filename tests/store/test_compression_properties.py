"""kube_reflect.store.compression, of any bytes."""

from __future__ import annotations

import pytest

pytest.importorskip("hypothesis", reason="property tests need hypothesis, of the extra [dev]")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from kube_reflect.store.backends import Backend  # noqa: E402
from kube_reflect.store.compression import Compressor  # noqa: E402

from tests.store.test_compression import ALL, stranger  # noqa: E402


@given(histories=st.lists(st.tuples(
    st.one_of(st.binary(max_size=300), st.integers(0, 40).map(lambda n: b"ab%d" % n * 5000),
              st.builds(stranger, st.integers(0, 9), st.sampled_from("ABC"))),
    st.integers(1, 40)), max_size=12), which=st.sampled_from(ALL))
@settings(deadline=None, max_examples=60)
def test_all_is_read_back_whatever_the_dictionary(histories: list[tuple[bytes, int]],
                                                  which: Backend) -> None:
    compressor = Compressor(backend=which)
    objects = [one for one, times in histories for _ in range(times)]
    packed = [compressor.compress(one) for one in objects]
    assert all(len(small) <= len(one) + 1 for small, one in zip(packed, objects))
    assert [compressor.decompress(small) for small in packed] == objects


@given(where=st.integers(0, 10**6), byte=st.integers(0, 255), cut=st.booleans(),
       which=st.sampled_from(ALL), long=st.booleans())
@settings(deadline=None, max_examples=300)
def test_damaged_bytes_are_a_value_error_or_something_as_long(
        where: int, byte: int, cut: bool, which: Backend, long: bool) -> None:
    compressor = Compressor(backend=which)
    one = b"0123456789" * 50_000 if long else stranger(1)
    small = bytearray(compressor.compress(one))
    where %= len(small)
    if cut:
        del small[where:]
    else:
        small[where] = byte
    try:
        found = compressor.decompress(bytes(small))
    except ValueError:
        pass
    else:
        assert len(found) <= max(len(small) * which.ratio, len(one))
    assert compressor.decompress(compressor.compress(one)) == one
