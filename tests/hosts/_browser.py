"""A headless Chromium, driven by the protocol that ChromeDriver speaks."""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.e2e._processes import free_port
from tests.hosts._process import until

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--force-prefers-reduced-motion")


class Browser:
    """A window.

    :param profile: a folder that is empty.
    :param size: of the window.
    """

    def __init__(self, profile: Path, size: tuple[int, int] = (1440, 900)) -> None:
        port = free_port()
        self._process = subprocess.Popen(["chromedriver", f"--port={port}"],
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._url = f"http://127.0.0.1:{port}"
        until(self._is_there, lambda: "no chromedriver")
        arguments = [*FLAGS, f"--user-data-dir={profile}", "--window-size=%d,%d" % size]
        options = {"args": arguments}
        self._url += "/session/" + self._ask("POST", "/session", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"}}}})["sessionId"]

    def _is_there(self) -> bool:
        try:
            return bool(self._ask("GET", "/status")["ready"])
        except OSError:
            return False

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            self._url + path, method=method, headers={"Content-Type": "application/json"},
            data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def open(self, url: str) -> None:
        """Go to a page."""
        self._ask("POST", "/url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """Run the body of a function in the page, and give what it returns."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": arguments})

    def run_later(self, script: str, *arguments: Any) -> Any:
        """Likewise, of a function whose last argument takes the answer when there is one."""
        return self._ask("POST", "/execute/async", {"script": script, "args": arguments})

    def errors(self) -> list[str]:
        """Return what the page complained of."""
        return [one["message"] for one in self._ask("POST", "/se/log", {"type": "browser"})
                if one["level"] == "SEVERE"]

    def picture(self, path: Path) -> Path:
        """Save a picture of what is seen."""
        path.write_bytes(base64.b64decode(self._ask("GET", "/screenshot")))
        return path

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        try:
            self._ask("DELETE", "")
        finally:
            self._process.terminate()
            self._process.wait(10)
