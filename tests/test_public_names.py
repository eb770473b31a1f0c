"""The names that users write against, and how they are called."""

from __future__ import annotations

import ast
import configparser
import dataclasses
import inspect
from pathlib import Path
from typing import Any

import pytest

import kube_reflect
from kube_reflect import (
    ApiResource, Config, InitialListStrategy, ListSemantic, ObjectRef, Reflector, Snapshot, Store,
    Watcher, Writer, reflect,
)

NAMES = """
    ApiResource Applied Apply Backoff Bookmark Change ConditionFailed Config Delete Deleted Event
    FieldError Init InitApply InitDone InitialListFailed InitialListStrategy
    KubeReflectError ListSemantic Memory NamespaceStatus NoResourceVersion NotReady
    ObjectRef Phase Reason Reflector Resync Shard Shared Snapshot StaleCache Status Store
    Subscription WarmStart WatchError WatchFailed WatchStartFailed Watcher WatcherError Writer
    WriterDropped __version__ close_all drop_last_applied drop_managed_fields keep
    reflect shared stop_on_signals
""".split()

READS = {
    "state": "*, namespace=None, labels=None, where=None",
    "find": "predicate",
    "keys": "",
    "by_index": "name, value",
    "is_empty": "",
    "__len__": "",
    "__iter__": "",
    "__contains__": "ref",
    "__bool__": "",
}

#: Each with the parameters that it must go on taking; there may be more with defaults.
SIGNATURES: list[tuple[Any, str, str]] = [
    (ApiResource, "__init__", "group, version, kind, plural=None, namespaced=None"),
    (ObjectRef, "__init__", "name, namespace=None, *, resource=None, resource_version=None, "
                            "uid=None"),
    (ObjectRef, "within", "namespace"),
    (ObjectRef, "from_object", "obj, resource=None"),
    (ObjectRef, "from_owner_reference", "owner, namespace=None, resource=None"),
    (ObjectRef, "to_object_reference", ""),
    (Watcher, "__init__", "list_func, *args, config=None, **kwargs"),
    (Watcher, "close", ""),
    (Writer, "__init__", "resource=None, *, model=None, transform=None, indexers=None"),
    (Writer, "as_reader", ""),
    (Writer, "apply_watcher_event", "event"),
    (Writer, "subscribe", "*"),
    (Writer, "close", ""),
    (Store, "get", "ref, namespace=None"),
    (Store, "wait_until_ready", "timeout=None"),
    (Store, "snapshot", ""),
    (Snapshot, "get", "ref, namespace=None"),
    *((owner, name, parameters) for owner in (Store, Snapshot)
      for name, parameters in READS.items()),
    (Reflector, "__init__", "list_func, *args, config=None, model=None, transform=None, "
                            "indexers=None, backoff=None, name=None, **kwargs"),
    (Reflector, "start", ""),
    (Reflector, "close", "timeout=5.0"),
    (Reflector, "subscribe", "*"),
]

CONFIG = {
    "label_selector": None, "field_selector": None, "timeout": 290,
    "list_semantic": ListSemantic.MOST_RECENT, "initial_list_strategy": InitialListStrategy.AUTO,
    "page_size": 500, "bookmarks": True,
}

EVENTS = {"Init": [], "InitApply": ["object"], "InitDone": ["resource_version"],
          "Apply": ["object"], "Delete": ["object"], "Bookmark": ["resource_version"]}


def test_the_package_has_these_names_and_no_others() -> None:
    assert kube_reflect.__all__ == NAMES == sorted(set(NAMES))
    assert all(hasattr(kube_reflect, name) for name in NAMES)


def test_the_package_s_init_is_imports_and_names_only() -> None:
    tree = ast.parse(Path(kube_reflect.__file__).read_text("utf-8"))
    docstring, *imports, names = tree.body
    assert isinstance(docstring, ast.Expr) and isinstance(names, ast.Assign)
    assert all(isinstance(one, ast.ImportFrom) for one in imports)
    imported = {alias.name for one in imports for alias in getattr(one, "names")}
    assert imported == set(NAMES)


def test_the_version_is_that_of_the_package() -> None:
    declared = configparser.ConfigParser()
    declared.read(Path(__file__).parent.parent / "setup.cfg", "utf-8")
    assert kube_reflect.__version__ == declared["metadata"]["version"]


@pytest.mark.parametrize(("owner", "name", "parameters"), SIGNATURES,
                         ids=lambda value: getattr(value, "__name__", str(value)[:20]))
def test_methods_take_what_they_took(owner: Any, name: str, parameters: str) -> None:
    scope: dict[str, Any] = {}
    exec(f"def expected({parameters if parameters != '*' else ''}): ...", scope)
    expected = inspect.signature(scope["expected"]).parameters
    found = dict(inspect.signature(getattr(owner, name)).parameters)
    found.pop("self", None)
    for parameter in expected.values():
        same = found.pop(parameter.name)
        assert (same.kind, same.default) == (parameter.kind, parameter.default), parameter
    # Whatever else it takes can be left out.
    assert all(more.default is not more.empty or more.kind is more.VAR_KEYWORD
               for more in found.values()), found


def test_positional_parameters_come_in_their_order() -> None:
    positional = {
        (owner, name): [one.strip() for one in parameters.partition("*")[0].split(",") if
                        one.strip()] for owner, name, parameters in SIGNATURES}
    for (owner, name), expected in positional.items():
        found = [one for one in inspect.signature(getattr(owner, name)).parameters
                 if one != "self"]
        assert found[:len(expected)] == [one.partition("=")[0] for one in expected]


def test_reflect_takes_a_writer_and_a_stream() -> None:
    assert list(inspect.signature(reflect).parameters) == ["writer", "stream"]


def test_config_has_these_settings() -> None:
    fields = {one.name: one for one in dataclasses.fields(Config)}
    assert fields.keys() >= CONFIG.keys() | {"idle_timeout"}
    assert {name: fields[name].default for name in CONFIG} == CONFIG
    assert all(one.kw_only for one in fields.values())


@pytest.mark.parametrize("name", EVENTS)
def test_events_can_be_taken_apart(name: str) -> None:
    kind = getattr(kube_reflect, name)
    event = kind(*["x"] * len(EVENTS[name]))
    assert list(kind.__match_args__) == EVENTS[name]
    assert event == kind(*["x"] * len(EVENTS[name])) and hash(event) == hash(event)
    for field in EVENTS[name]:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(event, field, "y")


def test_the_version_of_a_list_may_be_unknown() -> None:
    assert kube_reflect.InitDone().resource_version is None


@pytest.mark.parametrize(("kind", "names"), [
    (ListSemantic, {"MOST_RECENT", "ANY"}),
    (InitialListStrategy, {"AUTO", "LIST_WATCH", "STREAMING_LIST"}),
])
def test_choices_are_these(kind: Any, names: set[str]) -> None:
    assert set(kind.__members__) == names


@pytest.mark.parametrize(("owner", "name"), [
    (Store, "ready"), (Store, "resource_version"), (Reflector, "store"), (Reflector, "status"),
    (ApiResource, "api_version"),
])
def test_properties_are_properties(owner: Any, name: str) -> None:
    assert isinstance(inspect.getattr_static(owner, name), property)
