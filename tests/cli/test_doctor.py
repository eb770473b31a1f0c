"""``doctor``: what is well, what is not, and what to do."""

from __future__ import annotations

import base64
import json
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from kube_reflect.cli import _checks, main
from kube_reflect.cli._connection import Connection
from kube_reflect.cli._findings import Level
from kube_reflect.testing import FakeApiServer, FaultServer, faults

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a short look at bookmarks be shorter."""
    monkeypatch.setattr("kube_reflect.cli._watch_checks._SHORT", 1.0)


def found(capsys: Capture, *args: str, code: int = 0) -> dict[str, tuple[str, str]]:
    """Run it, and return level and text by title."""
    assert main(["doctor", *args]) == code
    out, err = capsys.readouterr()
    assert err == ""
    return {line[6:21].strip(): (line[:5].strip(), line[22:])
            for line in out.splitlines() if line[0] != " "}


def test_all_is_well(server: FakeApiServer, at_hand: str, capsys: Capture) -> None:
    server.tokens = {"secret": "alice"}
    server.kubeconfig(at_hand)
    told = found(capsys, "pods", "-n", "here")
    assert {level for level, _ in told.values()} == {"ok"}
    assert list(told) == ["credentials", "proxy", "TLS", "server", "clock", "list", "watch",
                          "first page", "streaming list", "bookmarks"]
    assert told["credentials"][1].startswith("a bearer token, from the kubeconfig")
    assert "secret" not in str(told)
    assert told["watch"][1] == "you may watch pods in namespace here"
    assert told["first page"][1].startswith("20 objects: ")


def test_nothing_is_changed(server: FakeApiServer, at_hand: str) -> None:
    main(["doctor", "deploy", "-A"])
    assert {request.verb for request in server.requests} <= {"get", "list", "watch", "create"}
    assert {request.resource for request in server.requests if request.verb == "create"} == {
        "selfsubjectaccessreviews"}


def test_no_right_to_watch(server: FakeApiServer, at_hand: str, capsys: Capture) -> None:
    server.forbid("deployments", verb="watch")
    assert main(["doctor", "deploy", "-n", "here"]) == 1
    out = capsys.readouterr().out
    assert "fail  watch           you may not watch deployments.apps in namespace here\n" in out
    assert ('-> bind a Role with apiGroups: ["apps"], resources: ["deployments"], '
            'verbs: ["list", "watch"]') in out


def test_a_resource_that_is_not_there(at_hand: str, capsys: Capture) -> None:
    assert found(capsys, "dwarves", code=1)["resource"][0] == "fail"


def test_an_old_server(at_hand: str, tmp_path: Path, capsys: Capture) -> None:
    with FakeApiServer(streaming_list=False) as server:
        path = server.kubeconfig(tmp_path / "old")
        told = found(capsys, "--kubeconfig", str(path))
    assert told["streaming list"] == (
        "ok", "the server does not have it, as Kubernetes 1.34 and later do; lists come in pages")


def test_no_server(server: FakeApiServer, at_hand: str, capsys: Capture) -> None:
    server.close()
    level, text = found(capsys, code=1)["server"]
    assert level == "fail" and text.startswith(f"{server.url}: ") and "refused" in text


def test_credentials_that_are_not_accepted(server: FakeApiServer, at_hand: str, capsys: Capture,
                                           ) -> None:
    server.tokens = {"another": "alice"}
    told = found(capsys, code=1)
    assert told["credentials"][0] == "warn"
    assert told["server"][0] == "warn" and "403" in told["server"][1]
    assert told["discovery"][0] == "fail" and "403" in told["discovery"][1]
    server.kubeconfig(at_hand, token="wrong")
    told = found(capsys, code=1)
    assert (told["server"][0], list(told)[-1]) == ("fail", "server") and "401" in told["server"][1]


def test_something_that_cuts(tmp_path: Path, capsys: Capture) -> None:
    with FaultServer() as server:
        path = server.kubeconfig(tmp_path / "config")
        with server.fault(faults.CutAfter(0.3), when=lambda one: (
                one.verb == "watch" and "sendInitialEvents" not in one.query), times=1):
            told = found(capsys, "--kubeconfig", str(path), "--wait", "2.5")
    level, text = told["connection"]
    assert level == "warn" and text.startswith("a quiet watch was cut 1 times in 2.5 s")
    assert told["bookmarks"][0] == "ok" and "--wait 90" in told["bookmarks"][1]


def token(lasts: float) -> str:
    claims = json.dumps({"exp": time.time() + lasts}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.signature"


@pytest.mark.parametrize(("given", "level", "text"), [
    (4000.0, Level.OK, "which expires in 66m"),
    (-7200.0, Level.FAIL, "which expired 120m ago"),
    ("opaque", Level.OK, "a bearer token, from here"),
    ("a.b.c", Level.OK, "a bearer token, from here"),
])
def test_tokens(given: str | float, level: Level, text: str) -> None:
    given = token(given) if isinstance(given, float) else given
    finding = _checks._token(given, "here")
    assert finding.level is level and text in finding.text and given not in str(finding)


@pytest.mark.parametrize(("seconds", "level", "text"), [
    (0.0, Level.OK, "the same as the server's"),
    (30.0, Level.WARN, "30s ahead of the server's"),
    (-400.0, Level.FAIL, "6m40s behind the server's"),
])
def test_clocks(seconds: float, level: Level, text: str) -> None:
    there = 1_700_000_000.0
    (finding,) = _checks.clock(formatdate(there, usegmt=True), there + 0.5 + seconds)
    assert finding.level is level and text in finding.text
    (finding,) = _checks.clock(None, there)
    assert finding.level is Level.WARN


def ways(host: str, **settings: Any) -> dict[str, tuple[Level, str]]:
    configuration = client.Configuration()
    configuration.host = host
    for name, value in settings.items():
        setattr(configuration, name, value)
    with client.ApiClient(configuration) as api_client:
        connection = Connection(api_client, "default", "here")
        return {one.title: (one.level, one.text) for one in _checks.way(connection)}


def test_proxies_and_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    told = ways("https://example.com", proxy="http://user:password@proxy.example.com:3128")
    assert told == {
        "proxy": (Level.WARN, "requests go through proxy.example.com:3128"),
        "TLS": (Level.OK, "the server's certificate is checked")}
    told = ways("https://example.com", proxy=None, verify_ssl=False)
    assert (told["proxy"], told["TLS"][0]) == ((Level.OK, "none"), Level.WARN)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com")
    told = ways("http://example.com", proxy=None)
    assert told["proxy"] == (Level.OK, "HTTPS_PROXY is set, but not for this server")
    assert told["TLS"][0] is Level.WARN
    assert ways("http://127.0.0.1:80", proxy=None)["TLS"][0] is Level.OK
