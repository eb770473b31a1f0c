"""Modules that do not know of each other use one watch, on whatever server it is."""

from __future__ import annotations

import threading

from kubernetes import client

from kube_reflect import Config, Phase, shared

from tests.support.follower import Follower

from ._objects import OURS, config_map
from ._servers import ContractServer, by_key
from ._waiting import DEADLINE, Requests, eventually, quick


def threads(name: str) -> list[str]:
    return [thread.name for thread in threading.enumerate()
            if thread.name.startswith(f"kube-reflect:{name}")]


def test_one_watch_for_all_until_the_last_is_closed(
    server: ContractServer, namespace: str, v1: client.CoreV1Api, asked: Requests
) -> None:
    one = server.create(config_map("one", namespace, "1", OURS))
    config = Config(label_selector="ours")
    first = shared(v1.list_namespaced_config_map, namespace, config=config, model=dict,
                   name=namespace)
    # Another module: an API object of its own, and the argument by name.
    second = shared(client.CoreV1Api(server.api_client()).list_namespaced_config_map,
                    namespace=namespace, config=Config(label_selector="ours"), model=dict)
    with first, second:
        second.store.wait_until_ready(DEADLINE)
        assert first.store is second.store and second.store.state() == [one]
        follower = Follower(second.subscribe())
        assert eventually(lambda: first.status.live)
        first.close()
        two = server.create(config_map("two", namespace, "1", OURS))
        second.store.wait_for_version(two["metadata"]["resourceVersion"], DEADLINE)
        assert eventually(lambda: (follower.drain(), follower.objects == by_key([one, two]))[1])
        assert by_key(second.store.state()) == follower.objects
        assert len(threads(namespace)) == 1 and len(asked.initial()) == 1
    assert second.status.phase is Phase.STOPPED and threads(namespace) == []
    follower.drain()
    assert follower.subscription.is_over


def test_others_have_their_own(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    server.create(config_map("one", namespace, "1", OURS))
    with shared(v1.list_namespaced_config_map, namespace, model=dict) as everything, \
            shared(v1.list_namespaced_config_map, namespace, model=dict,
                   config=Config(label_selector="other")) as nothing, \
            shared(v1.list_namespaced_config_map, namespace, metadata_only=True) as metadata:
        stores = [handle.store for handle in (everything, nothing, metadata)]
        for store in stores:
            store.wait_until_ready(DEADLINE)
        assert len({id(store) for store in stores}) == 3
        assert nothing.store.is_empty()
        assert "data" in everything.store.get("one", namespace)
        assert "data" not in metadata.store.get("one", namespace)


def test_several_namespaces_are_shared_too(
    server: ContractServer, namespace: str, v1: client.CoreV1Api
) -> None:
    with server.namespace() as other:
        for where in (namespace, other):
            server.create(config_map("one", where, "1", OURS))
        config = Config(label_selector="ours")
        with shared(v1.list_namespaced_config_map, namespaces=[namespace, other], config=config,
                    backoff=quick) as one, \
                shared(v1.list_namespaced_config_map, namespaces=[other, namespace],
                       config=config, backoff=quick) as two:
            two.store.wait_until_ready(DEADLINE)
            assert one.store is two.store and len(two.store) == 2
            assert two.status.namespaces.keys() == {namespace, other}
