"""kube_reflect.errors"""

from __future__ import annotations

import copy
import pickle

import pytest

from kube_reflect import errors
from kube_reflect.errors import KubeReflectError, NotReady, StaleCache, WatcherError

WATCHER_ERRORS = [WatcherError, errors.InitialListFailed, errors.WatchStartFailed,
                  errors.WatchFailed, errors.WatchError, errors.NoResourceVersion]


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_has_one_root_and_a_docstring(name: str) -> None:
    error = getattr(errors, name)
    assert issubclass(error, KubeReflectError)
    assert error.__doc__ and not issubclass(error, TypeError)
    # A mistake of the caller is a ValueError; a value that the server sent, one of both kinds.
    assert issubclass(error, ValueError) == (name == "FieldError")


def test_an_error_of_a_field_names_it_and_hides_from_nobody() -> None:
    error = errors.FieldError("Pod.v1./a.b: spec.x: should be a list, is null", field="spec.x")
    assert not isinstance(error, AttributeError)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.field) == (str(error), "spec.x")


@pytest.mark.parametrize("kind", WATCHER_ERRORS)
def test_a_watcher_error_says_what_the_server_said(kind: type[WatcherError]) -> None:
    status = {"kind": "Status", "reason": "Forbidden", "code": 403}
    error = kind("no: HTTP 403", code=403, status=status, retry_after=2.5)
    assert isinstance(error, WatcherError)
    assert (error.code, error.status, error.retry_after) == (403, status, 2.5)
    assert str(error) == "no: HTTP 403"


@pytest.mark.parametrize("kind", WATCHER_ERRORS)
def test_without_an_answer_there_is_no_code(kind: type[WatcherError]) -> None:
    error = kind("refused")
    assert (error.code, error.status, error.retry_after) == (None, None, None)


def test_the_watcher_s_errors_can_be_told_apart() -> None:
    for kind in WATCHER_ERRORS[1:]:
        assert [other for other in WATCHER_ERRORS[1:] if issubclass(kind, other)] == [kind]


@pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
@pytest.mark.parametrize("error", [
    WatcherError("a", code=403, status={"code": 403}, retry_after=1.0),
    errors.WatchError("b"), StaleCache("c", staleness=4.0), NotReady("d"),
])
def test_errors_can_be_copied_and_sent(again: object, error: KubeReflectError) -> None:
    assert callable(again)
    copied = again(error)
    assert type(copied) is type(error) and str(copied) == str(error)
    assert vars(copied) == vars(error)


def test_not_ready_is_a_timeout() -> None:
    with pytest.raises(TimeoutError):
        raise NotReady("not ready within 5 s")


@pytest.mark.parametrize("staleness", [None, 12.5])
def test_a_stale_cache_says_how_stale(staleness: float | None) -> None:
    assert StaleCache("stale", staleness=staleness).staleness == staleness
    assert StaleCache("stale").staleness is None
