"""The dashboard, in a browser."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kube_reflect.testing import FakeApiServer

from tests.support.objects import running_pod as pod
from tests.hosts._browser import Browser
from tests.hosts._process import Host, until

MISSING = [name for name, there in (
    ("flask", importlib.util.find_spec("flask")), ("chromedriver", shutil.which("chromedriver")),
) if not there]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

#: Calls its last argument with the milliseconds until a pod is there, or is not.
UNTIL = """
const [name, there, done] = arguments;
const began = performance.now();
const look = () => Boolean(document.querySelector(`.pod[data-name="${name}"]:not(.gone)`)) === there
  ? done(performance.now() - began) : setTimeout(look, 5);
look();
"""


def page(browser: Browser, host: Host) -> None:
    browser.open(until(lambda: next((line for line in host.lines if line.startswith("http://")),
                                    None), host.output))
    until(lambda: browser.run("return document.getElementById('phase').textContent")
          == "watching", host.output)


def picture(browser: Browser, name: str, tmp_path: Path) -> None:
    """Take one for whoever wants to look."""
    folder = Path(os.environ.get("DASHBOARD_PICTURES", tmp_path))
    assert browser.picture(folder / f"{name}.png").stat().st_size > 10_000


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with Browser(tmp_path / "profile") as browser:
        yield browser


def dashboard(kubeconfig: Path, *options: str) -> Host:
    return Host(sys.executable, "examples/dashboard", "--port", "{port}", *options,
                kubeconfig=kubeconfig)


def test_a_pod_appears_and_vanishes(server: FakeApiServer, kubeconfig: Path, browser: Browser,
                                    tmp_path: Path) -> None:
    with dashboard(kubeconfig, "--real") as host:
        page(browser, host)
        assert browser.run("return document.querySelector('.pod').title") == "shop/web-0: Running"
        server.create(pod("db-0"))
        assert browser.run_later(UNTIL, "db-0", True) < 1000
        server.delete("pods", "db-0", "shop")
        assert browser.run_later(UNTIL, "db-0", False) < 1000
        assert browser.run("return document.querySelectorAll('#faults button').length") == 0
        assert not browser.errors()
        host.signal(signal.SIGTERM)
        assert host.process.wait(5) == 0


def test_faults(kubeconfig: Path, browser: Browser, tmp_path: Path) -> None:
    def text(name: str) -> str:
        return str(browser.run("return document.getElementById(arguments[0]).textContent", name))

    def press(what: str) -> None:
        browser.run("document.querySelector(`[data-what=${arguments[0]}]`).click()", what)

    with dashboard(kubeconfig) as host:
        page(browser, host)
        assert browser.run("return document.querySelectorAll('.pod').length") >= 48
        picture(browser, "watching", tmp_path)
        press("cut")
        until(lambda: text("reconnects") == "1" and text("phase") == "watching", host.output)
        press("relist")
        until(lambda: text("relists") == "1" and text("phase") == "watching", host.output)
        picture(browser, "relisted", tmp_path)
        press("forbid")
        until(lambda: "403" in text("error"), host.output)
        picture(browser, "refused", tmp_path)
        press("forbid")
        until(lambda: text("phase") == "watching", host.output)
        press("away")
        until(lambda: text("phase") == "backing off", host.output)
        assert browser.run("return document.querySelectorAll('.pod').length") >= 40
        until(lambda: text("phase") == "watching", host.output)
        assert not [one for one in browser.errors() if "favicon" not in one]
