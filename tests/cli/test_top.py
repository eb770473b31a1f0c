"""``top``: what a reflector of each kind would cost."""

from __future__ import annotations

import random
import zlib
from typing import Any

import pytest

from kube_reflect.cli import main
from kube_reflect.cli._printing import size
from kube_reflect.testing import FakeApiServer

from ._running import pod

pytestmark = pytest.mark.usefixtures("at_hand")
Capture = pytest.CaptureFixture[str]


def rows(capsys: Capture, *args: str, code: int = 0) -> dict[str, list[str]]:
    """Run it, and return the columns by resource; they are two blanks apart at least."""
    assert main(["top", *args]) == code
    lines = capsys.readouterr().out.splitlines()
    return {line.split()[0]: [one.strip() for one in line.split("  ")[1:] if one.strip()]
            for line in lines}


def amount(text: str) -> float:
    number, unit = text.split()
    return float(number) * {"B": 1, "kB": 1e3, "MB": 1e6}[unit]


def test_all_that_is_there(server: FakeApiServer, capsys: Capture) -> None:
    fields = {f"f:field-{number}": {} for number in range(99)}
    managed = [{"manager": "kubectl", "fieldsV1": fields}]
    heavy = pod("heavy")
    heavy["metadata"]["managedFields"] = managed
    heavy["spec"]["nodeName"] = "x" * 5000
    server.create(heavy)
    server.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}})
    found = rows(capsys)
    assert found["RESOURCE"] == ["OBJECTS", "JSON", "FULL", "NO-MANAGED", "METADATA", "SECONDS"]
    # What has no objects is left out, and the largest comes first.
    assert list(found) == ["RESOURCE", "pods", "nodes", "all"]
    assert [found[name][0] for name in ("pods", "nodes", "all")] == ["21", "1", "22"]
    full, slim, metadata = map(amount, found["pods"][2:5])
    assert 0 < metadata and slim < full and metadata < full


def alike(number: int) -> dict[str, Any]:
    """A pod that shares most of itself with the others, and has managed fields."""
    some = random.Random(number)
    found = pod(f"alike-{number}", "few")
    found["metadata"]["managedFields"] = [{"manager": "kubelet", "fieldsV1": {
        f"f:field-{place}-{zlib.crc32(b'%d' % place)}": {} for place in range(150)}}]
    found["spec"]["nodeName"] = "".join(some.choices("abcdefghij", k=200))
    found["spec"]["env"] = {
        f"name-{place}": str(zlib.crc32(b"x%d" % place)) for place in range(50)}
    return found


@pytest.mark.parametrize("count", [2, 17, 40, 70, 130])
def test_to_keep_less_never_seems_to_cost_more(
    server: FakeApiServer, capsys: Capture, count: int,
) -> None:
    """Also where a dictionary pays for what has more to it, and not yet for what has less."""
    for number in range(count):
        server.create(alike(number))
    full, slim, metadata = map(amount, rows(capsys, "pods", "-n", "few")["pods"][2:5])
    assert full >= slim > 0 and full >= metadata > 0


def test_some_and_a_namespace(server: FakeApiServer, capsys: Capture) -> None:
    server.create(pod("x", "there", app="web"))
    found = rows(capsys, "po", "cm", "-n", "there")
    assert found["pods"][0] == "1" and found["configmaps"][0] == "0"
    assert rows(capsys, "pods", "-l", "app=web")["pods"][0] == "1"


def test_what_may_not_be_listed(server: FakeApiServer, capsys: Capture) -> None:
    server.forbid("secrets")
    assert main(["top", "pods", "secrets"]) == 1
    out, err = capsys.readouterr()
    assert err.startswith("kube-reflect: secrets: ") and err.count("\n") == 1
    assert "pods" in out


def test_nothing(server: FakeApiServer, capsys: Capture) -> None:
    assert main(["top", "-n", "nowhere"]) == 0
    assert capsys.readouterr().err == "No resources found.\n"


@pytest.mark.parametrize(("count", "text"), [
    (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (9_949, "9.9 kB"), (9_951, "10 kB"),
    (999_499, "999 kB"), (999_600, "1.0 MB"), (1_500_000_000, "1.5 GB"),
    (2_000_000_000_000, "2,000 GB")])
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text
