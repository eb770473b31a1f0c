"""Views of every model of the installed client, beside what the client itself makes."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from kubernetes import client

from ._views import PYDANTIC, assert_same, eager, models, pods, recorded_pods, view

pytest.importorskip("hypothesis", reason="drawing objects needs hypothesis, of the extra [dev]")

from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from ._views_objects import objects_of  # noqa: E402

# Without the phase that explains, which traces every line.
PHASES = settings(phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
                  suppress_health_check=list(HealthCheck))
EXAMPLES = settings(PHASES, max_examples=60)
MANY = settings(PHASES, max_examples=1500)

# Deferred, for to import all models takes seconds.
any_object = st.deferred(lambda: st.sampled_from(models()).flatmap(
    lambda model: st.tuples(st.just(model), objects_of(model))))


def assert_alike(model: Any, data: Any) -> None:
    """Whatever a reader does first with a view, it is what it is with an eager model."""
    expected = eager(model, data)
    assert_same(view(model, data), expected)
    assert view(model, data).to_dict() == expected.to_dict()
    assert view(model, data) == expected and expected == view(model, data)
    assert view(model, data) == view(model, data)
    assert repr(view(model, data)) == repr(expected)
    assert str(view(model, data)) == str(expected)
    assert list(vars(view(model, data))) == list(vars(expected))
    for copied in (copy.copy(view(model, data)), copy.deepcopy(view(model, data)),
                   pickle.loads(pickle.dumps(view(model, data)))):
        assert type(copied) is model and copied == expected
        assert_same(copied, expected)
    sent = client.ApiClient().sanitize_for_serialization
    assert json.dumps(sent(view(model, data))) == json.dumps(sent(expected))
    if PYDANTIC:
        assert_dumped_alike(model, data, expected)


def assert_dumped_alike(model: Any, data: Any, expected: Any) -> None:
    for options in ({}, {"by_alias": True}, {"exclude_none": True}, {"exclude_unset": True}):
        assert view(model, data).model_dump(**options) == expected.model_dump(**options)
        assert view(model, data).model_dump_json(**options) == expected.model_dump_json(**options)
    assert view(model, data).to_json() == expected.to_json()
    assert view(model, data).to_dict(serialize=True) == expected.to_dict(serialize=True)
    assert view(model, data).model_fields_set == expected.model_fields_set
    assert view(model, data).model_extra == expected.model_extra
    assert view(model, data).model_copy() == expected.model_copy()
    assert view(model, data).model_copy(deep=True) == expected
    assert dict(view(model, data)) == dict(expected)
    assert list(view(model, data).__repr_args__()) == list(expected.__repr_args__())
    assert model.model_validate(found := view(model, data)) is found


# It may be the first that imports them.
@pytest.mark.timeout(240)
@EXAMPLES
@given(any_object)
def test_an_object_of_any_model_is_what_the_client_makes_of_it(drawn: Any) -> None:
    assert_alike(*drawn)


@pytest.mark.slow
@pytest.mark.timeout(900)
@MANY
@given(any_object)
def test_many_objects_of_any_model_are_what_the_client_makes_of_them(drawn: Any) -> None:
    assert_alike(*drawn)


def test_each_model_has_views() -> None:
    for model in models():
        found = view(model, {"notKnown": 1})
        assert isinstance(found, model) and type(found) is not model
        assert type(found).__qualname__ == model.__qualname__
        for name in model.attribute_map:
            try:
                value = getattr(found, name)
            except ValueError as error:
                # What the client requires is refused where it is read, and by name.
                assert f"{model.attribute_map[name]}: should be " in str(error)
            else:
                assert value is None, (model, name)


@pytest.mark.parametrize("step", [250, pytest.param(50, marks=pytest.mark.slow)])
def test_real_pods_are_what_the_client_makes_of_them(step: int) -> None:
    for line in pods()[::step]:
        assert_alike(client.V1Pod, line)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_all_real_pods_are_what_the_client_makes_of_them() -> None:
    for line in pods():
        expected = eager(client.V1Pod, line)
        assert_same(view(client.V1Pod, line), expected)
        assert view(client.V1Pod, line) == expected


@pytest.mark.parametrize("step", [12, pytest.param(4, marks=pytest.mark.slow)])
def test_recorded_pods_are_what_the_client_makes_of_them(step: int) -> None:
    found = list(recorded_pods())
    assert len(found) > 40
    for pod in found[::step]:
        assert_alike(client.V1Pod, pod)
