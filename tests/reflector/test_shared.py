"""One reflector for all who watch the same."""

from __future__ import annotations

import functools
import gc
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client

from kube_reflect import Config, Phase, Reflector, Shared, shared
from kube_reflect.ground.threads import start_thread
from kube_reflect.reflector import runner, sharing
from kube_reflect.testing import FakeApiServer

from tests.support.waiting import wait_until


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    with FakeApiServer() as server:
        for namespace in ("a", "b"):
            server.create({"apiVersion": "v1", "kind": "ConfigMap",
                           "metadata": {"name": "one", "namespace": namespace}})
        yield server


@pytest.fixture
def api_client(server: FakeApiServer) -> Iterator[client.ApiClient]:
    with server.api_client() as api_client:
        yield api_client


def threads() -> list[str]:
    """Return the threads of reflectors; not those that see to what earlier tests have forgotten."""
    return sorted(thread.name for thread in threading.enumerate()
                  if thread.name.startswith("kube-reflect:")
                  and thread.name != "kube-reflect:forgotten")


def wait_for_no_threads() -> None:
    wait_until(lambda: not threads(), "the end of the threads")


def test_the_same_arguments_share_one_watch(server: FakeApiServer,
                                            api_client: client.ApiClient) -> None:
    first = shared(client.CoreV1Api(api_client).list_namespaced_config_map, "a")
    # Another module: an instance of its own, the argument by name, a partial.
    second = shared(client.CoreV1Api(api_client).list_namespaced_config_map, namespace="a")
    third = shared(functools.partial(
        client.CoreV1Api(api_client).list_namespaced_config_map, namespace="a"))
    with first, second, third:
        assert first.store is second.store is third.store
        first.store.wait_until_ready(5)
        assert len(third.store) == 1
        assert len(threads()) == 1
        assert len([one for one in server.requests if one.flag("watch")]) == 1


@pytest.mark.parametrize("other", [
    {"config": Config(label_selector="x")},
    {"namespace": "b"},
    {"model": dict},
])
def test_other_arguments_do_not(api_client: client.ApiClient, other: dict[str, object]) -> None:
    list_func = client.CoreV1Api(api_client).list_namespaced_config_map
    with shared(list_func, namespace="a") as one, \
            shared(list_func, **{"namespace": "a", **other}) as two:  # type: ignore[arg-type]
        assert one.store is not two.store


def test_another_client_does_not(server: FakeApiServer, api_client: client.ApiClient) -> None:
    with server.api_client() as another, \
            shared(client.CoreV1Api(api_client).list_node) as one, \
            shared(client.CoreV1Api(another).list_node) as two:
        assert one.store is not two.store


def test_the_last_user_closes_it(api_client: client.ApiClient) -> None:
    list_func = client.CoreV1Api(api_client).list_namespaced_config_map
    first, second = shared(list_func, "a"), shared(list_func, "a")
    first.close()
    first.close()
    assert second.status.thread_alive
    second.close()
    assert second.status.phase is Phase.STOPPED
    assert threads() == []
    with shared(list_func, "a") as third:
        third.store.wait_until_ready(5)
        assert third.store is not second.store


def test_a_forgotten_handle_is_no_user(api_client: client.ApiClient) -> None:
    handle = shared(client.CoreV1Api(api_client).list_namespaced_config_map, "a")
    handle.store.wait_until_ready(5)
    del handle
    gc.collect()
    wait_for_no_threads()
    assert threads() == []


