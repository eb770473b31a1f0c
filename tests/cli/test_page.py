"""The page of the command line: each command in it prints what stands below it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from kube_reflect.cli import main
from kube_reflect.testing import FakeApiServer

from tests.support.pages import check_it_parses, code_in, page

from ._running import followed, pod

PAGE = page("cli")
#: What does not end by itself.
ENDLESS = ("events", "watch", "-w")


def commands() -> list[tuple[str, str]]:
    """Return each command, and what it is to print; a ``…`` stands for anything."""
    found = []
    for block in code_in(PAGE):
        assert block.language == "console"
        for part in re.split(r"^\$ ", block.text, flags=re.M)[1:]:
            command, _, printed = part.partition("\n")
            found.append((command, printed))
    return found


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApiServer]:
    with FakeApiServer(tokens={"token": "alice"}) as server:
        for name, restarts in (("web-0", 2), ("db-0", 0)):
            obj = pod(name, "shop", app=name.partition("-")[0])
            obj["spec"]["containers"] = [{"name": "main", "image": "nginx"}]
            obj["status"]["containerStatuses"] = [
                {"name": "main", "ready": True, "restartCount": restarts, "state": {"running": {}}}]
            server.create(obj)
        server.create({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 3},
                       "metadata": {"name": "web", "namespace": "shop"}})
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path / "kubeconfig")))
        monkeypatch.setattr("kube_reflect.cli._watch_checks._SHORT", 1.0)
        monkeypatch.chdir(tmp_path)
        (tmp_path / "pods.yaml").write_text("---\n".join(
            f"{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}}}\n" for name in "abc"))
        yield server


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(("command", "printed"), commands(),
                         ids=[command for command, _ in commands()])
def test_a_command_prints_what_the_page_shows(
        command: str, printed: str, capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch) -> None:
    name, *args = shlex.split(command)
    assert name == "kube-reflect"
    expected = 0
    if args[0] == "fake":
        # As if Ctrl-C were pressed once it listens.
        monkeypatch.setattr("kube_reflect.cli._fake.wait_for_ever", interrupt)
        expected = 130
    pattern = r"\s+".join(re.escape(word).replace("…", ".*?") for word in printed.split())
    if set(ENDLESS) & set(args):
        shown = followed(capsys, *args, whole=pattern).strip()
    else:
        assert main(args) == expected
        shown = capsys.readouterr().out.strip()
    assert re.fullmatch(pattern, shown, re.S), shown


def test_every_command_has_a_section() -> None:
    from kube_reflect.cli import _parser

    (commands,) = [one for one in _parser()._subparsers._group_actions]  # type: ignore[union-attr]
    sections = re.findall(r"^(\w+)\n-+$", PAGE.read_text("utf-8"), re.M)
    assert sections == list(commands.choices or ())


def test_it_parses() -> None:
    check_it_parses(PAGE)
