"""kube_reflect.watcher: how the machine watches, resumes and relists."""

from __future__ import annotations

from typing import Any

import pytest

from kube_reflect.config import Config, InitialListStrategy
from kube_reflect.errors import WatchError, WatchFailed, WatchStartFailed
from kube_reflect.events import Apply, Bookmark, Delete, Init, InitDone
from kube_reflect.wire import Closed, RequestError, WatchLine

from tests.support.machine_scripts import (
    List, Played, Script, ScriptedLines, ScriptedPage, Wait, Watch, added, bookmark, deleted,
    error_line, line, modified, pod, refusal, status,
)
from tests.support.machine_scripts import play as play_all

GARBAGE = RequestError("a line that is no JSON")


def play(*answers: Any) -> Played:
    """Play what comes after a list of version 10; return what came of it alone."""
    played = play_all(ScriptedPage([], "10"), *answers)
    assert played.items[:2] == [Init(), InitDone("10")]
    assert played.requests[:1] == [List(500)]
    return played._replace(items=played.items[2:], requests=played.requests[1:],
                           states=played.states[2:])


def test_each_kind_of_line_is_its_event() -> None:
    played = play(ScriptedLines(added("a", "11"), modified("a", "12"), bookmark("15"),
                                deleted("a", "16")))
    assert played.items == [Apply(pod("a", "11")), Apply(pod("a", "12")), Bookmark("15"),
                            Delete(pod("a", "16"))]


@pytest.mark.parametrize(("last", "version"), [
    (added("a", "11"), "11"), (modified("a", "12"), "12"), (deleted("a", "13"), "13"),
    (bookmark("14"), "14"), (bookmark("10"), "10"),
])
def test_a_watch_that_ends_is_resumed_from_the_last_version(
        last: WatchLine, version: str) -> None:
    lines = ScriptedLines(last)
    played = play(lines, ScriptedLines())
    assert not [item for item in played.items if isinstance(item, Exception)]
    assert played.requests == [Watch("10"), Watch(version), Watch(version)]
    assert played.states == ["Watching", "InitListed", "Watching", "InitListed"]
    assert lines.closed == 1


@pytest.mark.parametrize("error", [
    RequestError("refused"), refusal(401), refusal(403), refusal(429),
    refusal(500), refusal(503, retry_after=4.0),
])
def test_a_watch_that_cannot_be_started_is_tried_again(error: RequestError) -> None:
    played = play(*[error] * 5, ScriptedLines(added("a", "11")))
    assert played.kinds == ["WatchStartFailed"] * 5 + ["Apply"]
    assert isinstance(played.items[0], WatchStartFailed)
    assert (played.items[0].code, played.items[0].retry_after) == (error.code, error.retry_after)
    assert played.items[0].__cause__ is error
    assert played.requests == [Watch("10")] * 6 + [Watch("11")]


@pytest.mark.parametrize("error", [
    refusal(410, "Expired"), refusal(410, "Gone"), RequestError("HTTP 410", code=410),
    RequestError("odd", code=500, status=status(reason="Expired")),
    refusal(400), refusal(422),
])
def test_a_version_that_is_refused_is_relisted(error: RequestError) -> None:
    played = play(error, ScriptedPage([pod("a")], "20"))
    assert played.kinds == ["WatchStartFailed", "Init", "InitApply", "InitDone"]
    assert played.requests == [Watch("10"), List(500), Watch("20")]
    assert played.states[0] == "Empty"


@pytest.mark.parametrize("content", [
    status(410, "Expired"), status(410, "Gone"), status(410), status(reason="Expired"),
    status(reason="Gone"), {"code": 410}, status(code=504, reason="Expired"),
])
def test_every_form_of_410_in_the_stream_is_one_relist(content: dict[str, Any]) -> None:
    lines = ScriptedLines(added("a", "11"), error_line(content))
    played = play(lines, ScriptedPage([], "20"))
    assert played.kinds == ["Apply", "WatchError", "Init", "InitDone"]
    assert played.items[1].status == content
    assert played.requests == [Watch("10"), List(500), Watch("20")]
    assert lines.closed == 1


@pytest.mark.parametrize("content", [
    status(500, "InternalError", message="etcd"), status(504, "Timeout"), status(429), {},
    {"code": "410"}, {"reason": None, "code": None, "details": None},
])
def test_another_error_event_resumes(content: dict[str, Any]) -> None:
    lines = ScriptedLines(added("a", "11"), error_line(content))
    played = play(lines, ScriptedLines(added("b", "12")))
    assert played.kinds == ["Apply", "WatchError", "Apply"]
    assert isinstance(played.items[1], WatchError)
    assert played.items[1].status == content
    assert played.requests == [Watch("10"), Watch("11"), Watch("12")]
    assert lines.closed == 1


