"""kube_reflect._phrases: what is made shorter is restored to the byte, and reads the same."""

from __future__ import annotations

import gzip
import json
import marshal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("hypothesis", reason="property tests need hypothesis, of the extra [dev]")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from kube_reflect.store.entries import pack, unpack  # noqa: E402
from kube_reflect.store.phrases import _CODES, _PHRASES, restored, shortened  # noqa: E402
from kube_reflect.wire.raw import glance  # noqa: E402

from tests.support.cache_helpers import pod  # noqa: E402

PODS = Path(__file__).parents[1] / "data" / "pods-v1.36.jsonl.gz"

PLACES = st.integers(0, 40)
# Whole phrases, and pieces of them, so that they overlap and are made of one another's ends.
PIECES = st.one_of(
    st.sampled_from(_PHRASES),
    st.builds(lambda phrase, start, end: phrase[start:-end or None],
              st.sampled_from(_PHRASES), PLACES, PLACES),
    st.text(st.characters(max_codepoint=127), max_size=5).map(str.encode))
ASCII = st.lists(PIECES, max_size=12).map(b"".join)
TEXT = st.lists(st.one_of(st.sampled_from(_PHRASES).map(bytes.decode), st.text(max_size=3)),
                max_size=4).map("".join)


@given(ASCII)
def test_ascii_is_restored_to_the_byte(data: bytes) -> None:
    short = shortened(data)
    assert short is not None and len(short) <= len(data)
    assert restored(short) == data


@given(ASCII, st.integers(0x80, 0xff), st.integers(0))
def test_all_else_is_refused(data: bytes, byte: int, place: int) -> None:
    place %= len(data) + 1
    assert shortened(data[:place] + bytes([byte]) + data[place:]) is None


@given(st.binary())
def test_whatever_bytes_come_are_restored_or_refused(data: bytes) -> None:
    short = shortened(data)
    assert (short is None) != data.isascii()
    assert short is None or restored(short) == data


@given(TEXT, TEXT, st.booleans())
def test_an_object_is_read_as_it_came(name: str, text: str, ascii_only: bool) -> None:
    obj = pod(name or "a", labels={"text": text}, **{text: [text, {"name": name}]})
    data = json.dumps(obj, separators=(",", ":"), ensure_ascii=ascii_only).encode()
    seen = glance(data)
    assert seen is not None and unpack(pack(seen, ())) == obj


def test_each_phrase_is_plain_and_has_a_code_of_its_own() -> None:
    codes = [code for code, _ in _CODES]
    assert len(set(codes)) == len(set(_PHRASES)) == len(_CODES) <= 128
    assert all(len(code) == 1 and not code.isascii() for code in codes)
    assert all(phrase.isascii() and len(phrase) > 1 for phrase in _PHRASES)


def test_no_phrase_hides_one_that_comes_after_it() -> None:
    # Else the longer of the two would never be found.
    hidden = [(one, other) for number, one in enumerate(_PHRASES)
              for other in _PHRASES[number + 1:] if one in other]
    assert not hidden


def test_recorded_pods_become_smaller_than_marshal_makes_them() -> None:
    with gzip.open(PODS) as lines:
        pods = [line.rstrip(b"\n") for _, line in zip(range(100), lines)]
    short = [shortened(one) for one in pods]
    assert [restored(one or b"") for one in short] == pods
    assert sum(len(one or b"") for one in short) < 0.75 * sum(map(len, pods))
    assert sum(len(one or b"") for one in short) < sum(
        len(marshal.dumps(json.loads(one))) for one in pods)


@pytest.mark.parametrize(("text", "kept_as_json"), [("plain", True), ("\N{SNOWMAN}", False)])
def test_only_ascii_is_kept_as_json(text: str, kept_as_json: bool) -> None:
    obj: dict[str, Any] = pod("a", text=text, list=[{"name": "x"}, {"name": "y"}])
    seen = glance(json.dumps(obj, separators=(",", ":"), ensure_ascii=False).encode())
    assert seen is not None
    packed = pack(seen, ())
    assert (b'"spec":{' in packed) is kept_as_json
    assert unpack(packed) == obj
