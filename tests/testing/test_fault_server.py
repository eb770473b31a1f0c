"""Which request gets which fault, freezing, healing, going back, and TLS."""

from __future__ import annotations

import ssl
import threading
import urllib.request
from collections.abc import Iterator

import pytest
from kubernetes import client

from kube_reflect.testing import FaultServer, faults

from ._raw import Connection, ask, names, pod

PODS = "/api/v1/namespaces/default/pods"
WATCH = f"{PODS}?watch=1"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def codes(server: FaultServer, count: int, path: str = PODS) -> list[int]:
    return [ask(server.url, path).status for _ in range(count)]


def test_a_fault_is_played_so_often(server: FaultServer) -> None:
    injection = server.fault(faults.Status(503), times=2)
    server.fault(faults.Status(500), times=1)
    assert codes(server, 4) == [503, 503, 500, 200]
    assert len(injection.requests) == 2 and injection.over
    assert len(server.requests) == 4
    with pytest.raises(ValueError, match="times"):
        server.fault(faults.Silent(), times=0)


def test_a_fault_is_played_until_it_is_removed(server: FaultServer) -> None:
    with server.fault(faults.Status(403)) as injection:
        assert codes(server, 3) == [403] * 3
        assert not injection.over
    assert codes(server, 1) == [200] and injection.over
    injection.remove()


def test_when(server: FaultServer) -> None:
    server.fault(faults.Status(503), when="watch")
    server.fault(faults.Status(500), when=lambda request: request.resource == "nodes")
    server.fault(faults.Status(410), when=faults.next_page)
    assert codes(server, 1) == [200]
    assert codes(server, 1, WATCH) == [503]
    assert codes(server, 1, "/api/v1/nodes") == [500]
    assert codes(server, 1, f"{PODS}?continue=abc") == [410]


def test_a_script(server: FaultServer) -> None:
    script = server.script([faults.Status(503), None, faults.Status(500)], when="list")
    assert codes(server, 4) == [503, 200, 500, 200]
    assert script.over and len(script.requests) == 3


def test_waiting_for_a_fault(server: FaultServer) -> None:
    injection = server.fault(faults.Status(503))
    with pytest.raises(TimeoutError, match="0 of 1"):
        injection.wait(timeout=0.01)
    asking = threading.Thread(target=codes, args=(server, 2))
    asking.start()
    injection.wait(count=2)
    asking.join(5)
    assert len(injection.requests) == 2


def test_freezing_an_open_watch(server: FaultServer) -> None:
    server.create(pod("a"))
    with Connection(server.url) as frozen, Connection(server.url) as fresh:
        frozen.send(WATCH)
        frozen.head()
        assert frozen.event()["type"] == "ADDED"
        assert server.freeze("watch") == 1 and server.freeze("list") == 0
        server.create(pod("b"))
        fresh.send(WATCH)
        fresh.head()
        assert [fresh.event()["object"]["metadata"]["name"] for _ in "ab"] == ["a", "b"]
        frozen.sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            frozen.sock.recv(1)
        server.heal()
        assert frozen.sock.recv(1) == b""
        server.create(pod("c"))
        assert fresh.event()["object"]["metadata"]["name"] == "c"


def test_freezing_in_the_middle_of_a_line(server: FaultServer) -> None:
    with Connection(server.url) as frozen:
        frozen.send(WATCH)
        frozen.head()
        assert server.freeze(half_line=True) == 1
        server.create(pod("b"))
        half = frozen.sock.recv(65536)
        assert b'{"type":"ADDED"' in half and not half.endswith(b"\n")


def test_healing_ends_what_faults_keep(server: FaultServer) -> None:
    injection = server.fault(faults.Silent())
    with Connection(server.url) as connection:
        connection.send(PODS)
        injection.wait()
        server.heal()
        assert connection.at_end()
    assert codes(server, 1) == [200]


def test_a_server_restored_from_a_backup(server: FaultServer) -> None:
    kept = server.create(pod("kept"))
    server.create(pod("lost-delete"))
    backup = server.resource_version
    server.update({**kept, "spec": {"containers": []}})
    server.delete("Pod", "lost-delete", "default")
    server.create(pod("new"))
    port = server.url
    server.restore(backup)
    assert server.resource_version == backup and server.url == port
    assert names(server.objects("Pod")) == ["kept", "lost-delete"]
    assert server.get("Pod", "kept") == kept
    again = server.create(pod("other"))
    assert int(again["metadata"]["resourceVersion"]) == int(backup) + 1
    with Connection(server.url) as connection:
        connection.send(f"{WATCH}&resourceVersion={backup}")
        connection.head()
        assert connection.event()["object"]["metadata"]["name"] == "other"
    with pytest.raises(ValueError, match="history"):
        server.restore(str(int(server.resource_version) + 1))
    server.compact()
    with pytest.raises(ValueError, match="history"):
        server.restore(backup)
    assert codes(server, 1) == [200]


def test_tls() -> None:
    with FaultServer(tls=True) as server:
        server.create(pod("a"))
        server.fault(faults.Status(503), times=1, when="list")
        assert server.url.startswith("https://") and server.ca_cert is not None
        v1 = client.CoreV1Api(server.api_client())
        with pytest.raises(client.ApiException, match="503"):
            v1.list_namespaced_pod("default")
        assert v1.list_namespaced_pod("default").items[0].metadata.name == "a"
        context = ssl.create_default_context(cafile=server.ca_cert)
        url = server.url.replace("127.0.0.1", "localhost") + "/version"
        with urllib.request.urlopen(url, context=context, timeout=5) as answer:
            assert answer.status == 200


def test_without_openssl_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match="openssl"):
        FaultServer(tls=True)


def test_close_ends_every_fault(server: FaultServer) -> None:
    held = [faults.Silent(), faults.HeadersOnly(), faults.HalfLine(), faults.Stop(),
            faults.Delay(3600), faults.CutAfter(3600), faults.Stop(half=True),
            faults.CutAfter(0.01, then="silence")]
    script = server.script(held)
    connections = [Connection(server.url) for _ in held]
    for connection in connections:
        connection.send(WATCH)
    script.wait(count=len(held))
    server.close()
    for connection in connections:
        connection._stream.read()
        assert connection.at_end()
        connection.__exit__(None, None, None)
