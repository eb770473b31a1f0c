"""kube_reflect.client.tls: connections with the same settings share a context."""

from __future__ import annotations

import os
import shutil
import ssl
from pathlib import Path
from typing import Any

import pytest
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import SSLError
from urllib3.util import parse_url

from kube_reflect.client.tls import share_context
from kube_reflect.testing._certificates import Certificate


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    try:
        return Certificate()
    except RuntimeError as error:
        pytest.skip(str(error))


def connection(**settings: Any) -> Any:
    made: Any = HTTPSConnection("localhost", 443)
    made.cert_reqs = ssl.CERT_REQUIRED
    for name, value in settings.items():
        setattr(made, name, value)
    share_context(made)
    return made


def test_the_same_settings_share_one(certificate: Certificate) -> None:
    one, other = connection(ca_certs=certificate.path), connection(ca_certs=certificate.path)
    assert one.ssl_context is other.ssl_context is not None
    assert one.ssl_context.cert_store_stats()["x509_ca"] == 1
    # What is loaded is not loaded again when urllib3 wraps the socket.
    assert one.ca_certs is None
    # Connecting again is with the same.
    share_context(one)
    assert one.ssl_context is other.ssl_context


def test_other_settings_have_another(certificate: Certificate) -> None:
    contexts = [connection(**settings).ssl_context for settings in (
        {"ca_certs": certificate.path}, {}, {"cert_reqs": ssl.CERT_NONE},
        {"ca_certs": certificate.path, "assert_hostname": False})]
    assert len(set(map(id, contexts))) == 4


def test_a_file_that_is_replaced_counts(certificate: Certificate, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    shutil.copy(certificate.path, path)
    made = connection(ca_certs=str(path))
    before = made.ssl_context
    shutil.copy(certificate.path, tmp_path / "new.pem")
    os.replace(tmp_path / "new.pem", path)
    share_context(made)
    assert made.ssl_context is not before
    assert connection(ca_certs=str(path)).ssl_context is made.ssl_context


def test_one_that_is_given_is_kept() -> None:
    given = ssl.create_default_context()
    assert connection(ssl_context=given).ssl_context is given


def test_behind_a_proxy_that_speaks_tls_nothing_is_changed(certificate: Certificate) -> None:
    made = connection(proxy=parse_url("https://proxy"), ca_certs=certificate.path)
    assert made.ssl_context is None and made.ca_certs == certificate.path


def test_a_file_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(SSLError, match="cannot load the certificates"):
        connection(ca_certs=str(tmp_path / "none.pem"))
