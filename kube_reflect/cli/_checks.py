"""What the doctor looks at before any watch: the way to the server, rights, the first list."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from kube_reflect.cli._connection import Connection
from kube_reflect.cli._discovery import Kind
from kube_reflect.cli._failure import in_one_line
from kube_reflect.cli._findings import Finding, Level
from kube_reflect.cli._printing import size
from kube_reflect.cli._scope import Scope
from kube_reflect.testing.columns import age

__all__ = ["access", "clock", "credentials", "first_list", "reach", "way"]

OK, WARN, FAIL = Level.OK, Level.WARN, Level.FAIL
#: Seconds of difference between two clocks that are worth a word, and that break things.
_SKEW, _MUCH_SKEW = 5.0, 60.0
#: Seconds for the first page of a list that are worth a word.
_SLOW = 5.0


def credentials(connection: Connection) -> Iterator[Finding]:
    """Return which kind of credentials there are, never what they are."""
    used = connection.api_client.configuration
    # The name that clients before 36 have for it, and the one since.
    keys = [used.api_key.get(name) or "" for name in ("authorization", "BearerToken")]
    token = "".join(keys).removeprefix("Bearer ").strip()
    title = "credentials"
    if token:
        yield _token(token, connection.source)
    elif used.cert_file:
        yield Finding(OK, title, f"a client certificate, from {connection.source}")
    elif used.username:
        yield Finding(WARN, title, "a user name and a password",
                      "API servers since Kubernetes 1.19 do not take these")
    else:
        yield Finding(WARN, title, f"none, from {connection.source}",
                      "without any, a server takes you for system:anonymous")


def _token(token: str, source: str) -> Finding:
    text = f"a bearer token, from {source}"
    left = _seconds_left(token)
    if left is None:
        return Finding(OK, "credentials", text)
    if left <= 0:
        return Finding(FAIL, "credentials", f"{text}, which expired {age(-left)} ago",
                       "log in again, or have the kubeconfig name an exec plugin")
    return Finding(OK, "credentials", f"{text}, which expires in {age(left)}",
                   "Reflector(..., new_client=) lets a program that runs longer read fresh ones")


def _seconds_left(token: str) -> float | None:
    """Read from a token when it expires; None where it does not say."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"]) - time.time()
    except (IndexError, KeyError, TypeError, ValueError):
        return None


def way(connection: Connection) -> Iterator[Finding]:
    """Look at proxies and TLS."""
    used = connection.api_client.configuration
    set_in = [name for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy")
              if os.environ.get(name)]
    if used.proxy:
        where = urlsplit(used.proxy if "//" in used.proxy else f"//{used.proxy}")
        yield Finding(WARN, "proxy", f"requests go through {where.hostname}:{where.port or ''}",
                      "proxies like to cut quiet watches, or to hold their lines back; name the "
                      "server in NO_PROXY if it can be reached without")
    elif set_in:
        yield Finding(OK, "proxy", f"{set_in[0]} is set, but not for this server")
    else:
        yield Finding(OK, "proxy", "none")
    if not connection.url.startswith("https"):
        local = urlsplit(connection.url).hostname in ("127.0.0.1", "localhost", "::1")
        yield Finding(OK if local else WARN, "TLS", "none: plain HTTP",
                      "" if local else "anybody on the way can read the credentials")
    elif not used.verify_ssl:
        yield Finding(WARN, "TLS", "the server's certificate is not checked",
                      "give the kubeconfig its certificate-authority")
    else:
        yield Finding(OK, "TLS", "the server's certificate is checked")


