"""One face for the fake API server and a real one, for tests that hold both to one contract."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from kubernetes import client

from kube_reflect import ApiResource, Shard
from kube_reflect.testing import FakeApiServer

from tests.support.follower import Key, by_key

from ..e2e._apiserver import ADMIN, READER, OwnedServer, RealServer
from ._objects import (
    BUILT_IN, CONFIG_MAPS, DEFINITIONS, RBAC, ROLE_BINDINGS, ROLES, config_map, definition, thing,
)
from ._waiting import eventually


class Refused(Exception):
    """The server answered a request of the test with an error."""

    def __init__(self, code: int, body: Any) -> None:
        super().__init__(f"{code}: {body}")
        self.code = code


class ContractServer:
    """An API server and what tests do to it; objects are written over HTTP, as by any client."""

    def __init__(self) -> None:
        self._admin: client.ApiClient | None = None
        self._resources = {(one.api_version, one.kind): one for one in BUILT_IN}

    def client_for(self, user: str) -> client.ApiClient:
        """Make a client of ``admin``, who may do everything, or of ``reader``; see `grant`."""
        raise NotImplementedError

    def api_client(self) -> client.ApiClient:
        """The client that may do everything, one for the test."""
        if self._admin is None:
            self._admin = self.client_for(ADMIN)
        return self._admin

    def client_with(self, token: str) -> client.ApiClient:
        """Make a client with another bearer token."""
        known = self.api_client().configuration
        configuration = client.Configuration(host=known.host)
        configuration.ssl_ca_cert = known.ssl_ca_cert
        configuration.verify_ssl = known.verify_ssl
        configuration.proxy = None
        configuration.api_key = {"authorization": f"Bearer {token}"}
        return client.ApiClient(configuration)

    @contextlib.contextmanager
    def namespace(self) -> Iterator[str]:
        """A namespace for a while."""
        raise NotImplementedError

    def grant(self, namespace: str, *verbs: str) -> None:
        """Let the reader do this to config maps from now on; before, a reader may do nothing."""
        raise NotImplementedError

    def define(self, resource: ApiResource) -> None:
        """Serve a custom resource."""
        self._resources[resource.api_version, resource.kind] = resource

    def undefine(self, resource: ApiResource) -> None:
        """Delete all objects of a custom resource, and serve it no more."""
        raise NotImplementedError

    def check_disposable(self) -> None:
        """Skip the test if the server is not ours to restart."""

    def restart(self) -> None:
        """Stop it and start it again; it keeps its objects and nothing else."""
        raise NotImplementedError

    def expire_pages(self) -> None:
        """Make etcd forget the past, which continue tokens refer to; open watches go on."""
        raise NotImplementedError

    def expire_watches(self) -> None:
        """Forget the past and cut all watches, so that none can be resumed where it was."""
        raise NotImplementedError

    def close(self) -> None:
        if self._admin is not None:
            self._admin.close()

    def request(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """Make a request, and give the decoded answer.

        :raises Refused: for any status but success.
        """
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        api_client = self.api_client()
        headers = {"Accept": "application/json", "Content-Type": kind}
        for setting in api_client.configuration.auth_settings().values():
            headers[setting["key"]] = setting["value"]
        url = api_client.configuration.host + path
        response = api_client.rest_client.pool_manager.request(
            method, url + (f"?{urlencode(query)}" if query else ""), headers=headers,
            body=None if body is None else json.dumps(body))
        text = response.data
        try:
            answer = json.loads(text)
        except ValueError:
            answer = text
        if not 200 <= response.status <= 299:
            raise Refused(response.status, answer)
        return answer

    def create(self, obj: dict[str, Any]) -> dict[str, Any]:
        """Create an object and return it."""
        resource = self._resources[obj["apiVersion"], obj["kind"]]
        path = path_of(resource, obj["metadata"].get("namespace"))
        created: dict[str, Any] = self.request("POST", path, obj)
        return created

    def patch(self, resource: ApiResource, name: str, namespace: str | None,
              patch: dict[str, Any], subresource: str = "") -> dict[str, Any]:
        """Apply a merge patch to an object, and return it."""
        path = "/".join(filter(None, (path_of(resource, namespace), name, subresource)))
        patched: dict[str, Any] = self.request("PATCH", path, patch)
        return patched

    def delete(self, resource: ApiResource, name: str, namespace: str | None = None) -> None:
        """Delete an object at once."""
        self.request("DELETE", f"{path_of(resource, namespace)}/{name}",
                     {"gracePeriodSeconds": 0})

    def list(self, resource: ApiResource, namespace: str | None = None,
             **query: Any) -> dict[str, Any]:
        """The body of a LIST."""
        body: dict[str, Any] = self.request("GET", path_of(resource, namespace), **query)
        return body

    def objects(self, resource: ApiResource, namespace: str | None = None,
                **query: Any) -> dict[Key, dict[str, Any]]:
        """All objects, in full, by namespace and name: what a cache must hold."""
        named = {"apiVersion": resource.api_version, "kind": resource.kind}
        return by_key([{**named, **item}
                       for item in self.list(resource, namespace, **query)["items"]])

    def has_shards(self) -> bool:
        """Whether the server itself leaves out the objects of other shards."""
        found = self.list(CONFIG_MAPS, shardSelector=Shard(0, 2).selector, limit=1)
        return "shardInfo" in found["metadata"]

    def has_streaming_lists(self) -> bool:
        """Whether the server itself answers a streaming list with one."""
        try:
            answer = self.request(
                "GET", path_of(CONFIG_MAPS), watch="true", sendInitialEvents="true",
                resourceVersionMatch="NotOlderThan", allowWatchBookmarks="true", timeoutSeconds=1)
        except Refused as refused:
            assert 400 <= refused.code < 500, refused
            return False
        # One line is decoded JSON, several are not.
        text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return b"k8s.io/initial-events-end" in text


class Fake(ContractServer):
    """The fake API server.

    :param streaming_list: whether it has streaming lists.
    :param sharding: whether it leaves out the objects of other shards.
    """

    def __init__(self, streaming_list: bool, sharding: bool = False) -> None:
        super().__init__()
        self._tokens = {ADMIN: secrets.token_hex(8), READER: secrets.token_hex(8)}
        self.fake = FakeApiServer(
            streaming_list=streaming_list, sharding=sharding, bookmark_interval=1.0,
            tokens={token: user for user, token in self._tokens.items()}).start()
        self._namespaces: list[str] = []
        self._has_reader = False

    def client_for(self, user: str) -> client.ApiClient:
        if user == READER and not self._has_reader:
            self._has_reader = True
            for namespace in self._namespaces:
                self._forbid(namespace)
        return self.fake.api_client(self._tokens[user])

    @contextlib.contextmanager
    def namespace(self) -> Iterator[str]:
        name = f"contract-{secrets.token_hex(4)}"
        self._namespaces.append(name)
        if self._has_reader:
            self._forbid(name)
        yield name

    def _forbid(self, namespace: str) -> None:
        # It knows no users here: until it is granted, nobody may.
        for verb in ("list", "watch"):
            self.fake.forbid("configmaps", namespace=namespace, verb=verb)

    def grant(self, namespace: str, *verbs: str) -> None:
        for verb in verbs:
            self.fake.allow("configmaps", namespace=namespace, verb=verb)

    def define(self, resource: ApiResource) -> None:
        super().define(resource)
        self.fake.register(resource)

    def undefine(self, resource: ApiResource) -> None:
        self.fake.unregister(resource)

    def restart(self) -> None:
        self.fake.restart()

    def expire_pages(self) -> None:
        self.fake.compact()

    def expire_watches(self) -> None:
        self.fake.compact()
        self.fake.disconnect()

    def close(self) -> None:
        super().close()
        self.fake.close()


class Real(ContractServer):
    """A real API server, for one test."""

    def __init__(self, real: RealServer) -> None:
        super().__init__()
        self._real = real
        self._defined: set[ApiResource] = set()

    def client_for(self, user: str) -> client.ApiClient:
        return self._real.client_for(user)

    @contextlib.contextmanager
    def namespace(self) -> Iterator[str]:
        with self._real.namespace("contract") as name:
            yield name

    def grant(self, namespace: str, *verbs: str) -> None:
        rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": list(verbs)}]
        name = "-".join(verbs)
        self.create(thing(ROLES, name, namespace, rules=rules))
        user = self.client_for(READER).default_headers.get("Impersonate-User", READER)
        self.create(thing(
            ROLE_BINDINGS, name, namespace,
            subjects=[{"kind": "User", "name": user, "apiGroup": RBAC}],
            roleRef={"kind": "Role", "name": name, "apiGroup": RBAC}))

    def define(self, resource: ApiResource) -> None:
        super().define(resource)
        self.create(definition(resource))
        self._defined.add(resource)
        assert eventually(lambda: self._serves(resource))

    def undefine(self, resource: ApiResource) -> None:
        name = f"{resource.plural}.{resource.group}"
        self.delete(DEFINITIONS, name)
        self._defined.discard(resource)
        assert eventually(lambda: not self._serves(resource)
                          and name not in self._definitions())

    def check_disposable(self) -> None:
        self._owned()

    def restart(self) -> None:
        self._owned().restart()

    def expire_pages(self) -> None:
        # What is compacted must be past: a write makes the present another version.
        name = f"later-{secrets.token_hex(4)}"
        self.create(config_map(name, "default"))
        self.delete(CONFIG_MAPS, name, "default")
        self._owned().compact()

    def expire_watches(self) -> None:
        self.expire_pages()
        self.restart()

    def close(self) -> None:
        self._real.recover()
        for resource in list(self._defined):
            self.undefine(resource)
        super().close()

    def _owned(self) -> OwnedServer:
        if not isinstance(self._real, OwnedServer):
            pytest.skip("the cluster of KUBECONFIG is not ours to stop: set KUBEBUILDER_ASSETS")
        return self._real

    def _definitions(self) -> set[str]:
        return {name for _, name in self.objects(DEFINITIONS)}

    def _serves(self, resource: ApiResource) -> bool:
        try:
            self.list(resource)
        except Refused as refused:
            assert refused.code == 404, refused
            return False
        return True


def path_of(resource: ApiResource, namespace: str | None = None) -> str:
    root = f"/apis/{resource.group}" if resource.group else "/api"
    within = f"/namespaces/{namespace}" if namespace is not None else ""
    return f"{root}/{resource.version}{within}/{resource.plural}"
