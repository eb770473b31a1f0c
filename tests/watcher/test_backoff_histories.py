"""The bounds that `Backoff` states, over histories of trouble on a clock that is played."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

pytest.importorskip("hypothesis", reason="property tests need hypothesis, of the extra [dev]")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from kube_reflect.backoff import Backoff  # noqa: E402
from kube_reflect.errors import (  # noqa: E402
    InitialListFailed, WatchError, WatcherError, WatchFailed, WatchStartFailed,
)
from kube_reflect.events import Apply, Init, InitDone  # noqa: E402
from kube_reflect.streams import backoff  # noqa: E402

from tests.support.machine_scripts import pod  # noqa: E402
from tests.watcher.test_backoff import Clock  # noqa: E402

#: What may be wrong for a while: nothing, the list, the start of a watch, or the watch after some
#: seconds, which then resumes or, being forgotten, lists anew.
KINDS = ["list", "start", "cut", "gone"]


@dataclass(frozen=True)
class Spell:
    """A time in which one thing is wrong, or nothing (None)."""

    kind: str | None
    seconds: float
    #: How long each watch runs before it breaks.
    ran: float = 0.0


class Server:
    """Plays what a watcher would yield, with the clock moved on by watches and pauses only."""

    def __init__(self, spells: list[Spell], seed: int) -> None:
        self.clock = Clock()
        self.began = self.clock.now
        self.policy = Backoff(rng=random.Random(seed).random, timer=self.clock)
        #: When each spell ends.
        self.ends: list[tuple[float, Spell]] = []
        end = self.clock.now
        for spell in spells:
            end += spell.seconds
            self.ends.append((end, spell))
        self.over = end
        self.requests: list[float] = []
        #: Of each pause: when it began, how long it was, and after which error and how long a run.
        self.pauses: list[tuple[float, float, WatcherError, float]] = []
        self._ran = 0.0
        self._error: Any = None

    def wrong(self) -> Spell:
        """Return what is wrong now."""
        return next((spell for end, spell in self.ends if self.clock.now < end),
                    Spell(None, 0.0))

    def ask(self) -> None:
        self.requests.append(self.clock.now)

    def items(self) -> Iterator[Any]:
        listed = False
        while self.clock.now < self.over:
            if not listed:
                self.ask()
                if self.wrong().kind == "list":
                    yield self.failed(InitialListFailed("no", code=500))
                    continue
                yield Init()
                yield InitDone("1")
                listed = True
            self.ask()
            spell = self.wrong()
            if spell.kind in ("start", "list"):
                yield self.failed(WatchStartFailed("no", code=500))
            elif spell.kind is None:
                yield Apply(pod("a"))
                # Runs until something is wrong again, which cuts it.
                began = self.clock.now
                end = next(end for end, one in self.ends if one is spell)
                self.clock.now = end
                yield self.failed(WatchFailed("cut"), end - began)
            else:
                self.clock.now += spell.ran
                if spell.kind == "gone":
                    listed = False
                    yield self.failed(WatchError("gone", code=410), spell.ran)
                else:
                    yield self.failed(WatchFailed("cut"), spell.ran)

    def failed(self, error: WatcherError, ran: float = 0.0) -> WatcherError:
        self._error, self._ran = error, ran
        return error

    def play(self) -> None:
        for _ in backoff(self.items(), self.policy, sleep=self.sleep):
            pass

    def sleep(self, seconds: float) -> None:
        self.pauses.append((self.clock.now, seconds, self._error, self._ran))
        self.clock.now += seconds


spells = st.lists(st.one_of(
    st.builds(Spell, st.none(), st.floats(0.1, 400)),
    st.builds(Spell, st.sampled_from(KINDS), st.floats(0.1, 400),
              st.sampled_from([0.0, 0.5, 3.0, 6.0, 15.0, 60.0]))), min_size=1, max_size=8)


@settings(max_examples=300)
@given(spells, st.integers(0, 2**32))
def test_no_pause_is_longer_than_stated(history: list[Spell], seed: int) -> None:
    server = Server(history, seed)
    server.play()
    for began, pause, error, ran in server.pauses:
        assert 0.19 < pause <= 60
        assert pause <= began - server.began + 0.8 + 1e-6
        if isinstance(error, WatchFailed) and ran >= 5:
            assert pause <= 0.8


@settings(max_examples=300)
@given(st.sampled_from(KINDS), st.floats(0.1, 60.0), st.sampled_from([0.0, 0.5, 3.0]),
       st.integers(0, 2**32))
def test_it_is_back_as_soon_as_the_trouble_was_long(
        kind: str, seconds: float, ran: float, seed: int) -> None:
    """A healthy hour, trouble, and health again: the next try comes soon after its end."""
    server = Server([Spell(None, 3600.0), Spell(kind, seconds, ran), Spell(None, 3600.0)], seed)
    server.play()
    trouble, end = server.began + 3600.0, server.ends[1][0]
    back = next(began + pause for began, pause, *_ in server.pauses if began + pause >= end)
    # The last watch to be cut may have begun before the end.
    assert back - end <= end - trouble + 2 * ran + 0.8 + 1e-6
    assert back - end <= 60 + ran


@settings(max_examples=200)
@given(st.sampled_from(KINDS), st.sampled_from([0.0, 0.5, 3.0]), st.integers(0, 2**32))
def test_few_requests_while_it_lasts(kind: str, ran: float, seed: int) -> None:
    server = Server([Spell(kind, 900.0, ran)], seed)
    server.play()
    tries = [server.began, *(began + pause for began, pause, *_ in server.pauses)]
    assert len([one for one in tries if one < server.began + 10]) <= 6
    backed_off = [one for one in server.requests if one >= server.began + 150]
    for one in backed_off:
        assert len([other for other in backed_off if one <= other < one + 59.9]) <= 3


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from([0.0, 3.0])), min_size=20,
                max_size=60), st.integers(0, 2**32))
def test_few_tries_however_the_trouble_changes(changes: list[Any], seed: int) -> None:
    """Whatever fails next, and however far it came: the range starts over twice at most."""
    server = Server([Spell(kind, 5.0, ran) for kind, ran in changes], seed)
    server.play()
    tries = [server.began, *(began + pause for began, pause, *_ in server.pauses)]
    assert len([one for one in tries if one < server.began + 10]) <= 18
    # Twenty seconds or more apart once backed off, and thrice five tries before.
    assert len(tries) <= 3 * 7 + (server.over - server.began) / 20


@pytest.mark.parametrize("ran, most", [(15.0, 2.0), (60.0, 1.0)])
@pytest.mark.parametrize("seed", range(20))
def test_watches_that_a_load_balancer_cuts(ran: float, most: float, seed: int) -> None:
    trouble = [Spell("list", 200.0), Spell("gone", 40.0), Spell("start", 90.0)]
    server = Server([*trouble, Spell("cut", 1800.0, ran)], seed)
    server.play()
    cuts = [pause for _, pause, error, run in server.pauses if run == ran]
    assert len(cuts) > 1800 / (ran + most) - 5
    assert max(cuts) <= min(most, 0.8)


@pytest.mark.parametrize("seed", range(20))
def test_a_conversion_webhook_that_fails_for_five_seconds(seed: int) -> None:
    """Watches answer 500 and the lists between them are good."""
    server = Server([Spell(None, 600.0), Spell("start", 5.0), Spell(None, 600.0)], seed)
    server.play()
    end = server.ends[1][0]
    assert min(one for one in server.requests if one >= end) - end <= 5.8