def reach(connection: Connection) -> Iterator[Finding]:
    """Ask for the version, and look how long it takes and what time it is there."""
    began, then = time.perf_counter(), time.time()
    try:
        answer = connection.answer("/version")
    except ApiException as error:
        told = in_one_line(error)
        yield Finding(FAIL if error.status == 401 else WARN, "server",
                      f"{connection.url} refuses to tell its version: {told}",
                      "the credentials are not accepted" if error.status == 401 else "")
        return
    passed = time.perf_counter() - began
    try:
        version = json.loads(answer.data).get("gitVersion", "of unknown version")
    except (AttributeError, ValueError):
        yield Finding(FAIL, "server", f"{connection.url} does not answer as an API server",
                      "look at the address, and at what stands between")
        return
    yield Finding(OK, "server", f"{connection.url}, {version}, answers in {passed * 1000:.0f} ms")
    yield from clock(answer.headers.get("Date"), then + passed / 2)


def clock(date: str | None, now: float) -> Iterator[Finding]:
    """Compare the clocks.

    :param date: the Date of an answer, which is in whole seconds.
    :param now: the time here at that moment.
    """
    try:
        there = parsedate_to_datetime(date or "").timestamp() + 0.5
    except (TypeError, ValueError):
        yield Finding(WARN, "clock", "the server does not tell the time")
        return
    skew = now - there
    if abs(skew) < _SKEW:
        yield Finding(OK, "clock", "the same as the server's, within seconds")
    else:
        yield Finding(FAIL if abs(skew) > _MUCH_SKEW else WARN, "clock",
                      f"{age(abs(skew))} {'ahead of' if skew > 0 else 'behind'} the server's",
                      "let both follow the same time servers; tokens and certificates may "
                      "count as expired, or not yet valid")


def access(connection: Connection, kind: Kind, scope: Scope) -> Iterator[Finding]:
    """Ask whether one may list and watch."""
    api = client.AuthorizationV1Api(connection.api_client)
    resource = kind.resource
    namespace = scope.namespace if resource.namespaced else None
    for verb in ("list", "watch"):
        if verb not in kind.verbs:
            yield Finding(FAIL, verb, f"the server does not serve {verb} for {kind.qualified}",
                          "there can be no reflector of it; poll it")
            continue
        attributes = {"group": resource.group, "version": resource.version,
                      "resource": resource.plural, "verb": verb, "namespace": namespace}
        asked = {key: value for key, value in attributes.items() if value}
        body: Any = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                     "spec": {"resourceAttributes": asked}}
        where = f"namespace {namespace}" if namespace else "the whole cluster"
        try:
            answer: Any = api.create_self_subject_access_review(body, _request_timeout=(10, 20))
        except ApiException as error:
            yield Finding(WARN, verb,
                          f"the server does not say whether you may: {in_one_line(error)}")
            continue
        if answer.status.allowed:
            yield Finding(OK, verb, f"you may {verb} {kind.qualified} in {where}")
        else:
            yield Finding(FAIL, verb, f"you may not {verb} {kind.qualified} in {where}",
                          _role(kind, verb, namespace))


def _role(kind: Kind, verb: str, namespace: str | None) -> str:
    return (f"bind a {'Role' if namespace else 'ClusterRole'} with apiGroups: "
            f"[\"{kind.resource.group}\"], resources: [\"{kind.resource.plural}\"], "
            f"verbs: [\"list\", \"watch\"]")


def first_list(connection: Connection, kind: Kind, scope: Scope) -> Iterator[Finding]:
    """Get the first page, and tell how much there is."""
    began = time.perf_counter()
    try:
        answer = connection.answer(kind.path(scope.namespace), {"limit": 500, **scope.query})
        page = json.loads(answer.data)
        count = len(page["items"])
    except ApiException as error:
        yield Finding(FAIL, "first page", in_one_line(error))
        return
    except (KeyError, TypeError, ValueError):
        yield Finding(FAIL, "first page", "the server's answer is no list")
        return
    passed = time.perf_counter() - began
    left = page["metadata"].get("remainingItemCount", 0)
    text = f"{count + left:,} objects" + (f"; the first {count:,} of them" if left else "")
    text += f": {size(len(answer.data))} of JSON in {passed:.2f} s"
    if passed > _SLOW:
        yield Finding(WARN, "first page", text, "Config(gzip=True), if the network is slow; a "
                      "selector, or metadata_only=True, if that is all you need")
    else:
        yield Finding(OK, "first page", text)
