"""kube_reflect.selector against the answers of a real API server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from kube_reflect.selector import parse, parse_field_selector

from tests.support.selector_cases import (
    ACCEPTED, ACCEPTED_LATELY, FIELDS_ACCEPTED, FIELDS_REJECTED, REJECTED)
from ._apiserver import RealServer

pytest.importorskip("hypothesis", reason="generated selectors need hypothesis, of the extra [dev]")

from hypothesis import given, settings  # noqa: E402

from tests.support import selector_strategies as strategies  # noqa: E402

pytestmark = pytest.mark.e2e

LABELS: list[dict[str, str] | None] = [
    None,
    {"a": ""},
    {"b": ""},
    {"in": "in", "notin": "notin"},
    {"x.example/a": "x", "a": "y"},
    *({"a": value} for value in strategies.VALUES if value),
    {"a": "9223372036854775808"},
    {"a": "99999999999999999999999"},
    {"a": "x", "b": "x"},
    {"a": "x", "b": "y", "in": "5"},
    {"A.1_2-b": "X.y-z", "notin": ""},
    {"a": "b"},
    {"a": "c", "c": "c"},
]

# Names that a LIST with given selectors returns; None if the server rejects it.
Answer = Callable[[str, str], "set[str] | None"]
SETTINGS = settings(max_examples=500)


@pytest.fixture(scope="module")
def listed(real_server: RealServer) -> Iterator[Answer]:
    api = client.CoreV1Api(real_server.api_client())
    with real_server.namespace("selector") as namespace:
        for number, labels in enumerate(LABELS):
            metadata = client.V1ObjectMeta(name=f"c{number}", labels=labels)
            api.create_namespaced_config_map(namespace, client.V1ConfigMap(metadata=metadata))

        def ask(label_selector: str, field_selector: str) -> set[str] | None:
            try:
                answer = api.list_namespaced_config_map(
                    namespace, label_selector=label_selector, field_selector=field_selector)
            except ApiException as error:
                assert error.status == 400, error
                return None
            return {item.metadata.name or "" for item in answer.items if item.metadata} - {
                # A cluster puts one of its own into each namespace.
                "kube-root-ca.crt"}
        yield ask


def ours(text: str) -> set[str] | None:
    try:
        selector = parse(text)
    except ValueError:
        return None
    return {f"c{number}" for number, labels in enumerate(LABELS) if selector.matches(labels)}


@pytest.mark.parametrize("text", [*ACCEPTED, *REJECTED])
def test_hand_picked(listed: Answer, text: str) -> None:
    answer = listed(text, "")
    assert answer == ours(text)
    assert (answer is None) == (text in REJECTED)


@pytest.mark.parametrize("text", ACCEPTED_LATELY)
def test_what_older_servers_refuse(listed: Answer, text: str) -> None:
    assert ours(text) is not None and listed(text, "") in (None, ours(text))
    assert listed(str(parse(text)), "") == ours(text)


@pytest.mark.parametrize("text", ACCEPTED)
def test_canonical_text_selects_the_same(listed: Answer, text: str) -> None:
    assert listed(str(parse(text)), "") == listed(text, "")


@given(drawn=strategies.selectors())
@SETTINGS
def test_well_formed(listed: Answer, drawn: tuple[str, list[strategies.Term]]) -> None:
    text, _ = drawn
    answer = listed(text, "")
    assert answer == ours(text)
    assert answer is not None
    assert listed(str(parse(text)), "") == answer


@given(text=strategies.texts)
@SETTINGS
def test_any_text(listed: Answer, text: str) -> None:
    answer, expected = listed(text, ""), ours(text)
    # Two commas before a bracket are refused by older servers.
    assert answer == expected or answer is None and re.search(r",\s*,\s*\)", text)


def our_names(text: str, namespace: str) -> set[str] | None:
    try:
        selector = parse_field_selector(text)
    except ValueError:
        return None
    names = [f"c{number}" for number in range(len(LABELS))]
    return {name for name in names if selector.matches(
        {"metadata.name": name, "metadata.namespace": namespace}.__getitem__)}


@pytest.mark.parametrize("text", [*FIELDS_ACCEPTED, *FIELDS_REJECTED, "metadata.name=c1",
                                  "metadata.name!=c1,metadata.name!=c2", "metadata.namespace="])
def test_hand_picked_fields(listed: Answer, text: str) -> None:
    answer = listed("", text)
    assert answer == our_names(text, "somewhere")
    assert (answer is None) == (text in FIELDS_REJECTED)


@given(text=strategies.field_texts)
@SETTINGS
def test_any_fields(listed: Answer, text: str) -> None:
    known = {"metadata.name", "metadata.namespace"}
    try:
        fields = {item.field for item in parse_field_selector(text).requirements}
    except ValueError:
        fields = known
    if fields <= known:
        assert listed("", text) == our_names(text, "somewhere")
    else:
        assert listed("", text) is None
