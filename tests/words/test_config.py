"""kube_reflect.config"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from kube_reflect.config import Config, InitialListStrategy, ListSemantic
from kube_reflect.shard import Shard


def test_the_defaults() -> None:
    config = Config()
    assert (config.label_selector, config.field_selector) == (None, None)
    assert config.list_semantic is ListSemantic.MOST_RECENT
    assert config.initial_list_strategy is InitialListStrategy.AUTO
    assert (config.timeout, config.page_size, config.bookmarks) == (290, 500, True)
    assert (config.idle_timeout, config.connect_timeout) == (150, 10)
    assert config.gzip is False and config.poll_interval == 30
    assert config.shard is None and config.start_jitter == 0
    assert config.max_objects == 1_000_000


def test_it_is_frozen_and_comparable() -> None:
    config = Config(label_selector="app=web")
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.timeout = 5  # type: ignore[misc]
    assert config == Config(label_selector="app=web") != Config()
    assert len({config, Config(label_selector="app=web")}) == 1
    assert dataclasses.replace(config, timeout=5).timeout == 5


def test_it_takes_keywords_only() -> None:
    with pytest.raises(TypeError):
        Config("app=web")  # type: ignore[misc]


@pytest.mark.parametrize(("name", "value"), [
    ("timeout", 1), ("timeout", 294.9), ("page_size", 1), ("page_size", None),
    ("idle_timeout", 0.1), ("connect_timeout", 0.1), ("bookmarks", False),
    ("gzip", True), ("max_objects", 1), ("label_selector", ""),
    ("label_selector", "app in (web, db),!canary"),
    ("field_selector", "spec.nodeName=node-3"), ("field_selector", ""),
    ("shard", Shard(0, 1)), ("start_jitter", 0), ("start_jitter", 2.5),
])
def test_what_makes_sense_is_taken(name: str, value: Any) -> None:
    assert getattr(Config(**{name: value}), name) == value


@pytest.mark.parametrize(("name", "value"), [
    ("timeout", 295), ("timeout", 300), ("timeout", 0), ("timeout", 0.9), ("timeout", -5),
    ("timeout", float("nan")), ("timeout", float("inf")),
    ("page_size", 0), ("page_size", -1), ("max_objects", 0), ("max_objects", -1),
    ("idle_timeout", 0), ("idle_timeout", -1), ("idle_timeout", float("inf")),
    ("idle_timeout", float("nan")),
    ("connect_timeout", 0), ("connect_timeout", -1), ("connect_timeout", float("inf")),
    ("connect_timeout", float("nan")),
    ("poll_interval", 0), ("poll_interval", -1), ("poll_interval", float("inf")),
    ("start_jitter", -1), ("start_jitter", float("nan")), ("start_jitter", float("inf")),
])
def test_what_is_out_of_range_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        Config(**{name: value})


@pytest.mark.parametrize(("name", "value"), [
    ("label_selector", "app in"), ("label_selector", "= ="), ("label_selector", "a=b=c"),
    ("field_selector", "spec.nodeName"), ("field_selector", "a>b"),
])
def test_a_selector_that_does_not_parse_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        Config(**{name: value})


@pytest.mark.parametrize(("name", "value"), [
    ("timeout", "290"), ("timeout", None), ("timeout", True), ("page_size", "5"),
    ("page_size", 5.0), ("page_size", True), ("idle_timeout", None), ("connect_timeout", "1"),
    ("poll_interval", None), ("bookmarks", 1), ("bookmarks", "yes"), ("gzip", None),
    ("list_semantic", "any"), ("initial_list_strategy", "auto"), ("label_selector", {"app": "web"}),
    ("field_selector", 5), ("shard", "1/3"), ("shard", (1, 3)), ("start_jitter", None),
    ("start_jitter", True), ("max_objects", "5"), ("max_objects", None), ("max_objects", True),
])
def test_what_has_the_wrong_type_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=name):
        Config(**{name: value})
