"""A cluster for the command, and a way to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kube_reflect.testing import FakeApiServer

from ._running import pod


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    with FakeApiServer() as server:
        for number in range(20):
            server.create(pod(f"pod-{number}"))
        yield server


@pytest.fixture
def kubeconfig(server: FakeApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of a kubeconfig that is not the environment's."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return str(server.kubeconfig(tmp_path / "kubeconfig"))


@pytest.fixture
def at_hand(kubeconfig: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, where commands find it by themselves."""
    monkeypatch.setenv("KUBECONFIG", kubeconfig)
    return kubeconfig