def test_an_error_event_says_what_the_server_said() -> None:
    content = status(429, "TooManyRequests", message="slow down",
                     details={"retryAfterSeconds": 7})
    error = play(ScriptedLines(error_line(content))).items[0]
    assert "slow down" in str(error)
    assert (error.code, error.retry_after, error.status) == (429, 7.0, content)


def test_a_watch_cut_after_lines_is_resumed_any_number_of_times() -> None:
    cut = RequestError("cut")
    watches = [ScriptedLines(added("a", str(11 + n)), error=cut) for n in range(8)]
    played = play(*watches)
    assert played.kinds == ["Apply", "WatchFailed"] * 8
    assert played.requests == [Watch(str(10 + n)) for n in range(9)]
    assert all(watch.closed == 1 for watch in watches)
    assert played.items[1].__cause__ is cut


@pytest.mark.parametrize("broken", [
    lambda: ScriptedLines(error=GARBAGE),
    lambda: ScriptedLines(line("CHANGED", pod("a", "11"))),
    lambda: ScriptedLines(error_line(status(500))),
])
def test_garbage_is_resumed_twice_then_relisted(broken: Any) -> None:
    played = play(broken(), broken(), broken(), ScriptedPage([], "20"))
    assert played.requests == [Watch("10"), Watch("10"), Watch("10"), List(500), Watch("20")]
    assert len([item for item in played.items if isinstance(item, Exception)]) == 3
    assert played.kinds[-2:] == ["Init", "InitDone"]


def test_one_good_line_and_garbage_counts_from_one_again() -> None:
    played = play(ScriptedLines(error=GARBAGE), ScriptedLines(error=GARBAGE),
                  ScriptedLines(bookmark("11"), error=GARBAGE), ScriptedLines(error=GARBAGE),
                  ScriptedLines(error=GARBAGE), ScriptedPage([], "20"))
    assert played.requests == [Watch("10"), Watch("10"), Watch("10"), Watch("11"), Watch("11"),
                               List(500), Watch("20")]


def test_a_watch_that_ran_for_a_while_says_nothing_of_its_version() -> None:
    cut = RequestError("cut")
    played = play(*[ScriptedLines(error=cut, served=True) for _ in range(20)])
    assert played.requests == [Watch("10")] * 21


def test_a_list_that_has_not_helped_is_not_made_so_soon_again() -> None:
    def garbage(count: int) -> list[Any]:
        return [ScriptedLines(error=GARBAGE) for _ in range(count)]

    played = play(*garbage(3), ScriptedPage([], "20"), *garbage(6), ScriptedPage([], "30"),
                  *garbage(5), ScriptedLines(added("a", "31"), error=GARBAGE), *garbage(2),
                  ScriptedPage([], "40"))
    lists = [number for number, request in enumerate(played.requests)
             if isinstance(request, List)]
    assert lists == [3, 10, 19]


def test_a_refused_watch_between_does_not_hide_garbage() -> None:
    played = play(ScriptedLines(error=GARBAGE), refusal(500), ScriptedLines(error=GARBAGE),
                  refusal(500), ScriptedLines(error=GARBAGE), ScriptedPage([], "20"))
    assert played.kinds == ["WatchFailed", "WatchStartFailed"] * 2 + [
        "WatchFailed", "Init", "InitDone"]


def test_a_clean_end_between_counts_from_one_again() -> None:
    played = play(ScriptedLines(error=GARBAGE), ScriptedLines(error=GARBAGE), ScriptedLines(),
                  ScriptedLines(error=GARBAGE), ScriptedLines(error=GARBAGE),
                  ScriptedLines(added("a", "11")))
    assert not [request for request in played.requests if isinstance(request, List)]
    assert played.items[-1] == Apply(pod("a", "11"))


@pytest.mark.parametrize("content", [
    {"metadata": {"name": "a"}}, {}, {"metadata": None}, pod("a", ""),
    {"metadata": {"name": "a", "resourceVersion": 11}}, pod("a", "abc"), pod("a", "-1"),
])
@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED", "DELETED"])
def test_an_event_whose_version_tells_nothing_is_applied_and_does_not_move_it(
        kind: str, content: dict[str, Any]) -> None:
    played = play(ScriptedLines(line(kind, content), added("b", "11"), line(kind, content)))
    odd = "Delete" if kind == "DELETED" else "Apply"
    assert played.kinds == [odd, "Apply", odd]
    assert played.items[0].object == content
    assert played.requests == [Watch("10"), Watch("11")]


def test_a_bookmark_without_a_version_is_ignored() -> None:
    played = play(ScriptedLines(bookmark(None), added("a", "11"), bookmark(None)))
    assert played.kinds == ["Apply"] and played.requests == [Watch("10"), Watch("11")]


