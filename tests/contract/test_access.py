"""Who may not read is told so, with the server's own code, and tried again for ever."""

from __future__ import annotations

import pytest
from kubernetes import client

from kube_reflect import (
    Config, InitialListFailed, InitialListStrategy, NotReady, Phase, WatchStartFailed,
)

from ..e2e._apiserver import READER
from ._objects import config_map
from ._servers import ContractServer
from ._waiting import Requests, eventually, names, reflecting

IN_PAGES = InitialListStrategy.LIST_WATCH
STRATEGIES = [InitialListStrategy.AUTO, IN_PAGES]


@pytest.fixture
def reader(server: ContractServer) -> client.CoreV1Api:
    """The API for somebody who may do nothing yet."""
    return client.CoreV1Api(server.client_for(READER))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_who_may_not_list_is_told_403_and_begins_once_allowed(
    server: ContractServer, namespace: str, reader: client.CoreV1Api,
    strategy: InitialListStrategy,
) -> None:
    server.create(config_map("a", namespace, "", {"ours": ""}))
    config = Config(label_selector="ours", initial_list_strategy=strategy)
    with reflecting(reader.list_namespaced_config_map, namespace, config=config, ready=False) as r:
        assert eventually(lambda: r.status.code == 403)
        with pytest.raises(NotReady) as caught:
            r.store.wait_until_ready(timeout=0.05)
        cause = caught.value.__cause__
        assert isinstance(cause, InitialListFailed)
        assert cause.code == 403 and cause.status and cause.status["reason"] == "Forbidden"
        assert "403" in str(caught.value) and "configmaps" in str(caught.value)
        assert not r.store.ready
        assert r.status.code == 403 and not r.status.live and r.status.thread_alive
        assert eventually(lambda: r.status.phase is Phase.BACKING_OFF)
        server.grant(namespace, "list", "watch")
        r.store.wait_until_ready(timeout=30)
        assert names(r.store) == {"a"}
        assert eventually(lambda: r.status.live)


def test_who_may_list_but_not_watch_is_told_403_and_keeps_the_list(
    server: ContractServer, namespace: str, reader: client.CoreV1Api, asked: Requests
) -> None:
    server.create(config_map("a", namespace, "", {"ours": ""}))
    server.grant(namespace, "list")
    config = Config(label_selector="ours", initial_list_strategy=IN_PAGES)
    with reflecting(reader.list_namespaced_config_map, namespace, config=config,
                    live=False) as r:
        assert names(r.store) == {"a"}
        assert eventually(lambda: isinstance(r.status.last_error, WatchStartFailed))
        assert r.status.code == 403
        assert r.store.ready and not r.status.live
        # The rights may take a moment to be known: then the first list was refused too.
        listed = len(asked.lists())
        assert eventually(lambda: len(asked.watches()) >= 2)
        assert len(asked.lists()) == listed
        server.grant(namespace, "watch")
        assert eventually(lambda: r.status.live)
        server.create(config_map("b", namespace, "", {"ours": ""}))
        assert eventually(lambda: names(r.store) == {"a", "b"})
        assert r.status.relists == 0


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_wrong_token_is_told_401(
    server: ContractServer, namespace: str, strategy: InitialListStrategy
) -> None:
    stranger = client.CoreV1Api(server.client_with("wrong"))
    config = Config(initial_list_strategy=strategy)
    with reflecting(stranger.list_namespaced_config_map, namespace, config=config,
                    ready=False) as r:
        assert eventually(lambda: r.status.code == 401)
        with pytest.raises(NotReady) as caught:
            r.store.wait_until_ready(timeout=0.05)
        assert getattr(caught.value.__cause__, "code", None) == r.status.code == 401
        assert "401" in str(caught.value) and r.status.thread_alive


def test_fresh_credentials_are_asked_for_after_401(
    server: ContractServer, namespace: str
) -> None:
    right = server.api_client().configuration
    if not right.api_key:
        pytest.skip("the kubeconfig has no bearer token to hide for a while")
    server.create(config_map("a", namespace, "", {"ours": ""}))
    stranger = server.client_with("wrong")
    with reflecting(client.CoreV1Api(stranger).list_namespaced_config_map, namespace, ready=False,
                    config=Config(label_selector="ours")) as r:
        assert eventually(lambda: r.status.code == 401)

        def renew(configuration: client.Configuration) -> None:
            # Where the token stands depends on how the client was configured.
            configuration.api_key = dict(right.api_key)
            configuration.api_key_prefix = dict(right.api_key_prefix)

        stranger.configuration.refresh_api_key_hook = renew
        r.store.wait_until_ready(timeout=30)
        assert names(r.store) == {"a"}
