"""Custom resources, whose list functions and definitions come and go."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, dynamic
from kubernetes.dynamic.exceptions import ResourceNotFoundError

from kube_reflect import ApiResource, Config, Delete

from ._objects import thing
from ._servers import ContractServer, by_key
from ._waiting import Following, changes, eventually, names, reflecting


@pytest.fixture
def widgets(server: ContractServer) -> Iterator[ApiResource]:
    """A resource under a name of its own, so that no definition meets an earlier one's end."""
    resource = ApiResource(f"g{secrets.token_hex(4)}.example.com", "v1", "Widget", "widgets", True)
    server.define(resource)
    yield resource


def custom(server: ContractServer) -> client.CustomObjectsApi:
    return client.CustomObjectsApi(server.api_client())


def test_custom_objects(
    server: ContractServer, namespace: str, widgets: ApiResource
) -> None:
    where = (widgets.group, widgets.version, namespace, widgets.plural)
    for number in range(5):
        server.create(thing(widgets, f"w{number}", namespace, spec={"n": number}))
    with reflecting(custom(server).list_namespaced_custom_object, *where,
                    config=Config(page_size=2)) as r:
        assert by_key(r.store.state()) == server.objects(widgets, namespace)
        assert {type(one) for one in r.store} == {dict}
        server.delete(widgets, "w0", namespace)
        changed = server.patch(widgets, "w1", namespace, {"spec": {"n": 100}})
        new = server.create(thing(widgets, "new", namespace, {"app": "web"}))
        assert eventually(lambda: by_key(r.store.state()) == server.objects(widgets, namespace))
        assert r.store.get("w1", namespace) == changed
        assert r.store.state(labels="app=web") == [new]
        assert {str(ref) for ref in r.store.keys()} >= {
            f"Widget.v1.{widgets.group}/new.{namespace}"}


def test_custom_objects_of_all_namespaces_by_label(
    server: ContractServer, namespace: str, widgets: ApiResource
) -> None:
    with server.namespace() as other, reflecting(
            custom(server).list_cluster_custom_object, widgets.group, widgets.version,
            widgets.plural, config=Config(label_selector="app=web")) as r:
        for where in (namespace, other):
            server.create(thing(widgets, "a", where, {"app": "web"}))
            server.create(thing(widgets, "b", where, {"app": "db"}))
        keys = {(namespace, "a"), (other, "a")}
        assert eventually(lambda: by_key(r.store.state()).keys() == keys)
        server.patch(widgets, "b", other, {"metadata": {"labels": {"app": "web"}}})
        server.patch(widgets, "a", other, {"metadata": {"labels": {"app": None}}})
        keys = {(namespace, "a"), (other, "b")}
        assert eventually(lambda: by_key(r.store.state()).keys() == keys)
        for where in (namespace, other):
            for name in "ab":
                server.delete(widgets, name, where)


def test_custom_objects_without_a_namespace(server: ContractServer) -> None:
    gadgets = ApiResource(f"g{secrets.token_hex(4)}.example.com", "v1", "Gadget", "gadgets", False)
    server.define(gadgets)
    created = server.create(thing(gadgets, "a", spec={"n": 1}))
    list_func = functools.partial(custom(server).list_cluster_custom_object, gadgets.group,
                                  gadgets.version, gadgets.plural)
    with reflecting(list_func) as r:
        assert r.store.get("a") == created
        server.delete(gadgets, "a")
        assert eventually(r.store.is_empty)


@pytest.mark.parametrize("as_function", [False, True], ids=["resource", "get"])
def test_a_resource_of_the_dynamic_client(
    server: ContractServer, namespace: str, widgets: ApiResource, tmp_path: Path, as_function: bool
) -> None:
    found: list[Any] = []

    def discovered() -> bool:
        dynamic_client = dynamic.DynamicClient(
            server.api_client(), cache_file=str(tmp_path / "discovery.json"))
        try:
            found.append(dynamic_client.resources.get(
                api_version=widgets.api_version, kind=widgets.kind))
        except ResourceNotFoundError:
            return False
        return True

    assert eventually(discovered)
    server.create(thing(widgets, "a", namespace, spec={"n": 1}))
    list_func = found[-1].get if as_function else found[-1]
    with reflecting(list_func, namespace=namespace) as r:
        first = r.store.get("a", namespace)
        assert first is not None
        assert (first.kind, first.metadata.name, first.spec.n) == ("Widget", "a", 1)
        server.patch(widgets, "a", namespace, {"spec": {"n": 2}})
        server.create(thing(widgets, "b", namespace))
        assert eventually(lambda: r.store.get("a", namespace).spec.n == 2 and len(r.store) == 2)
        server.delete(widgets, "a", namespace)
        assert eventually(lambda: names(r.store) == {"b"})


def test_a_definition_deleted_and_made_again(
    server: ContractServer, namespace: str, widgets: ApiResource
) -> None:
    where = (widgets.group, widgets.version, namespace, widgets.plural)
    old = server.create(thing(widgets, "a", namespace))
    list_func = custom(server).list_namespaced_custom_object
    with reflecting(list_func, *where) as r, Following(list_func, *where) as told:
        told.listed()
        server.undefine(widgets)
        assert changes(told.until(lambda item: isinstance(item, Delete))) == [(Delete, "a")]
        assert eventually(r.store.is_empty)
        assert eventually(lambda: r.status.code == 404)
        assert not r.status.live
        server.define(widgets)
        new = server.create(thing(widgets, "a", namespace))
        assert new["metadata"]["uid"] != old["metadata"]["uid"]
        assert eventually(lambda: r.store.state() == [new])
        assert eventually(lambda: r.status.live)
        server.delete(widgets, "a", namespace)
        assert eventually(r.store.is_empty)


def test_a_definition_that_comes_later(server: ContractServer, namespace: str) -> None:
    late = ApiResource(f"g{secrets.token_hex(4)}.example.com", "v1", "Late", "lates", True)
    where = (late.group, late.version, namespace, late.plural)
    with reflecting(custom(server).list_namespaced_custom_object, *where, ready=False) as r:
        assert eventually(lambda: r.status.code == 404)
        assert not r.store.ready
        server.define(late)
        created = server.create(thing(late, "a", namespace))
        r.store.wait_until_ready(timeout=30)
        assert eventually(lambda: r.store.state() == [created])
        server.delete(late, "a", namespace)
        assert eventually(r.store.is_empty)
