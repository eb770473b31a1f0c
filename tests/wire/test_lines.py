"""kube_reflect.wire.lines: the lines of a WATCH, however they are cut and whatever they hold."""

from __future__ import annotations

import gzip
import json
import random
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kube_reflect.client import Closed, RequestError
from kube_reflect.ground.json_parser import loads
from kube_reflect.ground.objects import BadObject, Object
from kube_reflect.wire import WatchLine
from kube_reflect.wire.lines import WatchLines
from kube_reflect.wire.record import ServerRecord

from tests.support.objects import pod
from tests.wire.test_page_items import A, BOUNDARIES, TOO_DEEP, TOO_LONG, known, plain

DATA = Path(__file__).parents[1] / "data"


class Response:
    """A response that gives these chunks, and then ends, or raises."""

    def __init__(self, chunks: Iterable[bytes], error: Exception | None = None) -> None:
        self._chunks = chunks
        self._error = error
        self.closed = 0
        self.read_timeouts: list[float] = []

    def chunks(self) -> Iterator[bytes]:
        yield from self._chunks
        if self._error is not None:
            raise self._error

    def set_read_timeout(self, seconds: float) -> None:
        self.read_timeouts.append(seconds)

    def close(self) -> None:
        self.closed += 1


def line_of(obj: Any, kind: str = "MODIFIED") -> bytes:
    return b'{"type":"%s","object":%s}' % (
        kind.encode(), json.dumps(obj, separators=(",", ":")).encode())


def lines_of(response: Any, record: ServerRecord | None = None, initial: bool = False,
             ) -> WatchLines:
    # To be ended after no time at all, so that it is never too early.
    return WatchLines(response, seconds=0, idle_timeout=60, initial=initial,
                      record=record or ServerRecord())


def read(*chunks: bytes) -> list[WatchLine]:
    return list(lines_of(Response(chunks)))


def recorded() -> Iterator[bytes]:
    for path in sorted(DATA.glob("wire/*/watch-*.json")):
        body = "".join(json.loads(path.read_text("utf-8"))["response"]["chunks"])
        yield from (line for line in body.encode().split(b"\n") if b'"object"' in line)


def check_line(line: bytes) -> None:
    """Check that what is read is what parsing gives."""
    [found] = read(line + b"\n")
    event = json.loads(line.decode("utf-8", "replace"))
    assert found.type == event["type"]
    assert known(found.object) == known(Object.of(event["object"]))
    assert found.object.mapping() == event["object"] == loads(found.object.json())


LINES = [line_of(pod(f"p{number}", text="x" * number)) for number in range(30)]
WHOLE = b"".join(line + b"\n" for line in LINES)


def cut_lines(chunks: list[bytes]) -> list[bytes | str]:
    return list(lines_of(Response(chunks))._read())


@pytest.mark.parametrize("seed", range(20))
def test_cut_anywhere_the_lines_are_the_same(seed: int) -> None:
    rng = random.Random(seed)
    ends = [end for end in range(len(WHOLE)) if WHOLE[end - 1:end] == b"\n"]
    marks = sorted(rng.sample(range(len(WHOLE)), rng.randrange(60)) + rng.sample(ends, 15))
    chunks = [WHOLE[start:end] for start, end in zip([0, *marks], [*marks, len(WHOLE)])]
    assert cut_lines(chunks) == [line + b"\n" for line in LINES]
    assert [found.object["metadata"]["name"] for found in read(*chunks)] == [
        f"p{number}" for number in range(30)]


@pytest.mark.parametrize("blank", [b"\n", b"  \n", b"\r\n", b"\n\n\n"])
def test_blank_lines_are_none(blank: bytes) -> None:
    assert len(read(blank, LINES[0] + b"\n" + blank + LINES[1] + b"\n", blank, blank)) == 2


def test_the_last_line_may_lack_its_newline() -> None:
    assert len(read(WHOLE[:-1])) == len(LINES)


def test_every_recorded_line() -> None:
    lines = list(recorded())
    assert len(lines) > 50
    for line in lines:
        check_line(line)


def test_recorded_pods() -> None:
    with gzip.open(DATA / "pods-v1.36.jsonl.gz") as pods:
        for _, line in zip(range(50), pods):
            check_line(b'{"type":"ADDED","object":%s}' % line.rstrip(b"\n"))


@pytest.mark.parametrize("line", [
    line_of(pod("a"), "BOOKMARK"), line_of(pod("a"), "ERROR"), line_of(pod("a"), "RENAMED"),
    line_of({}), line_of({"metadata": None}), line_of(pod("")), line_of(pod("a", labels=None)),
    line_of(pod("a"))[:-1] + b',"object":{}}', line_of(pod("a"))[:-1] + b',"type":"ADDED"}',
    line_of(pod("a"))[:-1] + b',"more":1}', line_of(pod("a")).replace(b'{"type"', b'{ "type"'),
    line_of(pod("a")).replace(b'{"apiVersion"', b'{},"object":{"apiVersion"'),
    b'{"object":' + line_of(pod("a")).partition(b'"object":')[2][:-1] + b',"type":"ADDED"}',
    line_of(pod("a", text='{"type":"ADDED","object":{}}')), line_of(pod("a")) + b" \r",
    line_of(pod("a", text="\N{SNOWMAN}")),
    line_of(pod("a", text="x")).replace(b'"x"', b'"\xe2\x98\x83"'),
    line_of(pod("a", text="x")).replace(b'"x"', b'"\xff"'), line_of(pod("a", n=2 ** 70, m=-1e-300)),
])
def test_odd_lines(line: bytes) -> None:
    check_line(line)