def test_an_object_may_be_deleted_with_the_version_that_it_had() -> None:
    played = play(ScriptedLines(added("a", "11"), added("b", "12"), deleted("a", "11"),
                                deleted("b", "3"), added("c", "13")))
    assert played.kinds == ["Apply", "Apply", "Delete", "Delete", "Apply"]
    assert played.requests == [Watch("10"), Watch("13")]


@pytest.mark.parametrize("line", [added("a", "9"), modified("a", "1"), bookmark("9")])
def test_a_version_that_goes_back_is_told_and_relisted(line: WatchLine) -> None:
    lines = ScriptedLines(line)
    played = play(lines, ScriptedPage([], "5"))
    assert played.kinds == ["WatchFailed", "Init", "InitDone"]
    assert isinstance(played.items[0], WatchFailed) and "back" in str(played.items[0])
    assert played.requests == [Watch("10"), List(500), Watch("5")]
    assert lines.closed == 1


def test_versions_of_events_that_are_never_those_of_lists_are_not_compared() -> None:
    """As where each object counts its own changes."""
    behind = [(ScriptedLines(added("a", "3")), ScriptedPage([], "10")) for _ in range(3)]
    played = play(*sum(behind, ()), ScriptedLines(added("a", "4"), added("b", "1")))
    assert played.kinds == ["WatchFailed", "Init", "InitDone"] * 3 + ["Apply"] * 2
    assert played.requests[-1] == Watch("10")


def test_a_bookmark_of_a_version_that_cannot_be_compared_is_ignored() -> None:
    behind = [(ScriptedLines(bookmark("3")), ScriptedPage([], "10")) for _ in range(3)]
    played = play(*sum(behind, ()), ScriptedLines(bookmark("3"), bookmark("odd"), bookmark("11")))
    assert played.kinds == ["WatchFailed", "Init", "InitDone"] * 3 + ["Bookmark"]
    assert played.items[-1] == Bookmark("11")


def test_a_server_that_goes_back_again_and_again_is_relisted_each_time() -> None:
    answers: list[Any] = []
    for _ in range(6):
        answers += [ScriptedLines(added("a", "11"), added("b", "9")), ScriptedPage([], "10")]
    played = play(*answers)
    assert played.kinds == ["Apply", "WatchFailed", "Init", "InitDone"] * 6


def test_versions_are_numbers_and_not_strings() -> None:
    played = play(ScriptedLines(added("a", "99"), added("b", "100"), added("c", "100"),
                                added("d", "12345678901234567890123")))
    assert played.kinds == ["Apply"] * 4


def test_versions_that_are_no_numbers_are_taken_as_they_come() -> None:
    played = play_all(ScriptedPage([], "b"), ScriptedLines(added("a", "c"), added("b", "a")))
    assert played.kinds == ["Init", "InitDone", "Apply", "Apply"]
    assert played.requests[-1] == Watch("a")


def test_three_quiet_watches_lead_to_a_look_at_the_version() -> None:
    played = play(ScriptedLines(), ScriptedLines(), ScriptedLines(),
                  ScriptedPage([pod("a")], "10"), ScriptedLines())
    assert played.items == []
    assert played.requests == [Watch("10"), Watch("10"), Watch("10"), List(1), Watch("10"),
                               Watch("10")]


def test_a_server_that_went_back_is_relisted() -> None:
    played = play(ScriptedLines(), ScriptedLines(), ScriptedLines(), ScriptedPage([], "4"),
                  ScriptedPage([pod("a", "3")], "4"))
    assert played.kinds == ["WatchFailed", "Init", "InitApply", "InitDone"]
    assert played.requests[-3:] == [List(1), List(500), Watch("4")]


def test_a_look_that_fails_is_told_and_made_again() -> None:
    played = play(ScriptedLines(), ScriptedLines(), ScriptedLines(), refusal(503),
                  ScriptedPage([], "10"), ScriptedLines(added("a", "11")))
    assert played.kinds == ["WatchStartFailed", "Apply"]
    assert played.requests == [Watch("10")] * 3 + [List(1), List(1), Watch("10"), Watch("11")]


def test_a_look_cut_within_its_page_is_told_and_made_again() -> None:
    cut = RequestError("cut")
    played = play(ScriptedLines(), ScriptedLines(), ScriptedLines(), ScriptedPage(error=cut),
                  ScriptedPage([], "10"))
    assert played.kinds == ["WatchStartFailed"]


def test_a_bookmark_shows_that_the_server_is_there_yet() -> None:
    played = play(ScriptedLines(), ScriptedLines(), ScriptedLines(bookmark("10")),
                  ScriptedLines(), ScriptedLines())
    assert not [request for request in played.requests if isinstance(request, List)]


