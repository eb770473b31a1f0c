"""kube_reflect.watcher: how the machine lists."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from kube_reflect.config import Config, InitialListStrategy, ListSemantic
from kube_reflect.errors import (
    InitialListFailed, NoResourceVersion, WatchError, WatcherError, WatchFailed,
)
from kube_reflect.events import Apply, Delete, Init, InitApply, InitDone
from kube_reflect.watcher import Machine
from kube_reflect.wire import RequestError, WatchLine

from tests.support.machine_scripts import (
    AUTO, LIST, STREAM, List, Script, ScriptedLines, ScriptedPage, Watch, added, bookmark,
    deleted, error_line, line, list_end, modified, play, pod, refusal, status,
)

ANY = Config(initial_list_strategy=InitialListStrategy.LIST_WATCH,
             list_semantic=ListSemantic.ANY, page_size=7)


def test_begins_empty() -> None:
    assert Machine(Script(), LIST).state == "Empty"


def test_lists_then_watches() -> None:
    played = play(ScriptedPage([pod("a"), pod("b")], "10"),
                  ScriptedLines(added("c", "11")))
    assert played.items == [Init(), InitApply(pod("a")), InitApply(pod("b")), InitDone("10"),
                            Apply(pod("c", "11"))]
    assert played.states[:3] == ["InitPage", "InitListed", "Watching"]
    assert played.requests[:2] == [List(500), Watch("10")]


def test_an_empty_list_is_a_list() -> None:
    assert play(ScriptedPage([], "10")).items == [Init(), InitDone("10")]


def test_pages_go_on_by_their_token_and_have_the_version_of_the_first() -> None:
    played = play(ScriptedPage([pod("a")], "10", token="t1"),
                  ScriptedPage([pod("b")], "12", token="t2"),
                  ScriptedPage([pod("c")], "13"))
    assert [item.object["metadata"]["name"] for item in played.items[1:-1]] == ["a", "b", "c"]
    assert played.items[-1] == InitDone("10")
    assert played.requests == [List(500), List(500, "t1"), List(500, "t2"), Watch("10")]
    assert played.states == ["InitPage", "InitPage", "InitPage", "InitListed"]


def test_the_same_page_for_ever_is_a_failure() -> None:
    played = play(ScriptedPage([pod("a")], "10", token="t1"),
                  ScriptedPage([pod("b")], "10", token="t1"), ScriptedPage([], "11"))
    [failure] = [item for item in played.items if isinstance(item, InitialListFailed)]
    assert "same" in str(failure)
    assert played.items[-1] == InitDone("11")


def test_without_a_page_size_all_is_one_page() -> None:
    config = Config(initial_list_strategy=InitialListStrategy.LIST_WATCH, page_size=None)
    assert play(ScriptedPage(), config=config).requests == [List(None), Watch("10")]


@pytest.mark.parametrize("error", [
    RequestError("refused"), refusal(401), refusal(403), refusal(404), refusal(500),
    refusal(429, retry_after=3.0), refusal(410, "Expired"),
])
def test_a_list_that_fails_is_told_and_begun_again(error: RequestError) -> None:
    played = play(error, ScriptedPage([pod("a")], "10"))
    assert played.kinds == ["Init", "InitialListFailed", "Init", "InitApply", "InitDone"]
    told = played.items[1]
    assert (told.code, told.status, told.retry_after) == (
        error.code, error.status, error.retry_after)
    assert str(error) in str(told) and told.__cause__ is error
    # Only an expired token asks for another way to list.
    assert played.requests == [List(500), List(500), Watch("10")]


def test_the_cause_is_the_exception_that_led_to_it() -> None:
    network = ConnectionResetError("reset")
    failed = RequestError("ConnectionResetError: reset")
    failed.__cause__ = network
    assert play(failed).items[1].__cause__ is network


def test_a_list_cut_within_a_page_begins_anew() -> None:
    cut = RequestError("cut")
    played = play(ScriptedPage([pod("a")], error=cut), ScriptedPage([pod("b")], "11"))
    assert played.kinds == ["Init", "InitApply", "InitialListFailed",
                            "Init", "InitApply", "InitDone"]
    assert played.states[:3] == ["InitPage", "Empty", "InitPage"]


def test_a_page_later_that_fails_begins_with_the_first_page_again() -> None:
    played = play(ScriptedPage([pod("a")], "10", token="t1"), refusal(500),
                  ScriptedPage([pod("a")], "11"))
    assert played.requests == [List(500), List(500, "t1"), List(500), Watch("11")]
    assert played.items[-1] == InitDone("11")


@pytest.mark.parametrize("expired", [
    refusal(410, "Expired"), RequestError("gone", code=410),
    RequestError("expired", code=400, status=status(reason="Expired")),
])
def test_an_expired_token_leads_to_one_list_without_pages(expired: RequestError) -> None:
    played = play(ScriptedPage([pod("a")], "10", token="t1"), expired,
                  ScriptedPage([pod("a")], "20"),
                  ScriptedLines(error_line(status(410, "Expired"))),
                  ScriptedPage([], "30"))
    assert played.kinds[:5] == ["Init", "InitApply", "InitialListFailed", "Init", "InitApply"]
    assert played.requests == [List(500), List(500, "t1"), List(None), Watch("20"),
                               # The next relist is by pages again.
                               List(500), Watch("30")]


def test_a_list_that_lacks_its_version_for_once_is_told_and_begun_again() -> None:
    played = play(ScriptedPage([pod("a")], "10"), ScriptedLines(error_line(status(410))),
                  ScriptedPage([pod("a")], None), ScriptedPage([pod("a")], None),
                  ScriptedPage([pod("a")], "11"))
    assert played.kinds[3:] == ["WatchError", "Init", "InitApply", "NoResourceVersion",
                                "Init", "InitApply", "NoResourceVersion",
                                "Init", "InitApply", "InitDone"]
    assert isinstance(played.items[6], NoResourceVersion)


def test_what_a_streaming_list_had_a_list_lacks_by_mistake() -> None:
    played = play(ScriptedLines(list_end("10"), error_line(status(410))), refusal(422),
                  ScriptedPage([], None), ScriptedPage([], "11"), config=AUTO)
    assert played.kinds == ["Init", "InitDone", "WatchError", "Init", "NoResourceVersion",
                            "Init", "InitDone"]


def test_lists_that_lack_a_version_are_watched_from_now_on_and_made_anew_after_that() -> None:
    played = play(ScriptedPage([pod("a")], None), ScriptedLines(added("a"), added("b", "7")),
                  ScriptedPage([pod("b")], None),
                  ScriptedLines(added("b", "7"), error=RequestError("cut")),
                  ScriptedPage([pod("b")], None))
    assert played.items == [
        Init(), InitApply(pod("a")), InitDone(None), Apply(pod("a")), Apply(pod("b", "7")),
        Init(), InitApply(pod("b")), InitDone(None), Apply(pod("b", "7")), played.items[-4],
        Init(), InitApply(pod("b")), InitDone(None)]
    assert isinstance(played.items[-4], WatchFailed)
    assert played.requests == [List(500), Watch(None), List(500), Watch(None), List(500),
                               Watch(None)]


def test_any_asks_for_what_is_in_memory_at_first_only() -> None:
    played = play(refusal(500), ScriptedPage([], "10"),
                  ScriptedLines(error_line(status(410))), ScriptedPage([], "20"), config=ANY)
    assert played.requests == [
        # From memory the server ignores a limit or honours it, by version: do not send one.
        List(None, None, "0"), List(None, None, "0"), Watch("10"), List(7), Watch("20")]


def test_any_goes_on_by_token_if_the_server_makes_pages_all_the_same() -> None:
    played = play(ScriptedPage([pod("a")], "10", token="t1"), ScriptedPage([pod("b")], "11"),
                  config=ANY)
    assert played.requests == [List(None, None, "0"), List(None, "t1"), Watch("10")]


def test_any_streams_from_memory_at_first_only() -> None:
    config = Config(list_semantic=ListSemantic.ANY)
    played = play(ScriptedLines(list_end("10"), error_line(status(410))),
                  ScriptedLines(list_end("20")), config=config)
    assert played.requests[:2] == [Watch("0", True), Watch(None, True)]


@pytest.mark.parametrize("config", [AUTO, STREAM])
def test_a_streaming_list_becomes_the_watch(config: Config) -> None:
    lines = ScriptedLines(added("a"), modified("a", "5"), list_end("10"), added("b", "11"))
    played = play(lines, config=config)
    assert played.items == [Init(), InitApply(pod("a")), InitApply(pod("a", "5")),
                            InitDone("10"), Apply(pod("b", "11"))]
    assert played.states == ["InitialWatch", "Watching", "InitListed"]
    assert played.requests == [Watch(None, True), Watch("11")]
    assert lines.heard_listed and lines.closed == 1


def test_what_is_deleted_during_a_streaming_list_is_passed_on() -> None:
    played = play(ScriptedLines(added("a"), deleted("a", "9"), list_end("10")), config=STREAM)
    assert played.items == [Init(), InitApply(pod("a")), Delete(pod("a", "9")), InitDone("10")]


@pytest.mark.parametrize("other", [
    bookmark("9"), bookmark("9", other="true"),
    line("BOOKMARK", {"metadata": {"resourceVersion": "9", "annotations": None}}),
])
def test_another_bookmark_does_not_end_a_streaming_list(other: WatchLine) -> None:
    played = play(ScriptedLines(other, added("a"), list_end("10")), config=STREAM)
    assert played.items == [Init(), InitApply(pod("a")), InitDone("10")]


@pytest.mark.parametrize("code", [400, 404, 405, 408, 410, 415, 422])
def test_auto_lists_where_streaming_lists_are_refused_and_remembers(
        code: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "kube_reflect"):
        played = play(refusal(code, "Invalid"), ScriptedPage([], "10"),
                      ScriptedLines(error_line(status(410))), ScriptedPage([], "20"),
                      config=AUTO)
    assert played.items[:2] == [Init(), InitDone("10")]
    assert played.requests == [Watch(None, True), List(500), Watch("10"), List(500), Watch("20")]
    assert caplog.text.count("no streaming list") == 1


@pytest.mark.parametrize("error", [refusal(401), refusal(403), refusal(429, retry_after=1.0)])
def test_auto_tries_again_where_a_list_would_be_refused_too(error: RequestError) -> None:
    played = play(error, ScriptedLines(list_end("10")), config=AUTO)
    assert played.kinds == ["InitialListFailed", "Init", "InitDone"]
    assert played.items[0].code == error.code
    assert played.requests[:2] == [Watch(None, True), Watch(None, True)]


@pytest.mark.parametrize("error", [refusal(500), refusal(503), RequestError("refused")])
def test_auto_says_what_may_be_for_the_streaming_and_lists(error: RequestError) -> None:
    played = play(error, ScriptedPage([], "10"), config=AUTO)
    assert played.kinds == ["InitialListFailed", "Init", "InitDone"]
    assert played.requests == [Watch(None, True), List(500), Watch("10")]


def test_auto_tries_both_in_turn_while_neither_works() -> None:
    played = play(refusal(500), refusal(500), refusal(500), refusal(503),
                  ScriptedLines(list_end("10")), config=AUTO)
    assert played.requests[:5] == [Watch(None, True), List(500)] * 2 + [Watch(None, True)]
    assert played.items[-1] == InitDone("10")


def test_auto_tries_a_streaming_list_again_after_some_lists_and_then_after_more() -> None:
    answers: list[Any] = [refusal(422)]
    for number in range(12):
        if number == 4:
            answers.append(refusal(422))
        answers += [ScriptedPage([], "10"), ScriptedLines(error_line(status(410)))]
    played = play(*answers, ScriptedLines(list_end("20")), config=AUTO)
    streaming = [number for number, request in enumerate(played.requests)
                 if request == Watch(None, True)]
    # After four lists and their watches, and after eight.
    assert streaming == [0, 9, 26]


def test_a_forced_streaming_list_never_falls_back() -> None:
    played = play(refusal(422), refusal(422), ScriptedLines(list_end("10")), config=STREAM)
    assert played.kinds == ["InitialListFailed", "InitialListFailed", "Init", "InitDone"]
    assert all(isinstance(request, Watch) for request in played.requests)


@pytest.mark.parametrize(("broken", "message"), [
    (lambda: ScriptedLines(added("a")), "before its end bookmark"),
    (lambda: ScriptedLines(added("a"), error=RequestError("cut")), "cut"),
    (lambda: ScriptedLines(added("a"), line("CHANGED", {})), "CHANGED"),
])
def test_auto_lists_after_a_streaming_list_that_broke_off(broken: Any, message: str) -> None:
    lines = broken()
    played = play(lines, ScriptedPage([pod("a")], "10"), config=AUTO)
    assert played.kinds == ["Init", "InitApply", "InitialListFailed",
                            "Init", "InitApply", "InitDone"]
    assert message in str(played.items[2])
    assert played.requests == [Watch(None, True), List(500), Watch("10")]
    assert lines.closed == 1


def test_a_forced_streaming_list_that_broke_off_is_begun_again() -> None:
    played = play(ScriptedLines(added("a")), ScriptedLines(list_end("10")), config=STREAM)
    assert played.kinds == ["Init", "InitApply", "InitialListFailed", "Init", "InitDone"]
    assert played.states == ["InitialWatch", "Empty", "InitialWatch", "Watching", "InitListed"]


@pytest.mark.parametrize("content", [status(410, "Expired"), status(500), {}])
def test_an_error_event_in_a_streaming_list_begins_it_anew(content: dict[str, Any]) -> None:
    lines = ScriptedLines(added("a"), error_line(content))
    played = play(lines, ScriptedLines(list_end("10")), config=STREAM)
    assert played.kinds == ["Init", "InitApply", "WatchError", "Init", "InitDone"]
    assert isinstance(played.items[2], WatchError) and played.items[2].status == content
    assert lines.closed == 1


@pytest.mark.parametrize(("last", "kind"), [
    (error_line(status(410, "Expired")), "WatchError"), (error_line(status(500)), "WatchError"),
    (error_line({}), "WatchError"), (list_end(None), "NoResourceVersion"),
])
def test_auto_lists_after_a_streaming_list_that_was_no_good(last: WatchLine, kind: str) -> None:
    lines = ScriptedLines(added("a"), last)
    played = play(lines, ScriptedPage([pod("a")], "10"), config=AUTO)
    assert played.kinds == ["Init", "InitApply", kind, "Init", "InitApply", "InitDone"]
    assert played.requests == [Watch(None, True), List(500), Watch("10")]
    assert lines.closed == 1


@pytest.mark.parametrize("code", [401, 403, 429])
def test_auto_streams_again_where_an_error_event_says_nothing_of_streaming(code: int) -> None:
    played = play(ScriptedLines(error_line(status(code))), ScriptedLines(list_end("10")),
                  config=AUTO)
    assert played.requests[:2] == [Watch(None, True)] * 2


def test_a_streaming_list_without_a_version_is_told_and_begun_again() -> None:
    lines = ScriptedLines(list_end(None))
    played = play(lines, ScriptedLines(list_end("10")), config=STREAM)
    assert played.kinds == ["Init", "NoResourceVersion", "Init", "InitDone"]
    assert lines.closed == 1


def test_a_source_that_is_closed_ends_the_iteration_in_any_state() -> None:
    whole = (ScriptedPage([pod("a")], "10", token="t"), ScriptedPage([], "10"),
             ScriptedLines(added("b", "11")))
    ends = [play(*whole[:count]).machine.state for count in range(4)]
    assert ends == ["InitPage", "InitPage", "InitListed", "InitListed"]


@pytest.mark.parametrize("config", [LIST, STREAM])
def test_whoever_stops_iterating_hangs_up(config: Config) -> None:
    lines = ScriptedLines(*([list_end("10")] if config is STREAM else []), added("a", "11"))
    answers = [lines] if config is STREAM else [ScriptedPage([], "10"), lines]
    items = Machine(Script(*answers), config).run()
    assert any(item == Apply(pod("a", "11")) for item in items)
    assert lines.closed == 0
    items.close()  # type: ignore[attr-defined]
    assert lines.closed == 1


def test_errors_are_watcher_errors() -> None:
    errors = [item for item in play(refusal(500), refusal(500), ScriptedPage([], "10")).items
              if isinstance(item, Exception)]
    assert len(errors) == 2
    assert all(isinstance(error, WatcherError) for error in errors)
    assert isinstance(errors[0], InitialListFailed)


def test_each_transition_is_one_line_in_the_debug_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "kube_reflect.watcher"):
        play(ScriptedPage([], "10"), ScriptedLines())
    assert [record.getMessage() for record in caplog.records] == [
        "Empty -> InitPage", "InitPage -> InitListed", "InitListed -> Watching",
        "Watching -> InitListed"]


def test_the_machine_says_where_it_is() -> None:
    machine = play(ScriptedPage([], "10"), ScriptedLines(added("a", "11"))).machine
    assert repr(machine) == "<Machine InitListed at 11>"
