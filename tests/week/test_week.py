"""A week of reconnects, relists and new tokens, by a clock that is moved on: nothing grows."""

from __future__ import annotations

import multiprocessing
import os
import random
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from kube_reflect.testing import FakeApiServer

from tests.support.objects import new_pod

from ._living import NAMESPACE, live

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measured by /proc"),
]

#: How often all are cut off: `make week` says 10,000, which are as many minutes.
ROUNDS = int(os.environ.get("WEEK_ROUNDS", "300"))
_PODS = 200
#: Relists, and new tokens, are one in so many rounds.
_RELIST, _ROTATE = 10, 50
_MEASURES = 20
#: Seconds from one round to the next: 10,000 of them are a week.
_BETWEEN = 60.48


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    with FakeApiServer(tokens={"token-0": "me"}) as running:
        for number in range(_PODS):
            running.create(new_pod(f"pod-{number}", NAMESPACE))
        yield running


@pytest.fixture
def child(server: FakeApiServer, tmp_path: Path) -> Iterator[Connection]:
    (tmp_path / "token").write_text("token-0")
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=live, args=(server.url, str(tmp_path / "token"), theirs))
    process.start()
    theirs.close()
    yield ours
    ours.close()
    process.join(30)
    assert process.exitcode == 0
    process.close()


def ask(child: Connection, *what: Any) -> Any:
    child.send(what)
    assert child.poll(90), "the process does not answer"
    return child.recv()


def change(server: FakeApiServer, draw: random.Random, number: int) -> None:
    """Change one object, and now and then take one away or bring it back."""
    name = f"pod-{draw.randrange(_PODS)}"
    if name not in {pod["metadata"]["name"] for pod in server.objects("Pod", NAMESPACE)}:
        server.create(new_pod(name, NAMESPACE))
    elif draw.random() < 0.1:
        server.delete("Pod", name, NAMESPACE)
    else:
        server.patch("Pod", name, {"metadata": {"annotations": {"round": str(number)}}}, NAMESPACE)


@pytest.mark.timeout(0)
def test_a_week(server: FakeApiServer, child: Connection, tmp_path: Path) -> None:
    draw = random.Random(20261126)
    measures: list[dict[str, float]] = []
    assert ask(child, "until", server.resource_version, 0.0) == ""
    for number in range(1, ROUNDS + 1):
        if not number % _ROTATE:
            (tmp_path / "token").write_text(f"token-{number}")
            server.tokens = {f"token-{number}": "me"}
        change(server, draw, number)
        if not number % _RELIST:
            # Nobody has seen what happens in between, and nobody can be told.
            server.disconnect()
            change(server, draw, number)
            server.compact()
            change(server, draw, number)
        server.disconnect()
        change(server, draw, number)
        behind = ask(child, "until", server.resource_version, _BETWEEN)
        assert behind == "", f"round {number}: {behind}"
        if not number % max(1, ROUNDS // _MEASURES):
            measures.append(ask(child, "measure"))
            print(f"{number:6}: " + ", ".join(f"{name} {value:.1f}"
                                              for name, value in measures[-1].items()), flush=True)
    left = ask(child, "end")
    assert [name for name in left if name.startswith("kube-reflect")] == []
    assert measures[-1]["reconnects"] >= 0.9 * ROUNDS
    check_flat(measures)


def check_flat(measures: list[dict[str, float]]) -> None:
    """Fail where something grows, after the first half."""
    middle, last = measures[len(measures) // 2], measures[-1]
    assert last["descriptors"] <= middle["descriptors"] + 4
    assert last["threads"] <= middle["threads"] + 1
    assert last["rss MB"] <= 1.05 * middle["rss MB"] + 1
    assert last["gc objects"] <= 1.05 * middle["gc objects"] + 500