@pytest.mark.parametrize("line", [
    b"null", b"[]", b"{}", b"17", b"no JSON", b'{"type":"ADDED"}', b'{"object":{}}',
    b'{"type":"ADDED","object":null}', b'{"type":1,"object":{}}', LINES[0][:-1], LINES[0] + b"}",
    LINES[0][:100], b'{"type":"ADDED","object":{}{}}', b'{"type":"ADDED","object":{},{}}',
    b'{"type":"ADDED","object":{"a":' + TOO_DEEP[0].encode(), b"[" * 5000, b"\x00", b"\xff\xfe",
    b'{"type":"ADDED","object":' + TOO_DEEP[1].encode() + b"}",
], ids=range(19))
def test_what_is_no_event_breaks_the_watch(line: bytes) -> None:
    with pytest.raises(RequestError, match="a line that is no") as caught:
        read(line + b"\n")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("form", [
    '{"type":"MODIFIED","object":%s}', '{"type": "MODIFIED", "object": %s}',
    '{"object":%s,"type":"MODIFIED"}', '{"type":"MODIFIED","object":%s,"more":["object"]} ',
])
@pytest.mark.parametrize("bad", TOO_DEEP + TOO_LONG, ids=["objects", "lists", "long", "longer"])
def test_an_object_that_cannot_be_parsed_is_one_bad_object(bad: str, form: str) -> None:
    line = (form % plain("bad", f',"spec":{{"list":{BOUNDARIES},"bad":{bad}}}')).encode()
    found = read(LINES[0] + b"\n" + line + b"\n" + LINES[1] + b"\n")
    assert [one.object.name for one in found] == ["p0", "bad", "p1"]
    assert found[1].type == "MODIFIED" and found[1].object.resource_version == "1"
    with pytest.raises(BadObject):
        found[1].object.mapping()


def test_a_byte_order_mark_is_no_part_of_a_line() -> None:
    assert len(read(b"\xef\xbb\xbf" + WHOLE)) == len(LINES)


def test_a_list_is_the_answer_of_a_server_that_does_not_watch() -> None:
    with pytest.raises(RequestError) as caught:
        read(('{"kind":"PodList","items":[%s],"metadata":{}}' % A).encode())
    assert caught.value.code == 405


@pytest.mark.parametrize("half", [b'{"type":"ADD', LINES[0][:50]])
def test_half_a_line_that_close_cut_off_is_no_failure(half: bytes) -> None:
    lines = iter(lines_of(Response([WHOLE, half], error=Closed())))
    assert len([next(lines) for _ in LINES]) == len(LINES)
    with pytest.raises(Closed):
        next(lines)


def test_a_line_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kube_reflect.wire.lines._LONGEST_LINE", 2**20)

    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 2**16

    with pytest.raises(RequestError, match="longer than"):
        list(lines_of(Response(endless())))


@pytest.mark.parametrize("line", [
    b'{"type":"ADDED","object":{"a":"' + b'\\"' * 500_000, b'{"type":"ADDED","object":' * 50_000,
    b'{"type":"ADDED","object":{"a":[' + b"[" * 2_000_000, b'{"type":"' + b"\\" * 1_000_001,
    b'{"a":"' * 300_000,
], ids=range(5))
def test_what_is_made_to_take_long_does_not(line: bytes) -> None:
    began = time.thread_time()
    with pytest.raises(RequestError):
        read(line + b"\n")
    assert time.thread_time() - began < 10


def test_ten_thousand_lines_in_one_chunk_are_no_trouble() -> None:
    began = time.thread_time()
    assert len(read(WHOLE * 300)) == 9000
    assert time.thread_time() - began < 10


def test_closed_in_the_middle_it_hangs_up() -> None:
    response = Response([WHOLE])
    lines = lines_of(response)
    assert next(iter(lines)).object.name == "p0"
    # Another iteration goes on where the first has stopped.
    assert next(iter(lines)).object.name == "p1"
    lines.close()
    assert response.closed and list(lines) == []


def test_closed_before_it_was_read_it_hangs_up() -> None:
    response = Response([WHOLE])
    lines_of(response).close()
    assert response.closed


def test_a_list_is_no_contact_before_it_is_complete_but_it_is_seen() -> None:
    record = ServerRecord()
    response = Response([LINES[0] + b"\n", LINES[1] + b"\n"])
    lines = lines_of(response, record, initial=True)
    assert record.contact is record.first_list is None
    next(iter(lines))
    began = record.first_list
    assert record.contact is None and began is not None and response.read_timeouts == [30]
    next(iter(lines))
    assert record.contact is None and record.first_list == began
    lines.listed()
    assert record.contact == began and response.read_timeouts == [30, 60]


def test_what_a_watch_shows_is_contact_but_for_errors() -> None:
    for kind in "ADDED", "MODIFIED", "DELETED", "BOOKMARK":
        record = ServerRecord()
        next(iter(lines_of(Response([line_of(pod("a"), kind) + b"\n"]), record)))
        assert record.contact is not None
        assert record.sends_bookmarks is (kind == "BOOKMARK")
    record = ServerRecord()
    next(iter(lines_of(Response([line_of(pod("a"), "ERROR") + b"\n"]), record)))
    assert record.contact is None
