"""kube_reflect.store against a dict, over any history."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("hypothesis", reason="property tests need hypothesis, of the extra [dev]")

from hypothesis import settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from hypothesis.stateful import (  # noqa: E402
    RuleBasedStateMachine, invariant, precondition, rule,
)

from kube_reflect.events import Apply, Bookmark, Delete, Init, InitApply, InitDone  # noqa: E402
from kube_reflect.object_ref import ObjectRef  # noqa: E402
from kube_reflect.selector import parse  # noqa: E402
from kube_reflect.store import Snapshot, Writer  # noqa: E402

NAMES = st.sampled_from(["a", "b", "c", "d"])
NAMESPACES = st.sampled_from(["one", "two", None])
LABELS = st.dictionaries(st.sampled_from(["app", "tier"]), st.sampled_from(["x", "y"]))
NODES = st.one_of(st.none(), st.sampled_from(["n1", "n2", 7]))
SELECTORS = ("app=x", "app!=x", "!tier", "app in (x, y),tier")
Key = tuple[Any, str]


def by_node(obj: Any) -> list[Any]:
    """Fail for whoever has no node."""
    return [obj["spec"]["node"], "all"]


def key_of(obj: Any) -> Key:
    return obj["metadata"].get("namespace"), obj["metadata"]["name"]


def sorted_by_key(objects: Any) -> list[Any]:
    return sorted(objects, key=lambda one: (key_of(one)[1], str(key_of(one)[0])))


def check_equal(reader: Any, model: dict[Key, Any]) -> None:
    """Every read method against the dict."""
    expected = sorted_by_key(model.values())
    assert len(reader) == len(model) and reader.is_empty() == (not model)
    assert {(ref.namespace, ref.name) for ref in reader.keys()} == set(model)
    assert sorted_by_key(reader.state()) == sorted_by_key(reader) == expected
    for namespace in ("one", "two", "three"):
        assert sorted_by_key(reader.state(namespace=namespace)) == [
            one for one in expected if key_of(one)[0] == namespace]
    for selector in SELECTORS:
        assert sorted_by_key(reader.state(labels=selector)) == [
            one for one in expected if parse(selector).matches(one["metadata"]["labels"])]
    indexed: dict[Any, list[Any]] = {}
    for one in expected:
        if "node" in one["spec"]:
            for value in by_node(one):
                indexed.setdefault(value, []).append(one)
    assert set(reader.index_values("node")) == set(indexed)
    for value in (None, "n1", "n2", 7, "all"):
        assert sorted_by_key(reader.by_index("node", value)) == indexed.get(value, [])
    for name in "abcd":
        for namespace in ("one", "two", None):
            found = model.get((namespace, name), model.get((None, name)))
            assert reader.get(name, namespace) == found
            assert (ObjectRef(name, namespace) in reader) == (found is not None)


class Histories(RuleBasedStateMachine):
    """Applies what a watcher may say to a writer, and to a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.writer = Writer(indexers={"node": by_node}, model=dict)
        self.store = self.writer.as_reader()
        self.model: dict[Key, Any] = {}
        self.listing: dict[Key, Any] | None = None
        self.version = 0
        self.snapshots: list[tuple[Snapshot[Any], dict[Key, Any], str | None]] = []

    def made(self, name: str, namespace: str | None, labels: dict[str, str], node: Any,
             ) -> dict[str, Any]:
        self.version += 1
        metadata = {"name": name, "uid": f"{namespace}-{name}", "labels": labels,
                    "resourceVersion": str(self.version),
                    **({"namespace": namespace} if namespace else {})}
        return {"metadata": metadata, "spec": {} if node is None else {"node": node}}

    @precondition(lambda self: self.listing is None)
    @rule(name=NAMES, namespace=NAMESPACES, labels=LABELS, node=NODES)
    def apply(self, name: str, namespace: str | None, labels: dict[str, str], node: Any) -> None:
        obj = self.made(name, namespace, labels, node)
        self.writer.apply_watcher_event(Apply(obj))
        self.model[key_of(obj)] = obj

    @rule(name=NAMES, namespace=NAMESPACES)
    def delete(self, name: str, namespace: str | None) -> None:
        obj = self.made(name, namespace, {}, None)
        self.writer.apply_watcher_event(Delete(obj))
        (self.model if self.listing is None else self.listing).pop(key_of(obj), None)

    @precondition(lambda self: self.listing is None)
    @rule()
    def bookmark(self) -> None:
        self.version += 1
        self.writer.apply_watcher_event(Bookmark(str(self.version)))
        assert self.store.resource_version == str(self.version)

    @rule()
    def begin_list(self) -> None:
        self.writer.apply_watcher_event(Init())
        self.listing = {}

    @precondition(lambda self: self.listing is not None)
    @rule(name=NAMES, namespace=NAMESPACES, labels=LABELS, node=NODES)
    def list_changed(self, name: str, namespace: str | None, labels: dict[str, str],
                     node: Any) -> None:
        assert self.listing is not None
        obj = self.made(name, namespace, labels, node)
        self.writer.apply_watcher_event(InitApply(obj))
        self.listing[key_of(obj)] = obj

    @precondition(lambda self: self.listing is not None and bool(self.model))
    @rule(data=st.data())
    def list_unchanged(self, data: st.DataObject) -> None:
        assert self.listing is not None
        obj = self.model[data.draw(st.sampled_from(list(self.model)))]
        self.writer.apply_watcher_event(InitApply(obj))
        self.listing[key_of(obj)] = obj

    @precondition(lambda self: self.listing is not None)
    @rule()
    def end_list(self) -> None:
        assert self.listing is not None
        self.version += 1
        self.writer.apply_watcher_event(InitDone(str(self.version)))
        self.model, self.listing = self.listing, None
        assert self.store.resource_version == str(self.version)

    @precondition(lambda self: len(self.snapshots) < 3)
    @rule()
    def keep_a_snapshot(self) -> None:
        self.snapshots.append((self.store.snapshot(), dict(self.model),
                               self.store.resource_version))

    @rule(name=NAMES, namespace=NAMESPACES)
    def read_one(self, name: str, namespace: str | None) -> None:
        found = self.store.get(name, namespace)
        assert found == self.model.get((namespace, name), self.model.get((None, name)))

    @rule()
    def read_all(self) -> None:
        check_equal(self.store, self.model)

    @invariant()
    def the_store_is_the_dict(self) -> None:
        assert {(ref.namespace, ref.name) for ref in self.store.keys()} == set(self.model)

    def teardown(self) -> None:
        check_equal(self.store, self.model)
        for snapshot, model, version in self.snapshots:
            assert snapshot.resource_version == version
            check_equal(snapshot, model)
        self.writer.close()


class TestHistories(Histories.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(max_examples=60, stateful_step_count=30)
