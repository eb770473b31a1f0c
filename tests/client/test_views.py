"""Views: what is decoded when, who shares it, and what differs from an eager model."""

from __future__ import annotations

import copy
import gc
import json
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes import client

from kube_reflect.client.views import documents, view_maker
from kube_reflect.ground import json_parser

from ._views import PYDANTIC, Source, eager, pods, view

make_pod = view_maker(client.V1Pod)


@pytest.fixture(autouse=True)
def nothing_opened() -> Iterator[None]:
    documents._recent.clear()
    yield
    documents._recent.clear()


@pytest.fixture(params=["raw", "parsed", "scanned"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way to take JSON apart; what cannot be cut in one is in the next."""
    ways = {"raw": documents._RAW, "parsed": documents._PARSED, "scanned": documents._SCANNED}
    chosen = ways[request.param]
    if chosen is None:
        pytest.skip("msgspec is not installed")
    monkeypatch.setattr(documents, "_WAYS", (chosen,))
    return str(request.param)


def stored(found: Any) -> set[str]:
    """What a view holds already: beside the property that would fill it."""
    owner = next(base for base in type(found).__mro__[1:] if "__dict__" in vars(base))
    return {name.lstrip("_") for name in vars(owner)["__dict__"].__get__(found)}


def test_nothing_is_opened_before_an_attribute_is_read() -> None:
    source = Source(pods()[0])
    pod = make_pod(source)
    assert isinstance(pod, client.V1Pod) and type(pod).__name__ == "V1Pod"
    assert source.opened == 0 and stored(pod) == set()


def test_a_level_is_decoded_when_it_is_read_and_nothing_else_is() -> None:
    pod = make_pod(Source(pods()[0]))
    assert pod.metadata.name == json.loads(pods()[0])["metadata"]["name"]
    assert stored(pod) == {"metadata"} and stored(pod.metadata) == {"name"}
    assert isinstance(pod.spec.containers[0], client.V1Container)
    assert stored(pod.spec.containers[0]) == set()


def test_fields_of_one_object_are_cut_from_one_document() -> None:
    source = Source(pods()[0])
    pod = make_pod(source)
    assert pod.metadata.name and pod.status.phase and pod.spec.node_name
    assert source.opened == 1


def test_what_was_read_is_the_same_object_ever_after() -> None:
    pod = make_pod(Source(pods()[0]))
    metadata, containers, labels = pod.metadata, pod.spec.containers, pod.metadata.labels
    pod.to_dict()
    assert pod.metadata is metadata and pod.spec.containers is containers
    assert pod.metadata.labels is labels


def test_documents_that_were_opened_lately_are_few() -> None:
    sources = [Source(line) for line in pods()[:100]]
    kept = [make_pod(source).metadata.name for source in sources]
    assert len(kept) == 100 and len(documents._recent) <= documents.DOCUMENTS
    large = [Source({"metadata": {"name": "x" * 600_000}}) for _ in range(3)]
    for source in large:
        assert make_pod(source).metadata.name
    assert sum(each.size for each in documents._recent.values()) <= documents.BYTES


def test_three_fields_of_a_pod_keep_little() -> None:
    sources = [Source(line) for line in pods()[:300]]
    kept = [make_pod(sources[0])]
    assert kept[0].metadata.name and kept[0].status.phase and kept[0].spec.node_name
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for source in sources:
            pod = make_pod(source)
            assert pod.metadata.name and pod.status.phase and pod.spec.node_name
            kept.append(pod)
        documents._recent.clear()
        each = (tracemalloc.get_traced_memory()[0] - before) / len(sources)
    finally:
        tracemalloc.stop()
    assert each < 3_000


@pytest.mark.parametrize("line", pods()[:3])
def test_every_way_to_take_json_apart_gives_the_same(way: str, line: bytes) -> None:
    expected = eager(client.V1Pod, line)
    pod = make_pod(Source(line))
    assert [one.name for one in pod.spec.containers] == [
        one.name for one in expected.spec.containers]
    assert pod.metadata.labels == expected.metadata.labels
    assert pod.metadata.creation_timestamp == expected.metadata.creation_timestamp
    assert pod == expected and make_pod(Source(line)) == expected


def test_spaces_and_odd_characters_do_no_harm(way: str) -> None:
    data = {"metadata": {"name": 'a"]},{[\\ \u2028 ü', "labels": {"a,b": "{", "\\": "}"}},
            "spec": {"containers": [], "nodeName": None}, "status": {}}
    pod = make_pod(Source(json.dumps(data, indent=3).encode()))
    assert pod.metadata.name == data["metadata"]["name"]
    assert pod.metadata.labels == data["metadata"]["labels"]
    assert pod.spec.containers == [] and pod.spec.node_name is None
    assert pod.status.phase is None


@pytest.mark.parametrize("name", [b"\xff\xfe", b"\\ud800", b"NaN"])
def test_what_only_the_standard_library_reads_is_read(name: bytes) -> None:
    text = b'{"metadata": {"name": "%s", "uid": "u"}, "status": {"phase": "x"}}' % name
    if name == b"NaN":
        text = b'{"metadata": {"uid": "u"}, "notKnown": NaN, "status": {"phase": "x"}}'
    pod = make_pod(Source(text))
    assert pod.status.phase == "x" and pod.metadata.uid == "u"
    assert pod.metadata.name == json_parser.loads(text)["metadata"].get("name")


def test_who_changes_what_he_read_changes_nobody_elses(way: str) -> None:
    source = Source(pods()[0])
    one, other = make_pod(source), make_pod(source)
    one.metadata.labels["mine"] = "1"
    one.spec.containers[0].args = ["mine"]
    one.spec.containers.pop()
    assert "mine" not in other.metadata.labels
    assert other == eager(client.V1Pod, source.data) and one != other


@pytest.mark.parametrize("change", [
    lambda pod: setattr(pod.metadata, "name", "changed"),
    lambda pod: setattr(pod, "status", None),
    lambda pod: setattr(pod.spec, "node_name", "changed"),
    lambda pod: setattr(pod, "metadata", client.V1ObjectMeta(name="changed")),
    lambda pod: setattr(pod, "spec", view(client.V1Pod, pods()[1]).spec),
    lambda pod: pod.metadata.labels.update(changed="1"),
    lambda pod: pod.spec.containers.append(view(client.V1Container, {"name": "more"})),
    lambda pod: setattr(pod.spec.containers[0], "image", "changed"),
])
@pytest.mark.parametrize("before", [
    lambda pod: None, lambda pod: pod.metadata.name, lambda pod: pod.to_dict()])
def test_setting_is_what_it_is_with_an_eager_model(
        change: Callable[[Any], None], before: Callable[[Any], Any]) -> None:
    send = client.ApiClient().sanitize_for_serialization
    pod, expected = view(client.V1Pod, pods()[0]), eager(client.V1Pod, pods()[0])
    before(pod)
    change(pod)
    change(expected)
    assert pod == expected and pod.to_dict() == expected.to_dict()
    assert send(pod) == send(expected)
    assert copy.deepcopy(pod) == expected


@pytest.mark.parametrize("name", ["nothing", "_nothing", "__nothing__", "to_dictionary"])
def test_an_attribute_that_is_not_is_an_attribute_error_as_ever(name: str) -> None:
    with pytest.raises(AttributeError) as expected:
        getattr(eager(client.V1Pod, pods()[0]), name)
    with pytest.raises(AttributeError) as found:
        getattr(view(client.V1Pod, pods()[0]), name)
    assert str(found.value) == str(expected.value)


def test_what_is_deleted_stays_deleted() -> None:
    pod = view(client.V1Pod, pods()[0])
    name = "status" if PYDANTIC else "_status"
    delattr(pod, name)
    with pytest.raises(AttributeError):
        getattr(pod, name)
    assert pod.spec.node_name


def test_it_cannot_be_hashed_where_the_model_cannot() -> None:
    with pytest.raises(TypeError):
        hash(view(client.V1Pod, pods()[0]))


def test_a_call_of_its_class_makes_a_model_as_ever() -> None:
    pod = view(client.V1Pod, pods()[0])
    made = type(pod)(metadata=pod.metadata)
    assert made.metadata is pod.metadata and made.spec is None
    assert made == client.V1Pod(metadata=pod.metadata)


def test_a_view_within_a_model_is_sent_as_the_eager_one() -> None:
    send = client.ApiClient().sanitize_for_serialization
    for pods_of in ([view(client.V1Pod, line) for line in pods()[:3]],):
        made = client.V1PodList(items=pods_of, kind="PodList", api_version="v1")
        expected = client.V1PodList(items=[eager(client.V1Pod, line) for line in pods()[:3]],
                                    kind="PodList", api_version="v1")
        assert made.items[0] is pods_of[0]
        assert json.dumps(send(made)) == json.dumps(send(expected))
        assert made == expected and made.to_dict() == expected.to_dict()


def test_only_models_have_views() -> None:
    for other in (dict, int, client.CoreV1Api):
        with pytest.raises(TypeError, match="no model of the official client"):
            view_maker(other)


def test_all_threads_get_the_same_objects() -> None:
    for line in pods()[:60]:
        pod, barrier = make_pod(Source(line)), threading.Barrier(8)
        found: list[Any] = [None] * 8

        def read(at: int) -> None:
            barrier.wait(10)
            if at % 4 == 3:
                pod.to_dict()
            meta, spec = pod.metadata, pod.spec
            found[at] = (meta, spec, pod.status, spec.containers, meta.labels,
                         spec.containers[0], spec.containers[0].resources)

        threads = [threading.Thread(target=read, args=(at,)) for at in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert all(ours is theirs for one in found for ours, theirs in zip(one, found[0]))
        assert pod == eager(client.V1Pod, line)