def test_a_handle_may_be_forgotten_in_a_thread_that_begins(
        api_client: client.ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    # The garbage collector runs in any thread, also in one whose start is being waited for.
    v1 = client.CoreV1Api(api_client)
    handles: list[Shared[Any]] = [shared(v1.list_namespaced_config_map, "a")]
    forgotten = threading.Event()

    def forget() -> None:
        handles.clear()
        gc.collect()
        forgotten.set()

    def start(thread: threading.Thread) -> None:
        forgetter = threading.Thread(target=forget, daemon=True)
        forgetter.start()
        forgetter.join(5)
        start_thread(thread)

    monkeypatch.setattr(runner, "start_thread", start)
    with shared(v1.list_namespaced_config_map, "b") as other:
        assert forgotten.is_set()
        other.store.wait_until_ready(5)
    wait_for_no_threads()
    assert threads() == []


def test_a_new_user_may_come_as_the_last_is_forgotten(
        api_client: client.ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    # The garbage collector runs in the very thread that asks for the same.
    list_function = client.CoreV1Api(api_client).list_namespaced_config_map
    handles: list[Shared[Any]] = [shared(list_function, "a")]

    class Users(dict[Any, Any]):
        def get(self, *args: Any) -> Any:
            users = super().get(*args)
            if handles:
                handles.clear()
                gc.collect()
            return users

    monkeypatch.setattr(sharing._registry, "_users", Users(sharing._registry._users))
    with shared(list_function, "a") as other:
        other.store.wait_until_ready(5)
        assert other.status.thread_alive and not handles
        with shared(list_function, "a") as third:
            assert third.store is other.store
    wait_for_no_threads()
    assert threads() == []


def test_many_threads_at_once_get_one(api_client: client.ApiClient) -> None:
    list_func = client.CoreV1Api(api_client).list_namespaced_config_map
    barrier, handles = threading.Barrier(8), []

    def use() -> None:
        barrier.wait(5)
        handles.append(shared(list_func, "a"))

    users = [threading.Thread(target=use) for _ in range(8)]
    for user in users:
        user.start()
    for user in users:
        user.join(5)
    assert len({id(handle.store) for handle in handles}) == 1
    assert len(threads()) == 1
    for handle in handles:
        handle.close()
    assert threads() == []


def test_several_namespaces_in_any_order_are_the_same(api_client: client.ApiClient) -> None:
    list_func = client.CoreV1Api(api_client).list_namespaced_config_map
    with shared(list_func, namespaces=["a", "b"]) as one, \
            shared(list_func, namespaces=["b", "a"]) as two:
        assert one.store is two.store
        one.store.wait_until_ready(5)
        assert len(one.store) == 2


def test_a_new_client_is_an_option(api_client: client.ApiClient) -> None:
    list_func = client.CoreV1Api(api_client).list_namespaced_config_map

    def new_client() -> client.ApiClient:
        return api_client

    with shared(list_func, "a", new_client=new_client) as one, \
            shared(list_func, "a", new_client=new_client) as two, \
            shared(list_func, "a") as three:
        assert one.store is two.store is not three.store
        one.store.wait_until_ready(5)
        assert len(one.store) == 1


def test_a_mistake_is_said_at_once_and_leaves_nothing(api_client: client.ApiClient) -> None:
    with pytest.raises(TypeError):
        shared(client.CoreV1Api(api_client).list_namespaced_config_map)
    assert threads() == []


@pytest.mark.parametrize(("options", "said"), [
    ({"config": {"timeout": 7}}, "config must be a Config: {'timeout': 7}"),
    ({"namespaces": "shop"}, "namespaces must be a list of names, not one name: 'shop'"),
    ({"indexers": [len]}, "indexers must be a mapping of names to functions: [<built-in"),
    ({"transfrom": None}, "got an unexpected keyword argument 'transfrom'"),
])
@pytest.mark.parametrize("make", [shared, Reflector])
def test_a_mistake_is_told_as_by_a_reflector(
    api_client: client.ApiClient, make: Any, options: dict[str, Any], said: str,
) -> None:
    with pytest.raises(TypeError, match=re.escape(said)):
        make(client.CoreV1Api(api_client).list_namespaced_config_map, **options,
             **({} if "namespaces" in options else {"namespace": "a"}))
    assert not threads()
