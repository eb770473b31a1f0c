"""Several namespaces in one store: what is wrong with one is said, and holds up no other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from kubernetes import client

from kube_reflect import Applied, Config, Deleted, InitialListFailed, NotReady, Phase
from kube_reflect.indexers import by_label

from tests.support.follower import Follower

from ..e2e._apiserver import READER
from ._churn import Churn
from ._objects import CONFIG_MAPS, OURS, config_map
from ._servers import ContractServer, by_key
from ._waiting import DEADLINE, eventually, quick, reflecting

CONFIG = Config(label_selector="ours")


@pytest.fixture
def namespaces(server: ContractServer) -> Iterator[list[str]]:
    with ExitStack() as stack:
        yield [stack.enter_context(server.namespace()) for _ in range(3)]


def test_one_that_is_refused_neither_blocks_nor_hides(
    server: ContractServer, namespaces: list[str]
) -> None:
    reader = client.CoreV1Api(server.client_for(READER))
    a, b, refused = namespaces
    made = {where: server.create(config_map("one", where, "1", OURS)) for where in namespaces}
    for where in (a, b):
        server.grant(where, "list", "watch")
    with reflecting(reader.list_namespaced_config_map, namespaces=namespaces, ready=False,
                    config=CONFIG, model=dict, backoff=quick, ready_timeout=0.1) as r:
        assert eventually(lambda: all(
            r.status.namespaces[where].live and r.status.namespaces[where].ready
            for where in (a, b)) and r.status.namespaces[refused].code == 403)
        # What was listed can be read, and what was not says so.
        for where in (a, b):
            assert r.store.state(namespace=where) == [made[where]]
            assert r.store.get("never", where) is None and len(r.store) == 2
        with pytest.raises(NotReady, match="403"):
            r.store.state()
        with pytest.raises(NotReady, match="403"):
            r.store.get("one", refused)
        new = server.create(config_map("new", a, "1", OURS))
        assert eventually(lambda: r.store.get("new", a) == new)
        # Ready means all of them, and which of them is not, and why, is there to be seen.
        status = r.status
        assert not status.ready and not status.live and not r.store.ready
        assert status.code == 403 and status.phase is not Phase.WATCHING
        assert {where for where, one in status.namespaces.items() if not one.ready} == {refused}
        assert isinstance(status.namespaces[refused].last_error, InitialListFailed)
        with pytest.raises(NotReady, match="403"):
            r.store.wait_until_ready(timeout=0.05)
        server.grant(refused, "list", "watch")
        r.store.wait_until_ready(timeout=DEADLINE)
        assert r.store.get("one", refused) == made[refused]
        assert eventually(lambda: r.status.live)
        assert r.status.ready and all(one.ready for one in r.status.namespaces.values())


def test_one_that_is_refused_may_be_removed(
    server: ContractServer, namespaces: list[str]
) -> None:
    reader = client.CoreV1Api(server.client_for(READER))
    a, _, refused = namespaces
    server.grant(a, "list", "watch")
    with reflecting(reader.list_namespaced_config_map, namespaces=[a, refused], ready=False,
                    config=CONFIG, backoff=quick) as r:
        assert eventually(lambda: r.status.namespaces[a].live
                          and r.status.namespaces[refused].code == 403)
        assert not r.store.ready
        r.remove_namespace(refused)
        assert r.store.ready and r.status.ready
        assert eventually(lambda: r.status.live)
        assert r.status.relists == 0


def test_added_and_removed_at_run_time(
    server: ContractServer, namespaces: list[str], v1: client.CoreV1Api
) -> None:
    a, b, c = namespaces
    for where in namespaces:
        server.create(config_map("one", where, "1", OURS | {"app": where}))
    with reflecting(v1.list_namespaced_config_map, namespaces=[a, b], config=CONFIG, model=dict,
                    indexers={"app": by_label("app")}, backoff=quick) as r, \
            r.subscribe() as subscription:
        follower = Follower(subscription)

        def check(*wanted: str) -> None:
            keys = {(where, "one") for where in wanted}
            assert eventually(lambda: by_key(r.store.state()).keys() == keys)
            assert set(r.store.index_values("app")) == r.status.namespaces.keys() == set(wanted)
            # They are told once the store has it.
            assert eventually(lambda: (follower.drain(),
                                       follower.objects == by_key(r.store.state()))[1])

        check(a, b)
        r.add_namespace(c)
        r.store.wait_until_ready(timeout=DEADLINE)
        check(a, b, c)
        r.remove_namespace(a)
        change = follower.subscription.get(0)
        assert isinstance(change, Deleted) and (change.ref.namespace, change.ref.name) == (a, "one")
        follower.take(change)
        check(b, c)
        server.create(config_map("unseen", a, "1", OURS))
        written = server.create(config_map("two", c, "1", OURS))
        assert eventually(lambda: r.store.get("two", c) == written)
        change = subscription.get(DEADLINE)
        assert isinstance(change, Applied) and change.object == written
        assert r.store.get("unseen", a) is None
        r.add_namespace(a)
        r.store.wait_until_ready(timeout=DEADLINE)
        assert len(r.store) == 5 and r.status.relists == 0


def test_one_may_be_removed_while_a_subscriber_blocks(
    server: ContractServer, namespaces: list[str], v1: client.CoreV1Api
) -> None:
    a, b, _ = namespaces
    kept = server.create(config_map("one", a, "1", OURS))
    with reflecting(v1.list_namespaced_config_map, namespaces=[a, b], config=CONFIG, model=dict,
                    backoff=quick) as r, \
            r.subscribe(buffer_size=1, overflow="block") as slow:
        for number in range(10):
            server.create(config_map(f"c{number}", b, "1", OURS))
        assert eventually(lambda: len(r.store) > 2)
        # By the very thread that would have to take for the others to go on.
        r.remove_namespace(b)
        assert r.store.state() == [kept]
        follower = Follower(slow)
        follower.drain()
        assert follower.objects == by_key([kept]) == by_key(r.store.state())
        # It has the others wait again.
        for number in range(3):
            server.create(config_map(f"c{number}", a, "1", OURS))
        assert eventually(lambda: len(r.store) == 3)
        assert not r.store.get("c2", a)
        for _ in range(3):
            follower.take(slow.get(DEADLINE))
        assert len(follower.objects) == 4 == len(r.store)


def test_one_reads_ones_own_writes_where_others_are_quiet_or_removed(
    server: ContractServer, namespaces: list[str], v1: client.CoreV1Api
) -> None:
    a, b, _ = namespaces
    with reflecting(v1.list_namespaced_config_map, namespaces=[a, b], config=CONFIG, model=dict,
                    backoff=quick) as r:
        assert eventually(lambda: r.status.live)
        before = server.create(config_map("one", a, "1", OURS))
        assert eventually(lambda: r.store.get("one", a) == before)
        # Up to here only this namespace has been heard of; the other one holds the version back.
        r.remove_namespace(b)
        assert r.store.resource_version == before["metadata"]["resourceVersion"]
        r.store.wait_for_version(before["metadata"]["resourceVersion"], timeout=0)
        after = server.create(config_map("two", a, "1", OURS))
        r.store.wait_for_version(after["metadata"]["resourceVersion"], DEADLINE)
        assert r.store.get("two", a) == after


def test_a_churn_in_several_namespaces(
    server: ContractServer, namespaces: list[str], v1: client.CoreV1Api
) -> None:
    config = Config(label_selector=f"of={namespaces[0]}", page_size=3)
    with reflecting(v1.list_namespaced_config_map, namespaces=namespaces, config=config,
                    model=dict, backoff=quick) as r, r.subscribe() as subscription:
        follower, churn = Follower(subscription), Churn(server, namespaces, seed=3)
        for step in range(45):
            churn.step()
            if step == 15:
                r.remove_namespace(namespaces[1])
            elif step == 30:
                r.add_namespace(namespaces[1])
            follower.drain()
        expected = server.objects(CONFIG_MAPS, labelSelector=f"of={namespaces[0]}")
        assert expected and eventually(lambda: by_key(r.store.state()) == expected)
        for where in namespaces:
            assert by_key(r.store.state(namespace=where)) == {
                key: one for key, one in expected.items() if key[0] == where}
        r.close()
        follower.drain()
        assert follower.objects == expected
