"""Every error that kube_reflect raises or hands out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kube_reflect.object_ref import ObjectRef

__all__ = [
    "ConditionFailed",
    "FieldError",
    "InitialListFailed",
    "KubeReflectError",
    "NoResourceVersion",
    "NotReady",
    "StaleCache",
    "WatchError",
    "WatchFailed",
    "WatchStartFailed",
    "WatcherError",
    "WriterDropped",
]


class KubeReflectError(Exception):
    """The root of all errors of this library.

    A mistake of the caller is not among them: that is a ValueError or a TypeError, at once.

    All of them can be copied and pickled, with what they know; their ``__cause__`` stays behind.
    """


class WatcherError(KubeReflectError):
    """Something between the watcher and the API server went wrong, and will be tried again.

    A watcher yields these as values; it never raises them, and never ends because of one.
    ``__cause__`` is the exception that led to it, where there was one.

    :param message: what happened, in words.
    :param code: HTTP status of the answer, or None where there was no answer.
    :param status: the API server's Status object, if it sent one.
    :param retry_after: seconds the server asked to wait, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        code: int | None = None,
        status: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.retry_after = retry_after


class InitialListFailed(WatcherError):
    """The objects could not be listed, whether by LIST or by a streaming list."""


class WatchStartFailed(WatcherError):
    """The API server could not be reached for a WATCH, or refused it."""


class WatchFailed(WatcherError):
    """A running WATCH broke: cut, silent for too long, ended at once, or unreadable."""


class WatchError(WatcherError):
    """The API server sent an ERROR event; ``status`` is its Status object."""


class NoResourceVersion(WatcherError):
    """The API server left out the resource version, so there is nothing to watch from."""


class WriterDropped(KubeReflectError):
    """The writer ended before that which somebody waited for; ``__cause__`` says why, if known."""


class NotReady(KubeReflectError, TimeoutError):
    """The store was not ready in time; ``__cause__`` is the last WatcherError, if any."""


class StaleCache(KubeReflectError):
    """The cache has had no contact with the API server for longer than the read allows.

    :param message: what was asked and what was found.
    :param staleness: seconds since the last contact, or None where there never was one.
    """

    def __init__(self, message: str, *, staleness: float | None = None) -> None:
        super().__init__(message)
        self.staleness = staleness


class FieldError(KubeReflectError, ValueError):
    """A field of an object cannot be read as the type that the client declares for it.

    Raised where that field is read, and nowhere else: the rest of the object can be read. It is
    no AttributeError, so `hasattr` and a default of `getattr` do not hide it.

    :param message: the object's ref, the field and the reason, in one line.
    :param field: the field as the API has it, from the object's root: ``spec.containers[0].image``.
    """

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class ConditionFailed(KubeReflectError):
    """A condition that somebody waits for will not hold, as the object itself says.

    :param message: the object, what it says, and why, in one line.
    :param ref: which object; None if it does not say its name.
    :param reason: in one word, as the object's status has it: ``ProgressDeadlineExceeded``.
    """

    def __init__(self, message: str, *, ref: ObjectRef | None = None, reason: str = "") -> None:
        super().__init__(message)
        self.ref = ref
        self.reason = reason
