"""TLS contexts that connections share.

A context of its own, with all the authorities of a bundle parsed, takes each connection some
20 ms and a megabyte. So connections with the same settings share one, for as long as one of them
uses it and the files are what they were: a certificate that is rotated in its place counts.
"""

from __future__ import annotations

import functools
import os
import ssl
import weakref
from typing import Any

from urllib3.exceptions import SSLError
from urllib3.util.ssl_ import create_urllib3_context, resolve_cert_reqs, resolve_ssl_version

from kube_reflect.ground import locks

__all__ = ["share_context"]

#: Attributes of a connection that say what its context trusts and shows.
_LOADED = ("ca_certs", "ca_cert_dir", "ca_cert_data", "cert_file", "key_file", "key_password")
_SETTINGS = ("cert_reqs", "ssl_version", "ssl_minimum_version", "ssl_maximum_version",
             "assert_hostname", "assert_fingerprint")


class _Contexts:
    def __init__(self) -> None:
        self._lock = locks.new_lock()
        # A `weakref.WeakValueDictionary` has callbacks in Python, amid which an exception is lost.
        self._contexts: dict[Any, weakref.ref[ssl.SSLContext]] = {}
        locks.register(self, _Contexts._after_fork, 0)

    def get(self, loaded: dict[str, Any], settings: dict[str, Any]) -> ssl.SSLContext:
        try:
            key = (*loaded.items(), *settings.items(), *map(_version, loaded.values()))
            hash(key)
        except TypeError:
            return _new_context(loaded, settings)
        # Held while one is made: those who wait would make the same.
        with self._lock:
            known = self._contexts.get(key)
            context = None if known is None else known()
            if context is None:
                context = _new_context(loaded, settings)
                self._contexts[key] = weakref.ref(
                    context, functools.partial(self._contexts.pop, key))
            return context

    def _after_fork(self) -> None:
        self._contexts = {}


def _version(value: Any) -> Any:
    """Return which version of a file it is, if it is the name of one."""
    if not isinstance(value, str) or "\n" in value:
        return None
    try:
        found = os.stat(value)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _new_context(loaded: dict[str, Any], settings: dict[str, Any]) -> ssl.SSLContext:
    limits = {name: settings[name] for name in ("ssl_minimum_version", "ssl_maximum_version")
              if settings[name] is not None}
    context = create_urllib3_context(ssl_version=resolve_ssl_version(settings["ssl_version"]),
                                     cert_reqs=resolve_cert_reqs(settings["cert_reqs"]), **limits)
    authorities = [loaded[name] for name in ("ca_certs", "ca_cert_dir", "ca_cert_data")]
    try:
        if any(authorities):
            context.load_verify_locations(*authorities)
        else:
            context.load_default_certs()
        if loaded["cert_file"]:
            context.load_cert_chain(loaded["cert_file"], loaded["key_file"],
                                    loaded["key_password"] or _no_password)
    except OSError as error:
        raise SSLError(f"cannot load the certificates: {error}") from error
    # urllib3 sets them anew for each connection, while another thread may begin with the context.
    setattr(context, "set_alpn_protocols", lambda protocols: None)
    return context


def _no_password() -> str:
    # The ssl module would ask for it at the terminal.
    raise SSLError("the key of the client certificate is encrypted, and there is no password")


_contexts = _Contexts()


def share_context(connection: Any) -> None:
    """Set the shared context of a connection of urllib3, before it connects.

    One that has a context already keeps it, and so does one whose proxy is reached by TLS.
    """
    proxy = getattr(connection, "proxy", None)
    if (proxy is not None and proxy.scheme == "https"
            or connection.ssl_context is not None and not hasattr(connection, "tls_settings")):
        return
    if not hasattr(connection, "tls_settings"):
        # What the context has got already must not be loaded into it again.
        connection.tls_settings = {name: getattr(connection, name, None) for name in _LOADED}
        for name in _LOADED:
            setattr(connection, name, None)
    settings = {name: getattr(connection, name, None) for name in _SETTINGS}
    connection.ssl_context = _contexts.get(connection.tls_settings, settings)
