"""kube_reflect.selector, whatever it is given."""

from __future__ import annotations

import pytest

pytest.importorskip("hypothesis", reason="property tests need hypothesis, of the extra [dev]")

from hypothesis import example, given  # noqa: E402

from kube_reflect.selector import parse, parse_field_selector  # noqa: E402

from tests.support import selector_strategies as strategies  # noqa: E402


@given(strategies.selectors(), strategies.labels)
def test_means_what_it_says(drawn: tuple[str, list[strategies.Term]],
                            labels: dict[str, str]) -> None:
    text, terms = drawn
    selector = parse(text)
    assert selector.matches(labels) == all(strategies.means(term, labels) for term in terms)
    assert bool(selector) == bool(terms)


@given(strategies.texts)
@example("a in (,)")
def test_any_text_is_a_selector_or_a_value_error(text: str) -> None:
    try:
        selector = parse(text)
    except ValueError as error:
        assert repr(text) in str(error)
    else:
        assert parse(str(selector)) == selector
        assert str(parse(str(selector))) == str(selector)


@given(strategies.labels, strategies.labels)
def test_a_mapping_is_its_equalities(wanted: dict[str, str], labels: dict[str, str]) -> None:
    selector = parse(wanted)
    assert selector == parse(",".join(f"{key}={value}" for key, value in wanted.items()))
    assert selector.matches(labels) == (wanted.items() <= labels.items())


@given(strategies.field_texts)
def test_any_text_is_a_field_selector_or_a_value_error(text: str) -> None:
    try:
        selector = parse_field_selector(text)
    except ValueError as error:
        assert repr(text) in str(error)
    else:
        assert parse_field_selector(str(selector)) == selector
