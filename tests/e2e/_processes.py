"""A kube-apiserver and its etcd as child processes, from start to end."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
# Seconds for both to become ready, on a busy machine; some 10 s are usual.
START_DEADLINE = 60.0
PORT_TRIES = 5


class StartError(Exception):
    """A server did not start; the message holds the tail of its log."""


class PortTaken(StartError):
    """Somebody took the port between its choice and its use."""


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def request(connection: http.client.HTTPConnection, method: str, path: str,
            body: Mapping[str, Any] | None = None,
            headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    """Make one request over a connection of its own and return status and body."""
    with contextlib.closing(connection):
        connection.request(method, path, json.dumps(body) if body is not None else None,
                           dict(headers or {}))
        response = connection.getresponse()
        return response.status, response.read()


class Guard:
    """The process of ``_guard.py``: it kills process groups when this process has gone."""

    def __init__(self, *folders: Path) -> None:
        script = Path(__file__).with_name("_guard.py")
        self._process = subprocess.Popen([sys.executable, "-S", str(script), *map(str, folders)],
                                         stdin=subprocess.PIPE, text=True, start_new_session=True)

    def tell(self, change: str, group: int) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{change}{group}\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """Let it kill everything that is left, and wait until it has."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)


class Process:
    """One server process in a process group of its own, with its log in a file."""

    def __init__(self, guard: Guard, log: Path, command: Sequence[str]) -> None:
        self._guard, self._log, self._command = guard, log, command
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._popen = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log,
                                           stderr=subprocess.STDOUT, start_new_session=True)
        self._guard.tell("+", self._popen.pid)

    def wait_until(self, ready: Callable[[], bool], deadline: float) -> None:
        """Ask again and again until it is ready.

        :param deadline: a time of ``time.monotonic``.
        :raises PortTaken: if the process ended since its port was in use.
        :raises StartError: if it ended for another reason, or the time is over.
        """
        popen = self._popen
        assert popen is not None
        while not ready():
            # Waiting for its end is the pause between two questions.
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = popen.wait(timeout=0.1)
                self.stop()
                error = PortTaken if "address already in use" in self.tail() else StartError
                raise error(f"{self._command[0]} ended with {code}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise StartError(f"{self._command[0]} is not ready yet:\n{self.tail()}")

    def tail(self, lines: int = 40) -> str:
        """Return the end of its log."""
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def signal(self, number: signal.Signals) -> None:
        assert self._popen is not None and self._popen.poll() is None, "it does not run"
        os.killpg(self._popen.pid, number)

    def stop(self, *, graceful: bool = False) -> None:
        """End it, at once or after it has ended its requests; nothing if it does not run."""
        popen, self._popen = self._popen, None
        if popen is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if graceful:
                os.killpg(popen.pid, signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    popen.wait(timeout=30)
            os.killpg(popen.pid, signal.SIGKILL)
        popen.wait(timeout=10)
        self._guard.tell("-", popen.pid)


class ControlPlane:
    """An etcd and a kube-apiserver on free ports of the loopback interface.

    :param assets: the folder with both programs.
    :param folder: where logs, keys and data go; logs stay, data goes with :meth:`close`.
    :param tokens: the bearer token of each user; ``admin`` may do everything, others nothing.
    """

    def __init__(self, assets: Path, folder: Path, tokens: Mapping[str, str]) -> None:
        self._assets, self._folder, self.tokens = assets, folder, tokens
        self._guard = Guard(folder / "etcd")
        self._etcd: Process | None = None
        self._apiserver: Process | None = None
        self._etcd_port = self._port = 0
        (folder / "tokens.csv").write_text("".join(
            f"{token},{user},{user}" + (",system:masters\n" if user == "admin" else "\n")
            for user, token in tokens.items()))

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self._port}"

    @property
    def certificate(self) -> Path:
        """The certificate that the API server made for itself."""
        return self._folder / "certs" / "apiserver.crt"

    def start(self) -> None:
        """Start both and wait until they are ready.

        :raises StartError: if they cannot be started; the message holds the tail of the log.
        """
        deadline = time.monotonic() + START_DEADLINE
        key = self._service_account_key()
        for attempt in range(PORT_TRIES):
            try:
                self._start_etcd(deadline)
                self._start_apiserver(key, deadline)
                return
            except PortTaken:
                self.stop_all()
                if attempt == PORT_TRIES - 1:
                    raise

    def start_apiserver(self) -> None:
        """Start the API server again, on the same port and with the same data."""
        assert self._apiserver is not None
        self._apiserver.start()
        self._apiserver.wait_until(self._is_ready, time.monotonic() + START_DEADLINE)

    @property
    def apiserver(self) -> Process:
        assert self._apiserver is not None
        return self._apiserver

    def etcd_request(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make a request to etcd's JSON interface.

        :raises RuntimeError: if etcd refuses it.
        """
        status, answer = request(http.client.HTTPConnection(HOST, self._etcd_port, timeout=10),
                                 "POST", path, body)
        if status != 200:
            raise RuntimeError(f"etcd answered {path} with {status}: {answer!r}")
        result: dict[str, Any] = json.loads(answer)
        return result

    def stop_all(self) -> None:
        for process in (self._apiserver, self._etcd):
            if process is not None:
                process.stop()

    def close(self) -> None:
        """End both and remove the data."""
        self.stop_all()
        self._guard.close()

    def _start_etcd(self, deadline: float) -> None:
        self._etcd_port = free_port()
        url = f"http://{HOST}:{self._etcd_port}"
        shutil.rmtree(self._folder / "etcd", ignore_errors=True)
        self._etcd = Process(self._guard, self._folder / "etcd.log", [
            str(self._assets / "etcd"), "--data-dir", str(self._folder / "etcd"),
            "--listen-client-urls", url, "--advertise-client-urls", url,
            "--listen-peer-urls", f"http://{HOST}:0", "--unsafe-no-fsync=true"])
        self._etcd.start()
        self._etcd.wait_until(self._etcd_is_ready, deadline)

    def _start_apiserver(self, key: Path, deadline: float) -> None:
        self._port = free_port()
        self._apiserver = Process(self._guard, self._folder / "kube-apiserver.log", [
            str(self._assets / "kube-apiserver"),
            f"--etcd-servers=http://{HOST}:{self._etcd_port}",
            f"--cert-dir={self._folder / 'certs'}", f"--secure-port={self._port}",
            f"--bind-address={HOST}", "--advertise-address=10.1.1.1",
            "--service-cluster-ip-range=10.0.0.0/24",
            f"--token-auth-file={self._folder / 'tokens.csv'}", "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount", "--allow-privileged=true",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}"])
        self._apiserver.start()
        self._apiserver.wait_until(self._is_ready, deadline)

    def _service_account_key(self) -> Path:
        """Return the key that signs service accounts' tokens, made with openssl.

        Python's own library makes none. Where openssl is missing, the key of the certificate serves
        too: the API server makes that one for itself before it reads this one.
        """
        openssl = shutil.which("openssl")
        if openssl is None:
            return self._folder / "certs" / "apiserver.key"
        key = self._folder / "sa.key"
        subprocess.run([openssl, "genrsa", "-out", str(key), "2048"], check=True,
                       capture_output=True)
        return key

    def _etcd_is_ready(self) -> bool:
        try:
            status, _ = request(http.client.HTTPConnection(HOST, self._etcd_port, timeout=1),
                                "GET", "/health")
        except (OSError, http.client.HTTPException):
            return False
        return status == 200

    def _is_ready(self) -> bool:
        try:
            context = ssl.create_default_context(cafile=self.certificate)
            status, _ = request(
                http.client.HTTPSConnection(HOST, self._port, timeout=2, context=context),
                "GET", "/readyz", headers={"Authorization": f"Bearer {self.tokens['admin']}"})
        except (OSError, http.client.HTTPException):
            return False
        return status == 200
