"""A self-signed certificate for a server on loopback."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import tempfile
import weakref
from pathlib import Path

__all__ = ["Certificate"]


class Certificate:
    """A certificate for localhost and its key, in a directory that goes with this object.

    It is made by the ``openssl`` command, for Python's standard library can make none.

    :raises RuntimeError: there is no such command, or it failed.
    """

    def __init__(self) -> None:
        directory = Path(tempfile.mkdtemp(prefix="kube-reflect-"))
        weakref.finalize(self, shutil.rmtree, directory, ignore_errors=True)
        #: The file of the certificate.
        self.path = str(directory / "cert.pem")
        self._key = str(directory / "key.pem")
        command = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1",
            "-keyout", self._key, "-out", self.path]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=30)
        except (OSError, subprocess.SubprocessError) as error:
            output = getattr(error, "stderr", None) or b""
            raise RuntimeError("no certificate from the openssl command: "
                               f"{output.decode(errors='replace') or error}") from error

    def server_context(self) -> ssl.SSLContext:
        """What a server needs to speak TLS with this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path, self._key)
        return context
