"""kube_reflect.watcher: to go on from a version that an earlier process has left."""

from __future__ import annotations

import pytest

from kube_reflect.errors import WatchError, WatchFailed, WatchStartFailed
from kube_reflect.events import Apply, Bookmark, Delete, Init, InitDone
from kube_reflect.wire import RequestError

from tests.support.machine_scripts import (
    List, ScriptedLines, ScriptedPage, Watch, error_line, line, play, status,
)
from tests.support.objects import pod

#: What the server is at, asked before anything else: it may have gone back to before the version.
AT = ScriptedPage([], "9")
ASKED = List(1, None, None)
BRIEF, WHOLE = Watch("5", False, True), Watch("5", False, False)


def test_it_begins_with_a_brief_watch_from_there() -> None:
    played = play(AT, ScriptedLines(line("DELETED", pod("a", version="6"))), ScriptedLines(),
                  since="5")
    assert played.kinds[:1] == ["Delete"] and isinstance(played.items[0], Delete)
    assert played.requests[:3] == [ASKED, BRIEF, Watch("6", False, False)]
    assert played.states[:2] == ["Watching", "InitListed"]


def test_a_quiet_watch_that_ends_says_that_nothing_has_changed() -> None:
    played = play(AT, ScriptedLines(), ScriptedLines(line("ADDED", pod("a", version="6"))),
                  since="5")
    assert played.items == [Bookmark("5"), *played.items[1:]]
    assert isinstance(played.items[1], Apply)
    assert played.requests[:3] == [ASKED, BRIEF, WHOLE]


def check_lists(*answers: object, error: type, requests: list[object]) -> None:
    page = ScriptedPage([], "9")
    played = play(*answers, page, since="5")  # type: ignore[arg-type]
    assert isinstance(played.items[0], error)
    assert played.items[1:3] == [Init(), InitDone("9")]
    assert played.requests[:len(requests)] == requests
    # From a list on it is a watch like any other.
    assert played.requests[-1] == Watch("9", False, False)


@pytest.mark.parametrize("code", [410, 400, 404, 405, 422])
def test_a_refusal_leads_to_a_list(code: int) -> None:
    check_lists(AT, RequestError("no", code=code), error=WatchStartFailed,
                requests=[ASKED, BRIEF])


def test_a_version_that_is_forgotten_leads_to_a_list() -> None:
    check_lists(AT, ScriptedLines(error_line(status(410, "Expired"))), error=WatchError,
                requests=[ASKED, BRIEF])


def test_a_server_that_is_behind_is_listed() -> None:
    check_lists(ScriptedPage([], "4"), error=WatchFailed, requests=[ASKED])


@pytest.mark.parametrize("code", [None, 401, 403, 429, 500, 503])
def test_what_says_nothing_of_the_version_is_tried_again(code: int | None) -> None:
    played = play(RequestError("no", code=code), AT, RequestError("no", code=code), AT,
                  ScriptedLines(), since="5")
    assert played.kinds[:3] == ["WatchStartFailed", "WatchStartFailed", "Bookmark"]
    assert played.requests[:5] == [ASKED, ASKED, BRIEF, ASKED, BRIEF]


def test_a_watch_that_is_cut_is_brief_again() -> None:
    played = play(AT, ScriptedLines(error=RequestError("cut")), ScriptedLines(),
                  since="5")
    assert played.kinds[:2] == ["WatchFailed", "Bookmark"]
    assert played.requests[:3] == [ASKED, BRIEF, BRIEF]
