"""kube_reflect.shard"""

from __future__ import annotations

import dataclasses
import random
import re
import socket
import uuid
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube_reflect import Shard
from kube_reflect.shard import fnv1a

WHOLE = 1 << 64
COUNTS = st.integers(1, 5000)


def bounds(shard: Shard) -> tuple[int, int]:
    found = re.fullmatch(r"shardRange\(object\.metadata\.(uid|namespace), '0x(1?[0-9a-f]{16})', "
                         r"'0x(1?[0-9a-f]{16})'\)", shard.selector)
    assert found is not None and found[1] == shard.by
    return int(found[2], 16), int(found[3], 16)


@pytest.mark.parametrize(("text", "value"), [
    # As published with the algorithm.
    ("", 0xCBF29CE484222325), ("a", 0xAF63DC4C8601EC8C), ("foobar", 0x85944171F73967E8)])
def test_the_hash(text: str, value: int) -> None:
    assert fnv1a(text) == value


def test_the_selector_is_that_of_the_api_server() -> None:
    # As the API's own documentation has it.
    assert [Shard(index, 4).selector for index in range(4)] == [
        "shardRange(object.metadata.uid, '0x0000000000000000', '0x4000000000000000')",
        "shardRange(object.metadata.uid, '0x4000000000000000', '0x8000000000000000')",
        "shardRange(object.metadata.uid, '0x8000000000000000', '0xc000000000000000')",
        "shardRange(object.metadata.uid, '0xc000000000000000', '0x10000000000000000')"]
    assert Shard(0, 1, by="namespace").selector == (
        "shardRange(object.metadata.namespace, '0x0000000000000000', '0x10000000000000000')")


@given(COUNTS)
def test_the_ranges_are_the_whole_and_disjoint(count: int) -> None:
    ranges = [bounds(Shard(index, count)) for index in range(count)]
    assert (ranges[0][0], ranges[-1][1]) == (0, WHOLE)
    assert all(before[1] == after[0] for before, after in zip(ranges, ranges[1:]))
    sizes = {end - start for start, end in ranges}
    assert max(sizes) - min(sizes) <= 1 and min(sizes) > 0


@given(st.text(), COUNTS)
def test_what_is_owned_is_within_the_range(value: str, count: int) -> None:
    [owner] = [index for index in range(count) if Shard(index, count).owns(value)]
    start, end = bounds(Shard(owner, count))
    assert start <= fnv1a(value) < end


@given(st.integers(1, 500), st.integers(1, 10), st.data())
def test_a_shard_that_is_divided_is_divided_among_its_own(count: int, times: int,
                                                          data: st.DataObject) -> None:
    index = data.draw(st.integers(0, count - 1))
    parts = [bounds(Shard(index * times + part, count * times)) for part in range(times)]
    assert (parts[0][0], parts[-1][1]) == bounds(Shard(index, count))


def test_what_has_no_uid_is_in_one_shard() -> None:
    assert [Shard(index, 3).owns(None) for index in range(3)] == [
        Shard(index, 3).owns("") for index in range(3)]
    assert sum(Shard(index, 3).owns(None) for index in range(3)) == 1


def test_numbered_names_lie_together_and_uids_do_not() -> None:
    # What the manual says; the hash is the server's, so it cannot be another one.
    names = Counter(fnv1a(f"team-{number}") * 10 >> 64 for number in range(1000))
    assert (len(names), max(names.values())) == (6, 310)
    draw = random.Random(1)
    uids = Counter(fnv1a(str(uuid.UUID(int=draw.getrandbits(128), version=4))) * 10 >> 64
                   for _ in range(10_000))
    assert len(uids) == 10 and 900 < min(uids.values()) <= max(uids.values()) < 1100


def test_it_is_frozen_and_comparable() -> None:
    shard = Shard(1, 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        shard.index = 2  # type: ignore[misc]
    assert shard == Shard(1, 3) != Shard(1, 3, by="namespace")
    assert len({shard, Shard(1, 3), Shard(2, 3)}) == 2
    assert (str(shard), str(Shard(1, 3, by="namespace"))) == ("1/3", "1/3 by namespace")


@pytest.mark.parametrize(("index", "count", "by", "said"), [
    (3, 3, "uid", "from 0 to 2"), (-1, 3, "uid", "index"), (0, 0, "uid", "count"),
    (0, -1, "uid", "count"), (0, 1, "name", "uid or namespace")])
def test_what_makes_no_sense_is_refused(index: int, count: int, by: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Shard(index, count, by=by)


@pytest.mark.parametrize(("index", "count"), [("0", 1), (0, "1"), (0.0, 1), (False, 1), (0, None)])
def test_what_is_no_whole_number_is_refused(index: Any, count: Any) -> None:
    with pytest.raises(TypeError, match="whole number"):
        Shard(index, count)


@pytest.mark.parametrize(("environ", "hostname", "shard"), [
    ({"SHARD_INDEX": "2", "SHARD_COUNT": "5"}, "web-3", Shard(2, 5)),
    ({"SHARD_COUNT": "5"}, "web-3", Shard(3, 5)),
    ({"SHARD_INDEX": "", "SHARD_COUNT": " 5 "}, "kube-reflect-2-0", Shard(0, 5)),
    ({"SHARD_COUNT": "5"}, "web-3.web.shop.svc.cluster.local", Shard(3, 5))])
def test_from_the_environment(environ: dict[str, str], hostname: str, shard: Shard) -> None:
    assert Shard.from_env(environ=environ, hostname=hostname) == shard


def test_from_variables_of_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ME", "1")
    monkeypatch.setenv("ALL", "2")
    assert Shard.from_env("ME", "ALL", by="namespace") == Shard(1, 2, by="namespace")
    monkeypatch.delenv("ME")
    monkeypatch.setattr(socket, "gethostname", lambda: "web-0")
    assert Shard.from_env("ME", "ALL") == Shard(0, 2)


@pytest.mark.parametrize(("environ", "hostname", "said"), [
    ({}, "web-3", "SHARD_COUNT is not set"),
    ({"SHARD_COUNT": ""}, "web-3", "SHARD_COUNT is not set"),
    ({"SHARD_COUNT": "five"}, "web-3", "SHARD_COUNT must be a whole number, not 'five'"),
    ({"SHARD_COUNT": "-5"}, "web-3", "SHARD_COUNT must be a whole number, not '-5'"),
    ({"SHARD_COUNT": "0"}, "web-3", "SHARD_COUNT must be 1 or more: 0"),
    ({"SHARD_COUNT": "5", "SHARD_INDEX": "x"}, "web-3", "SHARD_INDEX must be a whole number"),
    ({"SHARD_COUNT": "5", "SHARD_INDEX": "5"}, "web-3",
     "SHARD_INDEX must be below SHARD_COUNT, which is 5: 5"),
    ({"SHARD_COUNT": "3"}, "web-3", "the ordinal of the host name 'web-3' must be below"),
    ({"SHARD_COUNT": "3"}, "web-6d4cf56db6-x7k2p", "SHARD_INDEX is not set .* 'web-6d4cf56db6-x"),
    ({"SHARD_COUNT": "3"}, "laptop", "does not end in an ordinal"),
    ({"SHARD_COUNT": "3"}, "", "does not end in an ordinal")])
def test_an_environment_that_does_not_tell(environ: dict[str, str], hostname: str, said: str,
                                           ) -> None:
    with pytest.raises(ValueError, match=said):
        Shard.from_env(environ=environ, hostname=hostname)
