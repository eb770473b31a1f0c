"""kube_reflect.watcher: what it makes of a shard."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from kube_reflect.config import Config, InitialListStrategy
from kube_reflect.events import Apply, Bookmark, Delete, Init, InitApply, InitDone
from kube_reflect.ground.objects import Object
from kube_reflect.shard import Shard
from kube_reflect.watcher import Machine
from kube_reflect.wire import WatchLine

from tests.support.machine_scripts import (
    Script, ScriptedLines, ScriptedPage, bookmark, error_line, line, list_end, play, pod, refusal,
    status,
)

SHARD = Shard(0, 2)
UIDS = [str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))) for number in range(200)]
OURS = [uid for uid in UIDS if SHARD.owns(uid)]
THEIRS = [uid for uid in UIDS if not SHARD.owns(uid)]


def config(strategy: InitialListStrategy = InitialListStrategy.LIST_WATCH,
           shard: Shard = SHARD) -> Config:
    return Config(initial_list_strategy=strategy, shard=shard)


LISTS = config()
STREAMS = config(InitialListStrategy.STREAMING_LIST)


def ours(name: str, version: str = "1", number: int = 0) -> dict[str, Any]:
    return pod(name, version, uid=OURS[number])


def theirs(name: str, version: str = "1", number: int = 0) -> dict[str, Any]:
    return pod(name, version, uid=THEIRS[number])


def page(*items: dict[str, Any], version: str | None = "10", **more: Any) -> ScriptedPage:
    return ScriptedPage([Object.of(item) for item in items], version, **more)


def filtered_by(*answers: Any, config: Config = LISTS) -> str | None:
    return play(*answers, config=config).machine.shard.filtered_by


def test_a_list_is_of_the_shard_on_each_page() -> None:
    played = play(page(ours("a"), theirs("b"), token="t"), page(theirs("c"), ours("d")),
                  config=LISTS)
    assert played.items == [Init(), InitApply(ours("a")), InitApply(ours("d")), InitDone("10")]


def test_what_happens_to_others_moves_the_version_and_nothing_else() -> None:
    played = play(page(), ScriptedLines(
        line("ADDED", theirs("a", "11")), line("MODIFIED", theirs("a", "12")),
        line("ADDED", ours("b", "13")), line("DELETED", theirs("a", "14")),
        line("DELETED", ours("b", "15"))), config=LISTS)
    assert played.items == [
        Init(), InitDone("10"), Bookmark("11"), Bookmark("12"), Apply(ours("b", "13")),
        Bookmark("14"), Delete(ours("b", "15"))]
    assert played.machine.resource_version == "15"


def test_a_watch_is_resumed_after_what_happened_to_others() -> None:
    played = play(page(), ScriptedLines(line("ADDED", theirs("a", "11")), error=refusal(500)),
                  ScriptedLines(line("ADDED", ours("b", "12"))), config=LISTS)
    assert played.requests[2].resource_version == "11"  # type: ignore[union-attr]
    assert played.items[-1] == Apply(ours("b", "12"))


def test_a_streaming_list_is_of_the_shard() -> None:
    # One that says it were the end of the list is an object all the same.
    trap = theirs("x", "5")
    trap["metadata"]["annotations"] = {"k8s.io/initial-events-end": "true"}
    played = play(ScriptedLines(
        line("ADDED", theirs("a")), line("ADDED", ours("b")), line("MODIFIED", trap),
        line("DELETED", theirs("a")), bookmark("9"), list_end("10"),
        line("ADDED", theirs("c", "11")), line("MODIFIED", ours("b", "12"))), config=STREAMS)
    assert played.items == [Init(), InitApply(ours("b")), InitDone("10"), Bookmark("11"),
                            Apply(ours("b", "12"))]


def test_a_name_goes_from_one_shard_to_another() -> None:
    lines = (line("DELETED", ours("a", "11")), line("ADDED", theirs("a", "12")),
             line("DELETED", theirs("a", "13")), line("ADDED", ours("a", "14", 1)))
    played = play(page(ours("a")), ScriptedLines(*lines), config=LISTS)
    assert played.items[2:] == [
        InitDone("10"), Delete(ours("a", "11")), Bookmark("12"), Bookmark("13"),
        Apply(ours("a", "14", 1))]


def test_others_deleted_at_an_older_version_do_not_turn_time_back() -> None:
    # As some servers do, with the version that the object had.
    played = play(page(), ScriptedLines(line("DELETED", theirs("a", "3")),
                                        line("ADDED", ours("b", "11"))), config=LISTS)
    assert played.items[1:] == [InitDone("10"), Apply(ours("b", "11"))]


def test_others_count_as_events_of_a_watch_that_fails_again_and_again() -> None:
    watches = [ScriptedLines(line("MODIFIED", theirs("a", str(version))), error=refusal(500))
               for version in range(11, 18)]
    played = play(page(), *watches, config=LISTS)
    assert played.kinds.count("Init") == 1, "the version leads somewhere"


def test_a_server_without_versions_gets_no_bookmarks() -> None:
    def nowhere(obj: dict[str, Any]) -> dict[str, Any]:
        del obj["metadata"]["resourceVersion"]
        return obj

    lines = ScriptedLines(line("ADDED", nowhere(theirs("a"))), line("ADDED", nowhere(ours("b"))))
    played = play(page(version=None), lines, config=LISTS)
    assert [kind for kind in played.kinds if kind in ("Bookmark", "Apply")] == ["Apply"]


@pytest.mark.parametrize("kind", ["ERROR", "STRANGE"])
def test_other_lines_are_as_ever(kind: str) -> None:
    last: WatchLine = error_line(status(500)) if kind == "ERROR" else line(kind, theirs("a", "11"))
    played = play(page(), ScriptedLines(last), config=LISTS)
    assert played.kinds[-1] in ("WatchError", "WatchFailed")


def test_objects_without_uid_are_in_one_shard() -> None:
    found = []
    for index in range(2):
        played = play(page(pod("a"), pod("b")), config=config(shard=Shard(index, 2)))
        found.append(played.kinds.count("InitApply"))
    assert sorted(found) == [0, 2]


def test_by_the_namespace() -> None:
    names = [f"ns-{number}" for number in range(20)]
    pods = [pod(f"in-{name}", namespace=name, uid=uid) for name, uid in zip(names, THEIRS)]
    shards = [Shard(index, 3, by="namespace") for index in range(3)]
    for shard in shards:
        played = play(page(*pods), config=config(shard=shard))
        assert [item.object["metadata"]["namespace"] for item in played.items[1:-1]] == [
            name for name in names if shard.owns(name)]


def test_one_shard_of_one_is_all() -> None:
    everything = [ours("a"), theirs("b")]
    played = play(page(*everything), config=config(shard=Shard(0, 1)))
    assert len(played.items) == 4 and played.machine.shard.filtered_by is None


def test_who_filters_is_not_known_before_it_shows() -> None:
    assert Machine(Script(), LISTS).shard.filtered_by is None
    assert filtered_by(page()) is None
    assert filtered_by(page(*(ours("a", number=number) for number in range(10)))) is None


def test_the_server_says_that_it_filters() -> None:
    assert filtered_by(page(ours("a"), selector=SHARD.selector)) == "server"


def test_one_object_of_another_shard_shows_that_it_does_not() -> None:
    assert filtered_by(page(ours("a"), theirs("b"))) == "client"
    # Of several API servers, the next one may not know of shards.
    assert filtered_by(page(ours("a"), selector=SHARD.selector),
                       ScriptedLines(line("ADDED", theirs("b", "11")))) == "client"
    # Until a list shows something else.
    expired = error_line(status(410, "Expired"))
    assert filtered_by(page(theirs("b")), ScriptedLines(expired),
                       page(selector=SHARD.selector)) == "server"


def test_many_of_one_shard_show_that_the_server_filters() -> None:
    many = [ours(f"p{number}", number=number) for number in range(40)]
    assert filtered_by(page(*many)) == "server"
    assert filtered_by(ScriptedLines(*(line("ADDED", one) for one in many), list_end("10")),
                       config=STREAMS) == "server"
    # Not the same one again and again, nor those of one namespace.
    hot = [line("MODIFIED", ours("a", str(version))) for version in range(11, 60)]
    assert filtered_by(page(ours("a")), ScriptedLines(*hot)) is None
    expired = error_line(status(410, "Expired"))
    assert filtered_by(page(ours("a")), ScriptedLines(*hot, expired), page(ours("a"))) is None
    shard = next(one for one in (Shard(index, 2, by="namespace") for index in range(2))
                 if one.owns("ns"))
    assert filtered_by(page(*many), config=config(shard=shard)) is None
