"""The fake server answers as the recorded real ones did."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kube_reflect.object_ref import ApiResource
from kube_reflect.testing import FakeApiServer

from ._raw import Answer, Connection, ask

WIRE = Path(__file__).parent.parent / "data" / "wire"
VERSIONS = ("v1.20", "v1.36")
FOO = ApiResource("kube-reflect.dev", "v1", "Foo", "foos", True)
PODS = "/api/v1/namespaces/wire/pods"
Answers = dict[tuple[str, str], Answer]
Driver = Callable[[FakeApiServer, "Recording"], Answer]


class Recording:
    """One recorded exchange."""

    def __init__(self, version: str, name: str) -> None:
        self.version = version
        text = (WIRE / version / f"{name}.json").read_text(encoding="utf-8")
        recorded = json.loads(text)
        self.path: str = recorded["request"]["path"]
        self.accept: str = recorded["request"]["headers"]["Accept"]
        response = recorded["response"]
        self.answer = Answer(response["status"], response["reason"],
                             [(name, value) for name, value in response["headers"]],
                             [chunk.encode() for chunk in response["chunks"]],
                             response["end"] == "complete")

    def objects(self) -> list[dict[str, Any]]:
        """The objects of its watch events."""
        return [json.loads(chunk)["object"] for chunk in self.answer.chunks]


def replay(server: FakeApiServer, recording: Recording, **changed: str) -> Answer:
    """Ask what was asked then, with some parameters changed and short timeouts."""
    path = re.sub(r"timeoutSeconds=\d+", "timeoutSeconds=1", recording.path)
    for parameter, value in changed.items():
        path = re.sub(rf"(?<=[?&]){parameter}=[^&]*", f"{parameter}={value}", path)
    return ask(server.url, path, headers={"Accept": recording.accept})


def second_page(server: FakeApiServer, recording: Recording) -> Answer:
    first = ask(server.url, f"{PODS}?limit=3").json()
    return replay(server, recording, **{"continue": first["metadata"]["continue"]})


def third_page(server: FakeApiServer, recording: Recording) -> Answer:
    first = ask(server.url, f"{PODS}?limit=3").json()
    second = ask(server.url, f"{PODS}?limit=3&continue={first['metadata']['continue']}").json()
    return replay(server, recording, **{"continue": second["metadata"]["continue"]})


def expired_page(server: FakeApiServer, recording: Recording) -> Answer:
    token = ask(server.url, f"{PODS}?limit=3").json()["metadata"]["continue"]
    server.compact()
    return replay(server, recording, **{"continue": token})


def bad_token(server: FakeApiServer, recording: Recording) -> Answer:
    server.tokens = {"right": "admin"}
    return ask(server.url, recording.path, headers={"Authorization": "Bearer wrong"})


def anonymous(server: FakeApiServer, recording: Recording) -> Answer:
    server.tokens = {"right": "admin"}
    return ask(server.url, recording.path)


def changes(server: FakeApiServer, recording: Recording) -> Answer:
    version = server.resource_version
    added, started, labelled, *_ = recording.objects()
    for obj in (added, started, labelled):
        obj["metadata"].pop("resourceVersion")
        obj["metadata"].pop("uid")
    added["metadata"]["finalizers"] = ["test/held"]
    server.create(added)
    for obj in (started, labelled):
        obj["metadata"]["finalizers"] = ["test/held"]
        server.update(obj)
    server.delete(added)
    server.patch("pods", "live", {"metadata": {"finalizers": None}}, "wire")
    return replay(server, recording, resourceVersion=version)


def leave_and_enter(server: FakeApiServer, recording: Recording) -> Answer:
    version = server.resource_version
    server.patch("pods", "web-0", {"metadata": {"labels": {"app": "other"}}}, "wire")
    server.patch("pods", "web-0", {"metadata": {"labels": {"app": "web"}}}, "wire")
    return replay(server, recording, resourceVersion=version)


def foos(server: FakeApiServer, recording: Recording) -> None:
    server.register(FOO)
    for item in json.loads(Recording(recording.version, "custom-list").answer.body)["items"]:
        server.create(item)


def custom_list(server: FakeApiServer, recording: Recording) -> Answer:
    foos(server, recording)
    return replay(server, recording)


def custom_gone(server: FakeApiServer, recording: Recording) -> Answer:
    foos(server, recording)
    server.unregister(FOO)
    return replay(server, recording)


def crd_deleted(server: FakeApiServer, recording: Recording) -> Answer:
    foos(server, recording)
    with Connection(server.url) as connection:
        connection.send(recording.path.replace(
            "resourceVersion=", f"resourceVersion={server.resource_version}&was="))
        head = connection.head()
        server.unregister(FOO)
        return connection.rest(head)


def quiet(server: FakeApiServer, recording: Recording) -> Answer:
    return replay(server, recording, resourceVersion=server.resource_version)


DRIVERS: dict[str, Driver] = {
    "anonymous-forbidden": anonymous, "custom-gone-404": custom_gone, "custom-list": custom_list,
    "list-all": replay, "list-any": replay, "list-bad-continue": replay,
    "list-bad-field": replay, "list-bad-selector": replay, "list-continue-expired": expired_page,
    "list-empty": replay, "list-future-rv": replay, "list-labels": replay,
    "list-metadata-only": replay, "list-page-1": replay, "list-page-2": second_page,
    "list-page-3": third_page, "not-found": replay, "unauthorized": bad_token,
    "watch-bad-rv": replay, "watch-bookmark": quiet, "watch-changes": changes,
    "watch-crd-deleted": crd_deleted, "watch-expired": replay, "watch-expired-cluster": replay,
    "watch-future-rv": replay, "watch-metadata-only": replay, "watch-no-rv": replay,
    "watch-selector-leave-enter": leave_and_enter, "watch-streaming-list": replay,
    "watch-streaming-list-empty": replay, "watch-unauthorized": bad_token,
}


def answer_now(version: str, name: str) -> Answer:
    recording = Recording(version, name)
    with FakeApiServer(streaming_list=version != "v1.20", bookmark_interval=0.4) as server:
        for item in json.loads(Recording(version, "list-all").answer.body)["items"]:
            server.create({"apiVersion": "v1", "kind": "Pod", **item})
        return DRIVERS[name](server, recording)


@pytest.fixture(scope="module")
def answers() -> Answers:
    """All answers of the fake server; at once, since most watches wait for their timeout."""
    asked = [(version, name) for version in VERSIONS for name in DRIVERS]
    with ThreadPoolExecutor(8) as pool:
        return dict(zip(asked, pool.map(lambda one: answer_now(*one), asked)))


def normal(value: Any, key: str = "") -> Any:
    """A body without what differs from run to run, or between the two versions."""
    if isinstance(value, dict):
        left_out = {"managedFields", "finalizers", "generation"}
        if "PartialObjectMetadataList" == value.get("kind"):
            value["metadata"].pop("remainingItemCount", None)
        return {name: normal(one, name) for name, one in value.items()
                if name not in left_out and not (name == "creationTimestamp" and one is None)}
    if isinstance(value, list):
        return [normal(one) for one in value]
    if key in ("uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "continue"):
        return f"{type(value).__name__} {bool(value)}"
    if key == "message":
        if value.startswith("unable to parse requirement: "):
            return "unable to parse requirement"
        return re.sub(r"(current: |too old resource version: 2 \()\d+", r"\1N", value)
    return value


def in_order(bodies: list[Any], unordered: bool) -> list[str]:
    """Bodies as text, in which the order of keys shows; sorted where a version has no order."""
    texts: list[str] = []
    for body in bodies:
        if unordered and isinstance(body, dict) and "items" in body:
            body["items"].sort(key=lambda item: item["metadata"]["name"])
        text = json.dumps(normal(body))
        if "BOOKMARK" not in text or text not in texts[-1:]:
            texts.append(text)
    return sorted(texts) if unordered else texts


def bodies(answer: Answer, name: str) -> list[Any]:
    if answer.header("Content-Type") != "application/json":
        return [answer.body.decode()]
    if name.startswith("watch") and answer.header("Transfer-Encoding"):
        return [json.loads(chunk) for chunk in answer.chunks]
    return [answer.json()]


def headers(answer: Answer) -> list[tuple[str, str]]:
    """The headers in order, with the values of those whose values matter.

    v1.20 had no Audit-Id, and no flow control of watches.
    """
    telling = {"Cache-Control", "Content-Type", "Retry-After", "X-Content-Type-Options"}
    return [(name, value if name in telling else "") for name, value in answer.headers
            if name != "Audit-Id" and not name.startswith("X-Kubernetes-Pf-")]


@pytest.mark.parametrize("name", sorted(DRIVERS))
@pytest.mark.parametrize("version", VERSIONS)
def test_answers_like_the_recording(version: str, name: str, answers: Answers) -> None:
    if (version, name) == ("v1.20", "watch-bookmark"):
        pytest.skip("that server sent no bookmark in its 70 seconds")
    recorded, answer = Recording(version, name).answer, answers[version, name]
    if name.startswith("watch-streaming-list") and version == "v1.36":
        # The real server leaves the bookmarks before a timeout this short out.
        while b"initial-events-end" not in answer.chunks[-1]:
            assert b'"BOOKMARK"' in answer.chunks.pop()
    unordered = version == "v1.20" and name in ("list-any", "watch-no-rv", "watch-metadata-only")
    assert (answer.status, answer.reason) == (recorded.status, recorded.reason)
    assert headers(answer) == headers(recorded)
    assert in_order(bodies(answer, name), unordered) == in_order(bodies(recorded, name), unordered)
    assert answer.complete == recorded.complete


def test_every_recording_is_compared() -> None:
    for version in VERSIONS:
        recorded = {path.stem for path in (WIRE / version).glob("*.json")}
        assert recorded == set(DRIVERS)


def test_each_watch_event_is_a_chunk_and_a_line(answers: Answers) -> None:
    chunks = answers["v1.36", "watch-changes"].chunks
    assert len(chunks) > 5
    assert all(chunk.count(b"\n") == 1 and chunk.endswith(b"\n") for chunk in chunks)