@pytest.mark.parametrize("lines", [(), (added("a", "11"),)])
def test_closed_within_a_watch_it_hangs_up_and_ends(lines: tuple[WatchLine, ...]) -> None:
    watch = ScriptedLines(*lines, error=Closed())
    played = play(watch)
    assert played.kinds == ["Apply"] * len(lines)
    assert played.machine.state == "Watching"
    assert watch.closed == 1


def test_states_are_told_as_they_are_entered() -> None:
    played = play(ScriptedLines(added("a", "11"), bookmark("12")), refusal(500),
                  ScriptedLines(error_line(status(410))), ScriptedPage([], "20"))
    # Events and failures to start do not change the state.
    assert played.states == ["Watching", "InitListed", "Watching", "Empty", "InitPage",
                             "InitListed"]


def test_the_script_is_used_up_in_order() -> None:
    script = Script(ScriptedPage([], "10"))
    assert list(script.page(limit=None, continue_token=None, resource_version=None)) == []
    with pytest.raises(Closed):
        script.lines(resource_version="10", initial=False)


POLLED = Config(initial_list_strategy=InitialListStrategy.LIST_WATCH, poll_interval=7)


@pytest.mark.parametrize("version", [None, "10"])
@pytest.mark.parametrize("code, config", [(405, POLLED), (501, POLLED),
                                          (405, Config(poll_interval=7))])
def test_what_cannot_be_watched_is_polled(code: int, config: Config, version: str | None) -> None:
    first = [] if config is POLLED else [refusal(code)]
    played = play_all(*first, ScriptedPage([pod("a")], version), refusal(code),
                      ScriptedPage([pod("b")], version), refusal(500), ScriptedPage([], version),
                      config=config)
    assert played.kinds == ["Init", "InitApply", "InitDone", "Init", "InitApply", "InitDone",
                            "Init", "InitialListFailed", "Init", "InitDone", "Init"]
    asked = played.requests[len(first):]
    assert asked == [List(500), Watch(version), Wait(7), List(500), Wait(7), List(500), List(500),
                     Wait(7), List(500)]
    assert set(played.states[2 if not first else 3:]) == {"Polling"}
    assert played.machine.state == "Polling"


def test_what_is_polled_is_watched_when_that_is_possible_at_last() -> None:
    pages = [ScriptedPage([], "10") for _ in range(19)]
    played = play(refusal(405), *pages, ScriptedPage([], "10"), refusal(503),
                  ScriptedPage([], "10"), ScriptedPage([], "10"),
                  ScriptedLines(added("a", "11")))
    assert [item for item in played.items if isinstance(item, Exception)] == []
    assert played.items[-1] == Apply(pod("a", "11"))
    watches = [number for number, request in enumerate(played.requests)
               if isinstance(request, Watch)]
    # After twenty polls; sooner where it is refused for another reason.
    assert watches == [0, 41, 46, 47]
    assert played.machine.state == "InitListed"


@pytest.mark.parametrize("code", [400, 404, 422])
def test_a_watch_that_is_refused_while_lists_work_is_polled(code: int) -> None:
    # Where nothing is found, the first is taken for a mistake.
    relist = [] if code == 404 else [ScriptedPage([], "10")]
    answers: list[Any] = [refusal(code), *relist]
    for _ in range(4):
        answers += [refusal(code), ScriptedPage([], "10")]
    played = play(*answers, refusal(code), ScriptedPage([], "10"), ScriptedPage([], "10"),
                  refusal(code), ScriptedPage([], "10"), ScriptedPage([], "10"),
                  ScriptedLines(added("a", "11")))
    assert [item.code for item in played.items if isinstance(item, Exception)] == [code] * 5
    # A watch is tried at every second poll.
    assert [one for one in played.requests if not isinstance(one, List)][-8:] == [
        Watch("10"), Wait(30), Wait(30), Watch("10"), Wait(30), Wait(30), Watch("10"),
        Watch("11")]


def test_a_kind_that_is_not_found_is_no_reason_to_poll() -> None:
    played = play(refusal(404), refusal(404), refusal(404), ScriptedPage([], "10"),
                  ScriptedLines(added("a", "11")))
    assert played.kinds == ["WatchStartFailed"] * 2 + ["Init", "InitialListFailed", "Init",
                                                       "InitDone", "Apply"]


def test_a_server_that_answers_a_watch_with_a_list_is_polled() -> None:
    answer = RequestError("the server answered a WATCH with a list", code=405)
    played = play(ScriptedLines(error=answer), ScriptedPage([], "10"))
    assert played.kinds == ["Init", "InitDone", "Init"]
    assert played.requests == [Watch("10"), Wait(30), List(500), Wait(30), List(500)]
