"""kube_reflect.reflector: with each parser, the same of the same server."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from kube_reflect.testing import FakeApiServer

from tests.support.objects import new_pod as pod

ROOT = Path(__file__).resolve().parents[2]
#: Says what it sees: at first, and at each version that it is told.
PROGRAM = """
import json, sys
from kubernetes import client
from kube_reflect import Config, InitialListStrategy, Reflector
from kube_reflect.indexers import by_label
configuration = client.Configuration()
configuration.host, configuration.proxy = sys.argv[1], None
v1 = client.CoreV1Api(client.ApiClient(configuration))
config = Config(initial_list_strategy=InitialListStrategy[sys.argv[2]], page_size=4)
with Reflector(v1.list_pod_for_all_namespaces, config=config, model=dict,
               indexers={"app": by_label("app")}) as reflector:
    store = reflector.store
    store.wait_until_ready(20)
    for version in sys.stdin:
        store.wait_for_version(version.strip(), 20)
        heads = {str(ref): [ref.uid, ref.resource_version] for ref in store.snapshot().keys()}
        seen = {"objects": {str(ref): store.get(ref) for ref in store.keys()},
                "state": len(store.state()), "web": len(store.state(labels="app=web")),
                "index": sorted(one["metadata"]["name"] for one in store.by_index("app", "web")),
                "refs": sorted(map(repr, store.keys())), "heads": heads}
        print(json.dumps(seen, sort_keys=True), flush=True)
"""


def odd_pods() -> Iterator[dict[str, Any]]:
    texts = ["plain", "\N{SNOWMAN} \N{PILE OF POO}", '}},{"metadata":{"name":"', "\\\"\\\\\x00\x7f"]
    for number, text in enumerate(texts * 2):
        made = pod(f"p{number}", f"ns{number % 2}", **({"app": "web"} if number % 3 else {}))
        made["metadata"]["annotations"] = {"text": text, text: ""}
        made["spec"]["list"] = [{"metadata": {"name": text}}, {"metadata": {}}, {}, None, -1e-9,
                                2 ** 63 - 1, True]
        yield made


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    with FakeApiServer() as running:
        for made in odd_pods():
            running.create(made)
        yield running


def told(processes: list[subprocess.Popen[str]], server: FakeApiServer) -> Any:
    """What all say of the present version, which must be the same."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(server.resource_version + "\n")
        process.stdin.flush()
    said = [process.stdout.readline() for process in processes if process.stdout is not None]
    assert said[0] and len(set(said)) == 1
    return json.loads(said[0])


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["LIST_WATCH", "STREAMING_LIST"])
def test_both_parsers_give_the_same_of_the_same_server(
        server: FakeApiServer, strategy: str) -> None:
    if importlib.util.find_spec("msgspec") is None:
        pytest.skip("the fast parser, of the extra [fast], is not installed")
    with ExitStack() as stack:
        processes = [stack.enter_context(subprocess.Popen(
            [sys.executable, "-c", PROGRAM, server.url, strategy], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), "KUBE_REFLECT_JSON": parser},
        )) for parser in ("msgspec", "stdlib")]
        for process in processes:
            stack.callback(process.kill)
        check_same(told(processes, server), server)
        # A burst, and then single ones.
        for made in list(odd_pods())[1:6]:
            server.update({**made, "changed": made["spec"]["list"]})
        check_same(told(processes, server), server)
        for name, namespace in (("p1", "ns1"), ("p2", "ns0")):
            server.delete("pods", name, namespace)
            check_same(told(processes, server), server)


def check_same(seen: Any, server: FakeApiServer) -> None:
    expected = {(one["metadata"]["namespace"], one["metadata"]["name"]): one
                for one in server.objects("pods")}
    assert {(one["metadata"]["namespace"], one["metadata"]["name"]): one
            for one in seen["objects"].values()} == expected
    web = sorted(name for (_, name), one in expected.items()
                 if one["metadata"].get("labels", {}).get("app") == "web")
    assert seen["index"] == web and seen["web"] == len(web) and seen["state"] == len(expected)
