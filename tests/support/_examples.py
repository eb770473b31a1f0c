"""What each example is put through, on the fake server and on a real one alike."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import secrets
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from kube_reflect.signals import Stop

from tests.support.waiting import DEADLINE, eventually

ROOT = Path(__file__).resolve().parents[2]


class Lines:
    """What an example shows."""

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.put = self._lines.put

    def expect(self, matches: Callable[[str], bool]) -> str:
        """Return the first line from here on that matches; fail when none comes."""
        passed = []
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"never shown; instead: {passed}") from None
            if matches(line):
                return line
            passed.append(line)


@contextlib.contextmanager
def running(end: Callable[[], object], main: Callable[..., None], *args: Any, **kwargs: Any
            ) -> Iterator[None]:
    """Run an example's main on a thread; what it raises, the test raises."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            main(*args, **kwargs)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        end()
        thread.join(DEADLINE)
    assert not thread.is_alive()
    if raised:
        raise raised[0]


def load(name: str) -> Any:
    return importlib.import_module(f"examples.{name}")


def metadata(name: str, **labels: str) -> dict[str, Any]:
    return {"name": name, "labels": {key.replace("__", "/"): labels[key] for key in labels}}


def fetch(url: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(url, timeout=DEADLINE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def exercise_nodes_by_architecture(api_client: client.ApiClient) -> None:
    v1 = client.CoreV1Api(api_client)
    architecture = f"arch-{secrets.token_hex(4)}"
    ours, other = f"ours-{architecture}", f"other-{architecture}"
    for name, value in ((ours, architecture), (other, "vax")):
        labels = {"kubernetes.io/arch": value}
        v1.create_node({"metadata": {"name": name, "labels": labels}})
    started: queue.SimpleQueue[Any] = queue.SimpleQueue()
    servers: list[Any] = []
    try:
        with running(
            lambda: [server.shutdown() for server in servers],
            load("nodes_by_architecture").main, v1, architecture, 0, started.put,
        ):
            servers.append(started.get(timeout=DEADLINE))
            url = servers[0].url
            assert fetch(url) == (200, [ours])
            assert fetch(f"{url}/{ours}") == (200, {"kubernetes.io/arch": architecture})
            assert fetch(f"{url}/{other}")[0] == 404
            assert fetch(url.replace("/nodes", "/healthz")) == (200, {"live": True})
            v1.delete_node(ours)
            assert eventually(lambda: fetch(url) == (200, []))
    finally:
        with contextlib.suppress(ApiException):
            v1.delete_node(ours)
        v1.delete_node(other)


def exercise_pods(api_client: client.ApiClient, namespace: str) -> None:
    v1 = client.CoreV1Api(api_client)
    spec = {"containers": [{"name": "main", "image": "busybox"}]}
    for name in ("a", "b"):
        pod = {"metadata": {"name": name}, "spec": spec, "status": {"phase": "Pending"}}
        v1.create_namespaced_pod(namespace, pod)
    lines, stop = Lines(), Stop()
    empty = f"{namespace}-empty"
    with running(
        stop.set, load("pods").main, v1, [namespace, empty], 0.05, stop, lines.put
    ):
        # Two threads show them, in whatever order.
        seen = {lines.expect(lambda line: line.startswith(namespace)) for _ in range(2)}
        assert seen == {f"{namespace}: 2 Pending", f"{empty}: no pods"}
        v1.delete_namespaced_pod("a", namespace, grace_period_seconds=0)
        assert lines.expect(lambda line: line == f"{namespace}: 1 Pending")


def exercise_custom_resources(
    api_client: client.ApiClient, namespace: str, group: str, version: str, plural: str, kind: str
) -> None:
    custom = client.CustomObjectsApi(api_client)
    where = (group, version, namespace, plural)

    def create(name: str) -> None:
        body = {"apiVersion": f"{group}/{version}", "kind": kind, "metadata": {"name": name}}
        custom.create_namespaced_custom_object(*where, body)

    create("one")
    lines, stop = Lines(), Stop()
    with running(
        stop.set, load("custom_resources").main,
        custom, group, version, plural, every=0.05, stop=stop, show=lines.put,
    ):
        assert lines.expect(lambda line: line.endswith(": one")).startswith("1 at version ")
        create("two")
        assert lines.expect(lambda line: line.endswith(": one, two")).startswith("2 at version ")
        custom.delete_namespaced_custom_object(*where, "one")
        assert lines.expect(lambda line: line.endswith(": two"))


def exercise_operator_loop(api_client: client.ApiClient, source: str, target: str) -> None:
    v1 = client.CoreV1Api(api_client)
    operator_loop = load("operator_loop")
    name = f"settings-{secrets.token_hex(4)}"

    def body(color: str) -> dict[str, Any]:
        labels = {operator_loop.MIRROR_TO: target}
        return {"metadata": {"name": name, "labels": labels}, "data": {"color": color}}

    def copy() -> dict[str, str] | None:
        try:
            return v1.read_namespaced_config_map(name, target).data
        except ApiException as error:
            assert error.status == 404
            return None

    v1.create_namespaced_config_map(source, body("red"))
    stop = Stop()
    with running(stop.set, operator_loop.main, v1, 0.05, stop):
        assert eventually(lambda: copy() == {"color": "red"})
        v1.replace_namespaced_config_map(name, source, body("blue"))
        assert eventually(lambda: copy() == {"color": "blue"})
        v1.delete_namespaced_config_map(name, target)
        assert eventually(lambda: copy() == {"color": "blue"})
        v1.delete_namespaced_config_map(name, source)
        assert eventually(lambda: copy() is None)


def exercise_event_stream(api_client: client.ApiClient, namespace: str) -> None:
    v1 = client.CoreV1Api(api_client)
    watchers: list[Any] = []
    lines = Lines()
    with running(
        lambda: [watcher.close() for watcher in watchers],
        load("event_stream").main, v1, namespace, watchers.append, lines.put,
    ):
        there = int(lines.expect(lambda line: line.startswith("listed: ")).split()[1])
        for data in ({"color": "red"}, {"color": "blue"}):
            v1.create_namespaced_config_map(namespace, {"metadata": {"name": "x"}, "data": data})
            assert lines.expect(lambda line: line.startswith("applied: ")) == (
                f"applied: ConfigMap.v1./x.{namespace}; now {there + 1}")
            v1.delete_namespaced_config_map("x", namespace)
            assert lines.expect(lambda line: line.startswith("deleted: ")) == (
                f"deleted: ConfigMap.v1./x.{namespace}; now {there}")


def exercise_work_queue(api_client: client.ApiClient, namespace: str) -> None:
    v1 = client.CoreV1Api(api_client)
    lines, stop = Lines(), Stop()
    with running(stop.set, load("work_queue").main, v1, namespace, 3, stop, lines.put):
        for number in range(10):
            body = {"metadata": {"name": f"x-{number}"}, "data": {"color": "red"}}
            v1.create_namespaced_config_map(namespace, body)
        expected = {f"x-{number}: 1 entries" for number in range(10)}
        while expected:
            expected.discard(lines.expect(lambda line: line in expected))
        for number in range(10):
            v1.delete_namespaced_config_map(f"x-{number}", namespace)
        expected = {f"x-{number}: gone" for number in range(10)}
        while expected:
            expected.discard(lines.expect(lambda line: line in expected))


def exercise_handlers(api_client: client.ApiClient, namespace: str) -> None:
    v1 = client.CoreV1Api(api_client)
    lines, stop = Lines(), Stop()
    with running(stop.set, load("handlers").main, v1, namespace, stop, lines.put):
        body = {"metadata": {"name": "x"}, "data": {"color": "red", "size": "1"}}
        v1.create_namespaced_config_map(namespace, body)
        assert lines.expect(lambda line: line == "added: x")
        v1.patch_namespaced_config_map("x", namespace, {"data": {"color": "blue"}})
        assert lines.expect(lambda line: line == "changed: x: color")
        v1.delete_namespaced_config_map("x", namespace)
        assert lines.expect(lambda line: line == "deleted: x")


def exercise_wait_for(api_client: client.ApiClient, namespace: str) -> None:
    v1 = client.CoreV1Api(api_client)
    lines = Lines()
    with running(lambda: None, load("wait_for").main, v1, namespace, DEADLINE, lines.put):
        name = lines.expect(lambda line: line.startswith("created: ")).partition(": ")[2]
        v1.patch_namespaced_pod_status(name, namespace, {"status": {"phase": "Running"}})
        assert lines.expect(lambda line: line == f"Running: {name}")
        assert lines.expect(lambda line: line == f"deleted: {name}")


def exercise_metadata_only(api_client: client.ApiClient, namespace: str) -> None:
    v1 = client.CoreV1Api(api_client)
    lines, stop = Lines(), Stop()
    with running(stop.set, load("metadata_only").main, v1, namespace, "team", stop,
                 lines.put):
        v1.create_namespaced_config_map(
            namespace, {"metadata": {"name": "x"}, "data": {"large": "x" * 100_000}})
        assert lines.expect(lambda line: line == "x lacks team")
        v1.patch_namespaced_config_map("x", namespace, {"data": {"color": "red"}})
        v1.patch_namespaced_config_map(
            "x", namespace, {"metadata": {"labels": {"team": "shop"}}})
        assert lines.expect(lambda line: line.startswith("x ")) == "x has team: shop"
        stop.set()
        held = lines.expect(lambda line: " held in " in line)
        assert int(held.split()[-2]) < 50_000
    v1.delete_namespaced_config_map("x", namespace)


def exercise_namespaces(api_client: client.ApiClient, namespaces: list[str],
                        refused: str | None = None) -> None:
    v1 = client.CoreV1Api(api_client)
    lines, stop = Lines(), Stop()
    asked = [*namespaces, *([refused] if refused else [])]
    with running(stop.set, load("namespaces").main, v1, asked, 0.05, stop, lines.put):
        if refused:
            assert lines.expect(lambda line: line == f"{refused}: refused with 403")
        for namespace in namespaces:
            v1.create_namespaced_config_map(namespace, {"metadata": {"name": "x"}})
            there = len(v1.list_namespaced_config_map(namespace).items)
            assert lines.expect(lambda line: line == f"{namespace}: {there} ConfigMaps")
            v1.delete_namespaced_config_map("x", namespace)
            assert lines.expect(lambda line: line == f"{namespace}: {there - 1} ConfigMaps")


def exercise_shared(api_client: client.ApiClient, namespace: str) -> None:
    v1 = client.CoreV1Api(api_client)
    lines, stop = Lines(), Stop()
    with running(stop.set, load("shared").main, v1, namespace, 0.05, stop, lines.put):
        before = int(lines.expect(lambda line: line.startswith("entries: ")).split()[1])
        watches = [thread.name for thread in threading.enumerate()
                   if thread.name.startswith("kube-reflect:") and ":handler-" not in thread.name]
        assert len(watches) == 1
        body = {"metadata": {"name": "x"}, "data": {"color": "red", "size": "1"}}
        v1.create_namespaced_config_map(namespace, body)
        shown = {lines.expect(lambda line: line in ("there: x", f"entries: {before + 2}"))
                 for _ in range(2)}
        assert len(shown) == 2
        v1.delete_namespaced_config_map("x", namespace)
        assert lines.expect(lambda line: line == f"entries: {before}")


def write_kubeconfig(api_client: client.ApiClient, path: Path) -> None:
    """Write a kubeconfig that leads where the client does."""
    used = api_client.configuration
    cluster = {"server": used.host, "certificate-authority": used.ssl_ca_cert}
    user = {
        "token": (used.api_key.get("authorization") or "").removeprefix("Bearer "),
        "client-certificate": used.cert_file,
        "client-key": used.key_file,
    }
    named = {"name": "it"}
    path.write_text(yaml.safe_dump({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [named | {"context": {"cluster": "it", "user": "it"}}],
        "clusters": [named | {"cluster": {key: cluster[key] for key in cluster if cluster[key]}}],
        "users": [named | {"user": {key: user[key] for key in user if user[key]}}],
    }))


@contextlib.contextmanager
def script(name: str, *args: str, kubeconfig: Path) -> Iterator[Lines]:
    """Run an example as a user does, interrupt it in the end, and expect it to end well."""
    environment = os.environ | {"KUBECONFIG": str(kubeconfig), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "examples" / f"{name}.py"), *args]
    lines = Lines()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        stdout = process.stdout
        reader = threading.Thread(target=lambda: [lines.put(line.rstrip()) for line in stdout])
        reader.start()
        try:
            yield lines
            process.send_signal(signal.SIGINT)
            assert process.wait(DEADLINE) == 0
        finally:
            process.kill()
            reader.join(DEADLINE)
