"""kube_reflect.watcher.failures: what a failed request, or an ERROR event, means for it."""

from __future__ import annotations

from typing import Any

import pytest

from kube_reflect.errors import InitialListFailed
from kube_reflect.watcher.failures import is_expired, watch_error, watcher_error
from kube_reflect.wire import RequestError

STATUS = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden",
          "message": "pods is forbidden", "code": 403}


@pytest.mark.parametrize(("code", "status", "expired"), [
    (410, None, True), (500, {"reason": "Expired"}, True), (None, {"reason": "Gone"}, True),
    (404, {"reason": "NotFound"}, False), (None, None, False),
])
def test_410_has_several_forms(code: int | None, status: Any, expired: bool) -> None:
    assert is_expired(RequestError("no", code=code, status=status)) is expired


@pytest.mark.parametrize("seconds", [5, 5.0, True, -1, 10 ** 400, "5", None])
def test_an_error_event_may_ask_to_wait(seconds: Any) -> None:
    error = watch_error({**STATUS, "details": {"retryAfterSeconds": seconds}})
    assert error.retry_after == (5.0 if seconds == 5 else None)
    assert str(error) == "the server sent an error: pods is forbidden"


def test_the_public_error_has_all_that_is_known_and_the_cause() -> None:
    cause = RequestError("HTTP 403: pods is forbidden", code=403, status=STATUS, retry_after=3.0)
    error = watcher_error(InitialListFailed, "cannot list", cause)
    assert isinstance(error, InitialListFailed) and error.__cause__ is cause
    assert (str(error), error.code, error.status, error.retry_after) == (
        "cannot list: HTTP 403: pods is forbidden", 403, STATUS, 3.0)
    cause.__cause__ = OSError("below")
    assert watcher_error(InitialListFailed, "cannot list", cause).__cause__ is cause.__cause__
